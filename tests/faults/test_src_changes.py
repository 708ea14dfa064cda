"""A src that another program truncates, or writes to, while it is copied."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from faults.mechanisms import MOVING, reaching
from support.interpose import Worker, on_disk, slow
from support.layout import pattern
from support.sizes import KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


def make(path: Path, size: int, step: int) -> None:
    """A file with 64 KiB of data in each ``step`` bytes; without holes if that is as much."""
    with path.open("wb") as new:
        for start in range(0, size, step):
            new.seek(start)
            new.write(pattern(64 * KIB, str(start)))
        new.truncate(size)


@pytest.mark.parametrize("cut", [0, 1000])
@pytest.mark.parametrize("step", [64 * KIB, 128 * KIB], ids=["dense", "sparse"])
@pytest.mark.parametrize("mechanism", MOVING)
def test_cut(worker: Worker, folder: Path, mechanism: str, step: int, cut: int) -> None:
    """Of a src that is truncated dst has no more than what had been copied by then.

    Where a hole seems to reach to the end of src, it may be that src has become shorter.
    """
    make(folder / "src", 4 * MIB, step)
    content = (folder / "src").read_bytes()
    rules = (slow(MOVING[mechanism], 8 * MIB), *reaching(mechanism), *on_disk())
    copied = worker.call(copy_cutting, rules, folder / "src", folder / "dst", cut)
    assert 0 < copied < 4 * MIB
    left = (folder / "dst").read_bytes()
    size = len(left)
    assert size <= copied
    assert content.startswith(left)


@pytest.mark.parametrize("more", [1, 3 * MIB], ids=["a byte", "3 MiB"])
@pytest.mark.parametrize("mechanism", MOVING)
def test_grown(worker: Worker, folder: Path, mechanism: str, more: int) -> None:
    """A src that grows is copied to its new end, as shutil does it."""
    (folder / "src").write_bytes(pattern(4 * MIB))
    rules = (slow(MOVING[mechanism], 16 * MIB), *reaching(mechanism), *on_disk())
    copied = worker.call(copy_growing, rules, folder / "src", folder / "dst", more)
    assert copied == 4 * MIB + more
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


# Below: what runs in the worker.


def copy_growing(src: str, dst: Path, more: int) -> int:
    """A copy whose progress writes ``more`` bytes behind src, once; returns the bytes copied."""
    written: list[int] = []

    def progress(_copied: int, _total: int) -> None:
        if not written:
            with open(src, "ab") as grown:
                written.append(grown.write(pattern(more, "more")))

    return speedcopy.transfer(src, dst, progress=progress).copied


def copy_cutting(src: str, dst: Path, cut: int) -> int:
    """Copies and cuts src at the first sign of progress; returns how much was copied by then."""
    copied: list[int] = []

    def progress(done: int, _total: int) -> None:
        if not copied:
            copied.append(done)
            os.truncate(src, cut)

    speedcopy.transfer(src, dst, progress=progress)
    return copied[0]
