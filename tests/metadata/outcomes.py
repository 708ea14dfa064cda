"""The outcome of a copy with metadata."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from contract.outcome import names_below
from support.failure import Failure
from support.lab_mounts import remove
from support.process_limits import patience

if TYPE_CHECKING:
    from pathlib import Path

    from contract.outcome import Case
    from support.layout import Step

Copy = Callable[..., Any]

#: Times that are less than a day old were set by the copy itself.
DAY = 86_400 * 10**9

EVENTS = ("shutil.copyfile", "shutil.copystat", "shutil.copymode")

_heard: list[tuple[Any, ...]] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event in EVENTS:
        _heard.append((event, *arguments))


sys.addaudithook(_listen)


@dataclass(frozen=True)
class File:
    """One name: its content and its metadata. ``modified`` is "now" for a time that is not set."""

    mode: str
    owner: int
    content: bytes
    modified: object
    xattrs: dict[str, bytes]

    @classmethod
    def of(cls, path: str) -> File:
        """The file of that name, links not followed."""
        st = os.lstat(path)
        content = b""
        if stat.S_ISREG(st.st_mode) and os.access(path, os.R_OK):
            with open(path, "rb") as opened:
                content = opened.read()
        modified = st.st_mtime_ns if abs(time.time_ns() - st.st_mtime_ns) > DAY else "now"
        return cls(stat.filemode(st.st_mode), st.st_uid, content, modified, xattrs_of(path))


@dataclass(frozen=True)
class Outcome:
    """What came out of the call, every file after it, and the audit events."""

    returned: object
    failure: Optional[Failure]
    files: dict[str, File]
    audited: tuple[str, ...]


def xattrs_of(path: str) -> dict[str, bytes]:
    """The extended attributes of a file; none where there can be none."""
    with contextlib.suppress(OSError, AttributeError):
        names = os.listxattr(path, follow_symlinks=False)
        return {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    return {}


def times(name: str, modified: int, accessed: Optional[int] = None) -> Step:
    """A file has these times, in nanoseconds since 1970."""

    def step(_: ExitStack) -> None:
        os.utime(name, ns=(modified if accessed is None else accessed, modified))
        if os.stat(name).st_mtime_ns != modified:
            pytest.skip("no such times here")

    return step


def xattr(path: str, name: str, value: bytes = b"value") -> Step:
    """A file has this extended attribute."""

    def step(_: ExitStack) -> None:
        try:
            os.setxattr(path, name, value)
        except (OSError, AttributeError) as error:
            pytest.skip(f"no {name} here: {error!r}")

    return step


def mode(name: str, bits: int) -> Step:
    """A file has this mode."""
    return lambda _: os.chmod(name, bits)


def owner(name: str, uid: int) -> Step:
    """A file belongs to somebody. Only root can give it away."""

    def step(_: ExitStack) -> None:
        if not hasattr(os, "geteuid") or os.geteuid() != 0:
            pytest.skip("only root can make a file of somebody else")
        os.chown(name, uid, uid)

    return step


def outcome_in(folder: Path, copy: Copy, case: Case) -> Outcome:
    """Runs a case in a new folder in ``folder``; every name is the same as in all others."""
    fresh, before = folder / "fresh", os.getcwd()
    fresh.mkdir(mode=0o777)
    fresh.chmod(0o777)  # whoever copies
    os.chdir(fresh)
    try:
        with ExitStack() as stack:
            for step in case.layout:
                step(stack)
            return _outcome(copy, case)
    finally:
        os.chdir(before)
        for name in names_below(str(fresh)):  # Windows removes no file that is read only
            with contextlib.suppress(OSError):
                os.chmod(name, 0o700)
        remove(fresh)


def _plain(failure: Failure) -> Failure:
    """Without what PyPy alone has: paths that are no strings, and arguments that are None."""
    if sys.implementation.name != "pypy" or (failure.filename is None and not failure.errno):
        return failure
    name = None if failure.filename is None else os.fspath(failure.filename)
    return replace(failure, text="", args=failure.args[:2], filename=name)


def _outcome(copy: Copy, case: Case) -> Outcome:
    returned, failure = None, None
    _heard.clear()
    with case.around(), patience():
        try:
            returned = copy(case.src, case.dst, follow_symlinks=case.follow_symlinks)
            returned = "dst" if returned is case.dst else repr(returned)
        except Exception as error:  # noqa: BLE001
            failure = _plain(Failure.of(error))
    audited = tuple(map(repr, _heard)) if failure is None else ()
    files = {name: File.of(name) for name in names_below(".") if not os.path.isdir(name)}
    return Outcome(returned, failure, files, audited)
