"""copy() and copy2() beside shutil's, each in a folder of its own."""

from __future__ import annotations

import errno
import inspect
import os
import shutil
import struct
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any

import pytest
from contract.outcome import Case
from metadata.outcomes import mode, outcome_in, owner, times, xattr, xattrs_of
from support.layout import directory, fifo, file, symlink
from support.process_limits import NOBODY, umask, unprivileged

import speedcopy
from speedcopy import _copy2

if TYPE_CHECKING:
    from collections.abc import Iterator

    from metadata.outcomes import Copy

STDLIB: dict[str, Copy] = {"copy": shutil.copy, "copy2": shutil.copy2}
OURS: dict[str, Copy] = {"copy": _copy2.copy, "copy2": _copy2.copy2}

SECOND = 10**9

#: The attribute that holds an ACL: the owner, user 1, the group, the mask, the others.
ACL = struct.pack(
    "<I" + "HHI" * 5,
    *(2, 1, 6, 0xFFFFFFFF, 2, 4, 1, 4, 4, 0xFFFFFFFF, 16, 4, 0xFFFFFFFF, 32, 0, 0xFFFFFFFF),
)

STATES = {
    "new": (),
    "over 600": (file("dst", 20, 0o600),),
    "over 6777": (file("dst", 20, 0o6777),),
}


def modes() -> Iterator[Case]:
    """Modes over whatever dst was."""
    for bits in (0o644, 0o600, 0o400, 0o444, 0, 0o755, 0o4755, 0o2755, 0o1644, 0o6711, 0o777):
        for state, before in STATES.items():
            for size in (0, 9):
                layout = (file("src", size, bits), *before)
                yield Case(f"mode {bits:o} {state} {size}", layout)
    for mask in (0, 0o77, 0o277):
        yield Case(f"umask {mask:o}", (file("src", 9, 0o664),), around=partial(umask, mask))


def stamps() -> Iterator[Case]:
    """Times, of which some precede 1970 and some have nanoseconds."""
    for modified in (0, 1, -1, 1_234_567_890_123_456_789, -1_000_000_001, -300_000_000 * SECOND):
        yield Case(f"time {modified}", (file("src"), times("src", modified)))
    for state, before in STATES.items():
        yield Case(f"time {state}", (file("src"), times("src", 5 * SECOND), *before))


def attributes() -> Iterator[Case]:
    """Extended attributes, also where the mode would refuse them."""
    many = tuple(xattr("src", f"user.{letter * 60}", b"v") for letter in ascii_lowercase[:22])
    for title, steps in {
        "one": (xattr("src", "user.one"),),
        "empty": (xattr("src", "user.empty", b""),),
        "long": (xattr("src", "user.long", bytes(range(256)) * 9),),
        "some": (xattr("src", "user.one"), xattr("src", "user.two", b"\0")),
        "many": many,
        "over one": (xattr("src", "user.one"), file("dst"), xattr("dst", "user.one", b"old")),
        "over another": (xattr("src", "user.one"), file("dst"), xattr("dst", "user.two")),
        "read-only src": (xattr("src", "user.one"), mode("src", 0o444)),
        "security": (xattr("src", "security.speedcopy"),),
        "trusted": (xattr("src", "trusted.speedcopy"),),
        "ACL": (xattr("src", "system.posix_acl_access", ACL),),
        "ACL over 600": (xattr("src", "system.posix_acl_access", ACL), file("dst", 9, 0o600)),
    }.items():
        yield Case(f"xattrs {title}", (file("src"), *steps))
    theirs = (file("src"), xattr("src", "user.one"), xattr("src", "trusted.x"), mode("src", 0o444))
    yield Case("xattrs as nobody", theirs, around=unprivileged)


def names() -> Iterator[Case]:
    """What src and dst may be."""
    src = (file("src", 9, 0o640), times("src", 5 * SECOND))
    for dst in ("there", "there/", Path("there"), b"there"):
        given = b"src" if isinstance(dst, bytes) else "src"
        yield Case(f"into {dst!r}", (*src, directory("there")), given, dst)
    yield Case("into a directory, over", (*src, directory("there"), file("there/src")), dst="there")
    yield Case("paths", src, Path("src"), Path("dst"))
    yield Case("bytes", src, b"src", b"dst")
    yield Case("over a link", (*src, file("f"), symlink("dst", "f")))
    yield Case("over a dangling link", (*src, symlink("dst", "f")))
    for follow in (True, False):
        link = (file("f", 9, 0o640), times("f", 5 * SECOND), symlink("src", "f"))
        yield Case(f"link {follow}", link, follow_symlinks=follow)
        yield Case(
            f"link {follow} to a directory", (*link, directory("there")), "src", "there", follow
        )
        yield Case(f"link {follow} over", (*link, file("dst")), follow_symlinks=follow)
        yield Case(f"dangling {follow}", (symlink("src", "f"),), follow_symlinks=follow)
        yield Case(f"file {follow}", src, follow_symlinks=follow)


def refusals() -> Iterator[Case]:
    """What neither copies, or not all of it."""
    src = (file("src", 9, 0o640), times("src", 5 * SECOND))
    yield Case("missing", ())
    yield Case("missing directory", src, dst="there/dst")
    yield Case("same", src, dst="./src")
    yield Case("src is a directory", (directory("src"),))
    yield Case("src is a FIFO", (fifo("src"),))
    yield Case("dst is a FIFO", (*src, fifo("dst")))
    yield Case("a NUL", src, dst="d\0st")
    yield Case("no path", src, dst=None)
    readable = (*src, mode("src", 0o644))
    foreign = (*readable, file("dst", 20, 0o666), owner("dst", NOBODY + 1))
    for title, layout in {
        "read-only dst": (*readable, file("dst", 20, 0o444)),
        "somebody's dst": foreign,
        "somebody's dst, with xattrs": (*foreign, xattr("src", "user.one")),
        "own dst": (*src, mode("src", 0o444), file("dst"), owner("dst", NOBODY)),
    }.items():
        yield Case(title, layout, around=unprivileged)
        yield Case(f"{title}, paths", layout, Path("src"), Path("dst"), around=unprivileged)


CASES = [*modes(), *stamps(), *attributes(), *names(), *refusals()]


def switched_off(copy: Copy) -> Copy:
    """The same, by the standard library."""

    def copy_without(src: Any, dst: Any, **options: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
            return copy(src, dst, **options)

    return copy_without


@pytest.mark.parametrize("name", STDLIB)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(name: str, case: Case, folder: Path) -> None:
    """Same result, same files and metadata, same error, same audit events."""
    theirs = outcome_in(folder, STDLIB[name], case)
    assert outcome_in(folder, OURS[name], case) == theirs
    assert outcome_in(folder, switched_off(OURS[name]), case) == theirs


def test_access_time(folder: Path) -> None:
    """``dst`` gets the time at which ``src`` had been read last before this copy."""
    src, dst = folder / "src", folder / "dst"
    src.write_bytes(b"data")
    os.utime(src, ns=(5 * SECOND + 1, 7 * SECOND))
    if os.stat(src).st_atime_ns != 5 * SECOND + 1:
        pytest.skip("no such times here")
    _copy2.copy2(src, dst)
    assert (dst.stat().st_atime_ns, dst.stat().st_mtime_ns) == (5 * SECOND + 1, 7 * SECOND)


@pytest.mark.parametrize("name", STDLIB)
def test_signature(name: str) -> None:
    """First shutil's parameters, same names, kinds and defaults; what we add is keyword-only."""
    theirs = list(inspect.signature(STDLIB[name]).parameters.values())
    mine = list(inspect.signature(OURS[name]).parameters.values())
    for one, other in zip(mine, theirs):
        assert (one.name, one.kind, one.default) == (other.name, other.kind, other.default)
    added = mine[len(theirs) :]
    assert all(one.kind is one.KEYWORD_ONLY and one.default is not one.empty for one in added)


@pytest.mark.parametrize("metadata", [None, "mode", "all", 1])
def test_wrong_metadata(metadata: Any, folder: Path) -> None:
    """copy2 always copies metadata, in one way or the other."""
    with pytest.raises(ValueError, match="metadata"):
        _copy2.copy2(folder / "src", folder / "dst", metadata=metadata)


@pytest.mark.parametrize("name", STDLIB)
def test_progress(name: str, folder: Path) -> None:
    """The callback is called at the end, with all bytes."""
    (folder / "src").write_bytes(b"data")
    calls: list[tuple[int, int]] = []
    OURS[name](folder / "src", folder / "dst", progress=lambda *told: calls.append(told))
    assert calls == [(4, 4)]


@pytest.mark.parametrize("function", ["utime", "listxattr", "chmod"])
def test_stand_ins(function: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test has put in the place of a function of os is called."""
    if not hasattr(os, function):
        pytest.skip(f"no os.{function} here")
    called: list[str] = []

    def stand_in(*_: object, **__: object) -> list[str]:
        called.append(function)
        return []

    monkeypatch.setattr(os, function, stand_in)
    (folder / "src").write_bytes(b"data")
    _copy2.copy2(folder / "src", folder / "dst")
    assert called


@pytest.mark.parametrize(
    ("function", "attribute"), [("utime", "times"), ("setxattr", "xattrs"), ("chmod", "mode")]
)
def test_best_effort_without_native(
    function: str, attribute: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The standard library's copies are best-effort, too."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    src, dst = folder / "src", folder / "dst"
    src.write_bytes(b"data")
    src.chmod(0o750)
    os.utime(src, ns=(SECOND, SECOND))
    with ExitStack() as stack:
        xattr(str(src), "user.one")(stack)
    monkeypatch.setattr(os, function, refuse)
    refused = speedcopy.transfer(src, dst, metadata="best-effort").refused
    assert refused == {attribute: "EIO"}
    assert dst.read_bytes() == b"data"
    st = dst.stat()
    copied = {
        "times": st.st_mtime_ns == SECOND,
        "xattrs": "user.one" in xattrs_of(str(dst)),
        "mode": st.st_mode & 0o777 == 0o750,
    }
    assert [name for name, done in copied.items() if not done] == [attribute]


@pytest.mark.parametrize("disabled", [False, True], ids=["native", "without native"])
@pytest.mark.parametrize("how", ["copy2", "transfer", "copytree"])
def test_times(how: str, disabled: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times and mode alone: no extended attribute is looked up."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", disabled)
    src, dst = folder / "src" / "file", folder / "dst" / "file"
    src.parent.mkdir()
    src.write_bytes(b"data")
    with ExitStack() as stack:
        xattr(str(src), "user.one")(stack)
    src.chmod(0o750)
    os.utime(src, ns=(SECOND, SECOND))
    if how == "copytree":
        speedcopy.copytree(src.parent, dst.parent, metadata="times")
    else:
        dst.parent.mkdir()
        getattr(speedcopy, how)(src, dst, metadata="times")
    st = dst.stat()
    assert (st.st_mtime_ns, st.st_mode & 0o777) == (SECOND, 0o750)
    assert dst.read_bytes() == b"data"
    assert xattrs_of(str(dst)) == {}
