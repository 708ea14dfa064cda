"""Each kind of file system on its own: clones, holes, blocks, a full disk."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from contract.crossed import STATES
from contract.outcome import BEFORE, Case, Entry, outcome_in
from faults.mechanisms import NOT_SHARING
from support.filesystems import CLONING, KINDS, extents
from support.layout import call, file, make_pair, make_sparse, pattern, sparse
from support.sizes import KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.filesystems import Mounts

BIG = 32 * MIB
OTHERS = [name for name in KINDS if name not in CLONING and name != "host"]


@pytest.fixture
def place(request: pytest.FixtureRequest, mounts: Mounts) -> Iterator[Path]:
    """A fresh folder in the file system that the test is parametrised with."""
    fresh = mounts[request.param] / "place"
    fresh.mkdir()
    yield fresh
    shutil.rmtree(fresh)


def on(*names: str) -> pytest.MarkDecorator:
    """Runs a test on file systems."""
    return pytest.mark.parametrize("place", names, indirect=True)


def without_clones(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by the mechanisms below FICLONE and copy_file_range."""
    speedcopy.transfer(src, dst, reflink="never", **options)
    return dst


TABLE = [
    Case(f"{size} {state}", (file("src", size), *STATES[state](size)))
    for size in (0, 1000, 4096, 4097, 3 * MIB + 5)
    for state in STATES
] + [
    Case(f"holes at {at} {state}", (sparse("src", 3 * MIB + 5, *at), *STATES[state](3 * MIB + 5)))
    for at in ((), (0,), (70_000, 3 * MIB - 1))
    for state in ("new", "over longer")
]


@on(*(name for name in KINDS if name != "host"))
def test_contract(place: Path) -> None:
    """Every size over every dst, with holes and without, has the outcome of shutil."""
    for case in TABLE:
        theirs = outcome_in(place, shutil.copyfile, case)
        assert (case.id, outcome_in(place, speedcopy.copyfile, case)) == (case.id, theirs)
        assert (case.id, outcome_in(place, without_clones, case)) == (case.id, theirs)


@on(*KINDS)
def test_shorter(place: Path) -> None:
    """1000 bytes over 5000 leave 1000, and an empty file leaves none."""
    for size in (1000, 0):
        make_pair(place, size, 5000)
        speedcopy.copyfile(place / "src", place / "dst")
        assert (place / "dst").read_bytes() == pattern(size)


@on(*CLONING)
@pytest.mark.parametrize("reflink", ["auto", "always"])
@pytest.mark.parametrize(
    ("size", "before"),
    [(BIG, None), (BIG + 1, None), (BIG + 1, 0), (BIG + 1, 5 * KIB), (BIG + 1, BIG + 9 * KIB)],
)
def test_clones(place: Path, reflink: Any, size: int, before: int | None) -> None:
    """Where clones are possible they are made, whatever dst was: both share all extents."""
    make_pair(place, size, before)
    told = speedcopy.transfer(place / "src", place / "dst", reflink=reflink)
    assert (told.mechanism, told.copied, told.declined) == ("FICLONE", size, {})
    found = extents(place / "dst")
    assert found == extents(place / "src")
    assert all(extent.shared for extent in found)
    assert (place / "dst").read_bytes() == pattern(size)


@on(*CLONING)
def test_never(place: Path) -> None:
    """``reflink="never"`` shares nothing."""
    (place / "src").write_bytes(pattern(BIG))
    told = speedcopy.transfer(place / "src", place / "dst", reflink="never")
    assert told.mechanism in NOT_SHARING
    assert not any(extent.shared for extent in extents(place / "src") + extents(place / "dst"))
    assert (place / "dst").read_bytes() == pattern(BIG)


@on(*CLONING)
def test_every_byte_is_written(place: Path) -> None:
    """``sparse=False`` shares nothing either: a clone would have the holes of src."""
    make_sparse(place / "src", BIG)
    told = speedcopy.transfer(place / "src", place / "dst", sparse=False)
    assert told.mechanism in NOT_SHARING
    assert (place / "dst").read_bytes() == bytes(BIG)
    assert os.stat(place / "dst").st_blocks * 512 >= BIG


@on(*CLONING)
@pytest.mark.parametrize("before", [None, 0, 5000])
def test_clone_of_nothing(place: Path, before: int | None) -> None:
    """An empty file can be cloned too."""
    make_pair(place, 0, before)
    speedcopy.transfer(place / "src", place / "dst", reflink="always")
    assert (place / "dst").read_bytes() == b""


def refuse_clone(src: Path, dst: Path) -> None:
    """Asks for an impossible clone: the error has both names, and dst is untouched."""
    if dst.exists():
        os.utime(dst, (BEFORE, BEFORE))
    before = Entry.of(os.fspath(dst)) if dst.exists() else None
    with pytest.raises(OSError, match=r"src.*dst") as refused:
        speedcopy.transfer(src, dst, reflink="always")
    told = refused.value
    assert (told.errno, told.filename, told.filename2) == (errno.EOPNOTSUPP, str(src), str(dst))
    assert src.stat().st_size == 0 or isinstance(told.__cause__, OSError)
    assert (Entry.of(os.fspath(dst)) if dst.exists() else None) == before


@on(*OTHERS)
@pytest.mark.parametrize("size", [0, 1000, 3 * MIB])
@pytest.mark.parametrize("before", [None, 0, 5000])
def test_no_clone(place: Path, size: int, before: int | None) -> None:
    """Where none is possible, ``reflink="always"`` leaves no new file and an old one as it was."""
    make_pair(place, size, before)
    refuse_clone(place / "src", place / "dst")


@on("btrfs")
@pytest.mark.parametrize("special", ["src", "dst"])
@pytest.mark.parametrize("before", [0, 1000, 3 * MIB + 4, 5 * MIB])
def test_nodatacow(place: Path, special: str, before: int) -> None:
    """A file that is not copied on write and one that is cannot share; they are copied."""
    (place / special).write_bytes(b"")
    call("attribute C", "chattr", "+C", str(place / special))
    for name, size in (("src", 3 * MIB + 4), ("dst", before)):
        with (place / name).open("ab") as opened:
            opened.write(pattern(size, name))
    refuse_clone(place / "src", place / "dst")
    told = speedcopy.transfer(place / "src", place / "dst")
    assert told.declined["FICLONE"] == "EINVAL"
    assert (place / "dst").read_bytes() == pattern(3 * MIB + 4)


@on(*(name for name, kind in KINDS.items() if kind.holes))
@pytest.mark.parametrize("before", [None, 9 * MIB])
def test_holes(place: Path, before: int | None) -> None:
    """Holes stay holes, over old data too; with ``sparse=False`` they are written."""
    size = 8 * MIB
    make_sparse(place / "src", size, 5 * MIB)
    if os.stat(place / "src").st_blocks * 512 >= size:
        pytest.skip("no holes here")
    for keep in (True, False):
        dst = place / f"dst{keep}"
        if before:
            dst.write_bytes(pattern(before, "dst"))
        speedcopy.transfer(place / "src", dst, reflink="never", sparse=keep)
        assert dst.read_bytes() == (place / "src").read_bytes()
        assert (os.stat(dst).st_blocks * 512 < size / 4) == keep


@on("overlay")
def test_no_holes_through_an_overlay(place: Path) -> None:
    """On an overlay holes cannot be trusted, so all of src is read and written."""
    make_sparse(place / "src", MIB)
    speedcopy.transfer(place / "src", place / "dst", reflink="never")
    assert (place / "dst").read_bytes() == bytes(MIB)
    assert os.stat(place / "dst").st_blocks * 512 >= MIB


@on("ext4 of 1 KiB blocks", "tmpfs", "xfs")
@pytest.mark.parametrize("before", [None, 4 * MIB])
def test_full(place: Path, before: int | None) -> None:
    """The error of a full disk has both names. A new dst is removed; an old one begins like src."""
    free = shutil.disk_usage(place).free
    make_pair(place, BIG, before)
    with (place / "filler").open("wb") as filler:
        os.posix_fallocate(filler.fileno(), 0, free - BIG - 12 * MIB)
    with pytest.raises(OSError, match=r"src.*dst") as full:
        speedcopy.transfer(place / "src", place / "dst", reflink="never")
    assert full.value.errno == errno.ENOSPC
    left = (place / "dst").read_bytes() if (place / "dst").exists() else None
    assert (left is None) == (before is None)
    assert not left or pattern(BIG).startswith(left)
