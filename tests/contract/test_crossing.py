"""Copies from one file system to another, from a read-only one, and of block devices."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import ExitStack
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from support.failure import Failure
from support.filesystems import KINDS, Mounts, loop_device, run
from support.layout import make_dst, make_sparse, pattern
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZE = 3 * MIB + 5


@pytest.fixture
def places(request: pytest.FixtureRequest, mounts: Mounts) -> Iterator[tuple[Path, Path]]:
    """Fresh folders in two file systems."""
    made = [mounts[name] / "crossing" for name in request.param]
    for fresh in made:
        fresh.mkdir()
    yield made[0], made[1]
    for fresh in made:
        shutil.rmtree(fresh)


across = pytest.mark.parametrize(
    "places",
    list(permutations(KINDS, 2)),
    ids=lambda names: f"{names[0]} to {names[1]}",
    indirect=True,
)


@across
def test_copy(places: tuple[Path, Path]) -> None:
    """New, over longer, over shorter and empty; a clone is refused and nothing happens."""
    src, dst = places[0] / "src", places[1] / "dst"
    for size, before in ((SIZE, None), (SIZE, SIZE + 5000), (SIZE, 5), (0, 5000), (1000, 5000)):
        src.write_bytes(pattern(size))
        make_dst(places[1], before)
        with pytest.raises(OSError, match=r"src.*dst") as refused:
            speedcopy.transfer(src, dst, reflink="always")
        assert refused.value.errno == errno.EOPNOTSUPP
        assert dst.exists() == (before is not None)
        assert before is None or dst.read_bytes() == pattern(before, "dst")
        told = speedcopy.transfer(src, dst)
        assert told.copied == size
        assert told.mechanism != "FICLONE"
        assert dst.read_bytes() == pattern(size)
        assert src.read_bytes() == pattern(size)


@across
def test_holes(places: tuple[Path, Path]) -> None:
    """Holes are zeros everywhere, whether dst can keep them or not."""
    src, dst = places[0] / "src", places[1] / "dst"
    make_sparse(src, SIZE, MIB)
    dst.write_bytes(pattern(SIZE + 1, "dst"))
    speedcopy.copyfile(src, dst)
    assert dst.read_bytes() == src.read_bytes()


@pytest.mark.parametrize("places", [("host", "tmpfs"), ("tmpfs", "host")], indirect=True)
def test_move(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A patched shutil.move to another file system copies by ours, and removes src."""
    logged: list[Any] = []
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
    monkeypatch.setattr("speedcopy._report.log", lambda *told: logged.append(told))
    (places[0] / "sub").mkdir()
    (places[0] / "sub" / "file").write_bytes(pattern(SIZE))
    with speedcopy.patched_copyfile():
        shutil.move(str(places[0] / "sub"), str(places[1] / "moved"))
    assert len(logged) == 1
    assert not (places[0] / "sub").exists()
    assert (places[1] / "moved" / "file").read_bytes() == pattern(SIZE)


def test_read_only(mounts: Mounts) -> None:
    """A read-only file system is read from, and writing raises what shutil raises."""
    place = mounts["xfs without reflink"]
    (place / "src").write_bytes(pattern(9))
    (place / "old").write_bytes(pattern(5, "old"))
    with ExitStack() as stack:
        run("mount", "-o", "remount,ro", str(place))
        stack.callback(run, "mount", "-o", "remount,rw", str(place))
        for dst in (place / "new", place / "old"):
            with pytest.raises(OSError, match="Read-only") as ours:
                speedcopy.copyfile(place / "src", dst)
            with pytest.raises(OSError, match="Read-only") as theirs:
                shutil.copyfile(place / "src", dst)
            assert Failure.of(ours.value) == Failure.of(theirs.value)
        copied = mounts["host"] / "copied"
        speedcopy.copyfile(place / "src", copied)
        assert copied.read_bytes() == pattern(9)


def test_block_device(folder: Path) -> None:
    """A block device is read to its end, and written from its beginning, by its name or a link."""
    image, size = folder / "image", 2 * MIB
    image.write_bytes(pattern(size, "image"))
    with ExitStack() as stack:
        device = loop_device(image, stack)
        told = speedcopy.transfer(device, folder / "dst")
        assert (told.mechanism, told.copied) == ("read/write", size)
        assert (folder / "dst").read_bytes() == pattern(size, "image")
        (folder / "src").write_bytes(pattern(size - 4096))
        os.symlink(device, folder / "link")
        assert speedcopy.copyfile(folder / "src", folder / "link") == folder / "link"
        with pytest.raises(shutil.SameFileError):
            speedcopy.copyfile(device, folder / "link")
    assert image.read_bytes() == pattern(size - 4096) + pattern(size, "image")[-4096:]
