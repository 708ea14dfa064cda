"""All of the copy of a tree that a caller could notice."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable, Optional

from contract.outcome import names_below
from support.lab_mounts import remove
from support.process_limits import patience

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from support.layout import Step

#: The modification time that everything has before the copy, in ns since 1970, plus a little more
#: for each name.
BEFORE = 1_000_000_000_123_456_000

Copier = Callable[..., object]


@dataclass(frozen=True)
class TreeEntry:
    """One name below the folder."""

    mode: str
    links: int
    #: None for the time of the test.
    modified: Optional[int]
    digest: str
    attributes: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, path: str) -> TreeEntry:
        """The entry of a path, links not followed."""
        st = os.lstat(path)
        content = b""
        if stat.S_ISREG(st.st_mode) and os.access(path, os.R_OK):
            with open(path, "rb") as opened:
                content = opened.read()
        elif stat.S_ISLNK(st.st_mode):
            content = os.fsencode(os.readlink(path))
        modified = st.st_mtime_ns if st.st_mtime_ns < BEFORE + 10**9 else None
        return cls(
            stat.filemode(st.st_mode),
            0 if stat.S_ISDIR(st.st_mode) else st.st_nlink,
            modified,
            hashlib.sha256(content).hexdigest()[:8],
            attributes_of(path),
        )


def attributes_of(path: str) -> tuple[tuple[str, bytes], ...]:
    """The extended attributes of a user."""
    try:
        names = sorted(os.listxattr(path, follow_symlinks=False))
    except (OSError, AttributeError):
        return ()
    return tuple(
        (name, os.getxattr(path, name, follow_symlinks=False))
        for name in names
        if name.startswith("user.")
    )


@dataclass(frozen=True)
class TreeOutcome:
    """The result of one copy, the folder after it, and who heard of it."""

    #: "dst" for the very object that was given.
    returned: str
    failure: tuple[object, ...]
    #: What shutil.Error holds, as (src, dst, text); a DirEntry is its path, as no caller could
    #: tell them apart by more than their type. In shutil's order.
    errors: tuple[Any, ...]
    tree: dict[str, TreeEntry]
    #: shutil's events, sorted, as many are copied at the same time.
    audited: tuple[tuple[str, ...], ...]
    #: The calls of the ignore function, sorted: the directory, the names, and whether it was made.
    ignored: tuple[tuple[Any, ...], ...]
    #: The order in which the system lists src: only then is the order of errors the same.
    listed: tuple[str, ...] = field(compare=False)


@dataclass(frozen=True)
class Difference:
    """A difference from :func:`shutil.copytree` that is meant."""

    why: str
    of: Callable[[TreeOutcome], TreeOutcome]
    #: False where shutil would never end; then ``of`` gets the folder as it was laid out.
    runs_shutil: bool = True


@dataclass(frozen=True)
class TreeCase:
    """A folder, a call, and perhaps a difference."""

    id: str
    layout: tuple[Step, ...]
    src: Any = "src"
    dst: Any = "dst"
    options: dict[str, Any] = field(default_factory=dict)
    around: Callable[[], AbstractContextManager[object]] = nullcontext
    difference: Optional[Difference] = None


_heard: list[tuple[str, ...]] = []
#: Not empty during a copy: the hook stays for the other tests.
_listening: list[bool] = []
_EVENTS = ("shutil.copytree", "shutil.copyfile", "shutil.copystat", "shutil.copymode")


def _slashes(path: Any) -> str:
    return os.fsdecode(path).replace(os.sep, "/")


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if _listening and event in _EVENTS:
        _heard.append((event, *(_slashes(argument) for argument in arguments[:2])))


getattr(sys, "addaudithook", lambda _: None)(_listen)


def _plain(error: object) -> object:
    """An item of shutil.Error without objects that know their directory."""
    if isinstance(error, tuple):
        return tuple(part.path if isinstance(part, os.DirEntry) else part for part in error)
    return error


def _age() -> None:
    for index, name in enumerate(reversed(names_below("."))):
        ns = BEFORE + index
        with suppress(OSError):  # on Windows, a file that is read only keeps its time
            if os.utime in os.supports_follow_symlinks:
                os.utime(name, ns=(ns, ns), follow_symlinks=False)
            elif not os.path.islink(name):
                os.utime(name, ns=(ns, ns))


def _listed(folder: str) -> tuple[str, ...]:
    found: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found.append(entry.path)
            if entry.is_dir(follow_symlinks=False):
                found += _listed(entry.path)
    return tuple(found)


def outcome(copy: Copier, case: TreeCase) -> TreeOutcome:
    """Lays out the current folder, copies, and looks at everything."""
    ignored: list[tuple[Any, ...]] = []
    options = dict(case.options)
    if "ignore" in options:
        inner = options["ignore"]

        def spy(path: Any, names: list[Any]) -> Any:
            new = _slashes(path).replace("src", "dst", 1)
            ignored.append((path, sorted(names), os.path.lexists(new)))
            return inner(path, names)

        options["ignore"] = spy
    with ExitStack() as stack:
        for step in case.layout:
            step(stack)
        _age()
        listed = _listed("src")
        src, dst = case.src, case.dst
        returned = ""
        failure: tuple[object, ...] = ()
        errors: tuple[object, ...] = ()
        _heard.clear()
        with case.around(), patience():
            _listening.append(True)
            try:
                result = copy(src, dst, **options)
                returned = "dst" if result is dst else repr(result)
            except shutil.Error as error:
                failure = (shutil.Error,)
                errors = tuple(map(_plain, error.args[0]))
            except Exception as error:  # noqa: BLE001
                failure = (type(error), str(error))
            finally:
                _listening.clear()
        # Ours raises all events of a file before it is copied: after a copy that fails, shutil has
        # not come to the metadata.
        failed = {_slashes(error[0]) for error in errors if isinstance(error, tuple)}
        later = ("shutil.copystat", "shutil.copymode")
        audited = tuple(sorted(e for e in _heard if not (e[0] in later and e[1] in failed)))
        tree = {name: TreeEntry.of(name) for name in names_below(".")}
    return TreeOutcome(returned, failure, errors, tree, audited, tuple(sorted(ignored)), listed)


def outcome_in(folder: Path, copy: Copier, case: TreeCase) -> TreeOutcome:
    """Runs a case in a new folder in ``folder``; every name is the same as in all others."""
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


def comparable(ours: TreeOutcome, theirs: TreeOutcome) -> TreeOutcome:
    """Ours, with the errors in the order of theirs if the system lists src in another one."""
    if ours.listed == theirs.listed:
        return ours
    return replace(ours, errors=tuple(sorted(ours.errors, key=theirs.errors.index)))
