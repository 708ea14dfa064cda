"""The outcome of a copy: everything that a caller could notice. Also the cases and promises."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import threading
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional

from support.failure import Failure
from support.lab_mounts import on_server, remove
from support.process_limits import patience

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from support.layout import Step

#: The time that everything in a folder has before the copy, in seconds since 1970.
BEFORE = 1_000_000

Executor = Callable[..., object]


@dataclass(frozen=True)
class Late:
    """An argument that can only be made in the folder: a descriptor, a directory entry."""

    make: Callable[[], Any]


@dataclass(frozen=True)
class Entry:
    """One name in a folder, with its attributes and content."""

    mode: str
    links: int
    touched: bool
    size: int
    digest: str
    content: bytes = field(repr=False)
    attributes: int = 0  # of Windows

    @classmethod
    def of(cls, path: str) -> Entry:
        """The entry of a path, links not followed."""
        st = os.lstat(path)
        content = b""
        if stat.S_ISREG(st.st_mode) and os.access(path, os.R_OK):
            with open(path, "rb") as opened:
                content = opened.read()
        elif stat.S_ISLNK(st.st_mode):
            content = os.fsencode(os.readlink(path))
        digest = hashlib.sha256(content).hexdigest()[:8]
        seen = stat.filemode(st.st_mode), st.st_nlink, has_changed(path, st)
        attributes = getattr(st, "st_file_attributes", 0)
        return cls(*seen, len(content), digest, content, attributes)


def has_changed(path: str, st: os.stat_result) -> bool:
    """Whether a file has a new time; if the client has not, its server is asked.

    The CIFS client shows the time that it knew until it has closed the file, a second later.
    """
    if st.st_mtime == BEFORE:
        with suppress(OSError):
            st = os.lstat(on_server(path))
    return st.st_mtime != BEFORE


@dataclass(frozen=True)
class Outcome:
    """The result of one copy, the folder after it, and the audit events.

    ``returned`` is "dst" for the very object that was given. ``audited`` has an item per
    ``shutil.copyfile`` event: whether it has the very objects. For a copy that succeeded it also
    has an item per file that was opened; before a failure, ours may report one file more.
    """

    returned: str
    failure: Optional[Failure]
    tree: dict[str, Entry]
    audited: tuple[str, ...]


@dataclass(frozen=True)
class Promise:
    """A difference from :mod:`shutil` that is meant.

    ``of`` makes the outcome that ours must have from shutil's. ``runs_shutil`` is False where
    shutil would never end; then ``of`` gets the outcome of a copy that does nothing.
    """

    why: str
    of: Callable[[Outcome], Outcome]
    runs_shutil: bool = True


@dataclass(frozen=True)
class Case:
    """A folder, a call, and perhaps a promise."""

    id: str
    layout: tuple[Step, ...]
    src: Any = "src"
    dst: Any = "dst"
    follow_symlinks: bool = True
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    promise: Optional[Promise] = None


_heard: list[tuple[int, tuple[Any, ...]]] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    # a mode of None is os.open's, which ours calls to create a file
    if event in ("shutil.copyfile", "open") and arguments[1] is not None:
        _heard.append((threading.get_ident(), (event, *arguments)))


getattr(sys, "addaudithook", lambda _: None)(_listen)


def names_below(folder: str) -> list[str]:
    """Every name in a folder and the folders in it that may be looked into, no links followed."""
    found = []
    with suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            found.append(entry.path)
            if entry.is_dir(follow_symlinks=False):
                found += names_below(entry.path)
    return sorted(found)


def _age() -> None:
    for name in names_below("."):
        with suppress(OSError):  # an immutable file keeps its time
            if os.utime in os.supports_follow_symlinks:
                os.utime(name, (BEFORE, BEFORE), follow_symlinks=False)
            elif not os.path.islink(name):
                os.utime(name, (BEFORE, BEFORE))


def made(value: Any) -> Any:
    """An argument as it is handed to the copy."""
    return value.make() if isinstance(value, Late) else value


def _audited(src: Any, dst: Any, *, opens: bool) -> tuple[str, ...]:
    """The audit events of this thread's copy, without those that the fallback repeats."""
    mine = [told for thread, told in _heard if thread == threading.get_ident()]
    copies = [
        "src, dst" if told[1] is src and told[2] is dst else repr(told)
        for told in mine
        if told[0] == "shutil.copyfile"
    ]
    names = [os.fspath(path) for path in (src, dst) if opens and not isinstance(path, int)]
    opened = [told for told in mine if told[0] == "open" and told[1] in names]
    if sys.implementation.name == "pypy":  # whose open() reports other flags than it uses
        opened = [told[:-1] for told in opened]
    return (*copies, *dict.fromkeys(map(repr, opened)))


def outcome(copy: Executor, case: Case) -> Outcome:
    """Makes the files of a case in the current folder, copies, and returns the outcome."""
    with ExitStack() as stack:
        for step in case.layout:
            step(stack)
        _age()
        src, dst = made(case.src), made(case.dst)
        returned, failure = "nothing", None
        _heard.clear()
        with case.around(), patience():
            try:
                result = copy(src, dst, follow_symlinks=case.follow_symlinks)
                returned = "dst" if result is dst else repr(result)
            except Exception as error:  # noqa: BLE001
                failure = Failure.of(error)
        audited = _audited(src, dst, opens=failure is None)
        tree = {name: Entry.of(name) for name in names_below(".")}
    return Outcome(returned, failure, tree, audited)


def outcome_in(folder: Path, copy: Executor, case: Case) -> Outcome:
    """Runs a case in a new folder in ``folder``, which always has the same name."""
    fresh, before = folder / "fresh", os.getcwd()
    fresh.mkdir()
    os.chdir(fresh)
    try:
        return outcome(copy, case)
    finally:
        for name in names_below(".") if os.name == "nt" else ():
            os.chmod(name, 0o666)  # Windows removes no read-only file
        os.chdir(before)
        remove(fresh)
