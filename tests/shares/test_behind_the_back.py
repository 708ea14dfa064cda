"""Files that were changed on the server's own disk while the client knew them.

A client caches attributes for a second (SMB) or a minute (the NFS mounts with ``nocto``), and it
closes a file on SMB a second late. A copy that relies on an old size leaves the tail of the old
dst, or truncates the new one.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Callable, NamedTuple

import pytest
from support.lab_mounts import ASKING, MOUNTED, NO_LAB, REMOTE, Share, fresh, on
from support.large_files import noise
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

SMALL, LARGE = 1000, 3 * MIB + 5
TAIL = 70_000

Copy = Callable[..., object]


def grow(path: Path) -> None:
    """Adds bytes at the end."""
    with path.open("ab") as opened:
        opened.write(noise(TAIL, 3))


def shrink(path: Path) -> None:
    """Leaves the first half."""
    os.truncate(path, os.path.getsize(path) // 2)


def empty(path: Path) -> None:
    """Leaves nothing."""
    os.truncate(path, 0)


def replace(path: Path) -> None:
    """Gives the name to another file, which is longer."""
    other = path.with_name("other")
    other.write_bytes(noise(os.path.getsize(path) + TAIL, 4))
    other.rename(path)


CHANGES: dict[str, Callable[[Path], None]] = {
    "grown": grow,
    "shrunk": shrink,
    "emptied": empty,
    "replaced": replace,
    "removed": os.unlink,
}


def looked_at(path: Path) -> None:
    """The client has asked for the attributes."""
    os.stat(path)


def read(path: Path) -> None:
    """The client has read the file."""
    path.read_bytes()


def copied(path: Path) -> None:
    """The client has just copied another file to this one."""
    origin = path.with_name(f"{path.name}-origin")
    path.rename(origin)
    speedcopy.copyfile(origin, path)


def held(path: Path) -> AbstractContextManager[object]:
    """The client has the file open during the copy, for writing, too."""
    return path.open("r+b")


class Case(NamedTuple):
    """A file of one size, and why the client has its attributes cached."""

    size: int
    knows: Callable[[Path], object]
    local: bool = False

    @property
    def label(self) -> str:
        """Its name in a failed assertion."""
        return f"{self.size} {self.knows.__name__}{' from local' if self.local else ''}"

    def make(self, path: Path) -> AbstractContextManager[object]:
        """Makes the file and has the client cache it; the context ends after the copy."""
        path.write_bytes(noise(self.size, 1))
        if self.knows is held:
            return held(path)
        self.knows(path)
        return nullcontext()


CASES = [Case(*pair) for pair in itertools.product((SMALL, MIB), (looked_at, read, copied, held))]
CASES.append(Case(LARGE, copied))
OVER = [*CASES, Case(MIB, read, local=True), Case(MIB, copied, local=True)]

WHOLE = "whole"


@contextmanager
def sources(share: Share) -> Iterator[Callable[[Case], Path]]:
    """A src of each size on the share, and one in memory."""
    with fresh("TMPFS") as memory:
        for folder in (share, memory):
            for size in (SMALL, MIB, LARGE):
                (folder / f"src-{size}").write_bytes(noise(size, 2))
        yield lambda case: (memory if case.local else share) / f"src-{case.size}"


def part_of(share: Share) -> Share:
    """A new folder, whose names the client has never looked up."""
    name = f"part-{len(share.names())}"
    (share / name).mkdir()
    return Share(share.name, share / name, share.disk / name)


def result(call: Callable[[], object], share: Share, *states: bytes) -> str:
    """What the server has as dst after a copy, in a few words; WHOLE if it is one of the states.

    Or if it is what src has become: a CIFS client (6.12) that still has src open for writing gives
    it back the length that it knew, in zeros.
    """
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    if not (share.disk / "dst").exists():
        return "no dst"
    stored = share.stored()
    if (share.disk / "src").exists():
        states = (*states, share.stored("src"))
    return WHOLE if stored in states else f"{len(stored)} bytes"


def over(copy: Copy, src: Path, share: Share, case: Case, change: str) -> str:
    """Makes dst, changes it on the server, and copies over it at once."""
    part = part_of(share)
    with case.make(part / "dst"):
        CHANGES[change](part.disk / "dst")
        return result(lambda: copy(src, part / "dst"), part, noise(case.size, 2))


@on(*REMOTE)
@pytest.mark.parametrize("change", CHANGES)
def test_dst(change: str, share: Share) -> None:
    """The server has all of src and no more, at once; an error is one that shutil meets, too.

    Samba grants no lease on a name while the client has another file of that name open: EINVAL.
    A file that was closed stays open for a second, so shutil is tried on one that is held.
    """
    different = {}
    with sources(share) as src_of:
        for case in OVER:
            ours = over(speedcopy.copyfile, src_of(case), share, case, change)
            if ours != WHOLE:
                same = case._replace(knows=held) if ours in errno.errorcode.values() else case
                theirs = over(shutil.copyfile, src_of(case), share, same, change)
                if ours != theirs:
                    different[case.label] = ours, theirs
    assert not different


@on(*ASKING)
@pytest.mark.parametrize("change", CHANGES)
def test_dst_later(change: str, share: Share) -> None:
    """Once the client has forgotten the attributes, every copy is right."""
    parts = {case: part_of(share) for case in OVER if case.knows is not held}
    found = {}
    with sources(share) as src_of:
        for case, part in parts.items():
            with case.make(part / "dst"):
                CHANGES[change](part.disk / "dst")
        share.forget()
        for case, part in parts.items():
            copy = partial(speedcopy.copyfile, src_of(case), part / "dst")
            found[case.label] = result(copy, part, noise(case.size, 2))
    assert found == dict.fromkeys(found, WHOLE)


def from_changed(copy: Copy, share: Share, case: Case, change: str, *, existed: bool) -> str:
    """Makes src, changes it on the server, and copies it at once."""
    part = part_of(share)
    if existed:
        (part / "dst").write_bytes(noise(case.size, 2))
    with case.make(part / "src"):
        CHANGES[change](part.disk / "src")
        now = part.stored("src")
        # a client that has the old length cached reads zeros at the end, and later writes them
        states = noise(case.size, 1), now, now.ljust(case.size, b"\0")
        return result(lambda: copy(part / "src", part / "dst"), part, *states)


@on(*REMOTE)
@pytest.mark.parametrize("change", ["grown", "shrunk"])
@pytest.mark.parametrize("existed", [False, True], ids=["new", "over"])
def test_src(change: str, share: Share, *, existed: bool) -> None:
    """Dst is src as it was or as it is, or what shutil makes of it in the same state."""
    different = {}
    for case in CASES:
        ours = from_changed(speedcopy.copyfile, share, case, change, existed=existed)
        if ours != WHOLE:
            theirs = from_changed(shutil.copyfile, share, case, change, existed=existed)
            if ours != theirs:
                different[case.label] = ours, theirs
    assert not different
