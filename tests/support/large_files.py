"""Files of many sizes: content that never repeats, and large files that are cheap to make."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from support.layout import pattern
from support.sizes import GIB, KIB, MIB

if TYPE_CHECKING:
    from pathlib import Path


def noise(size: int, turn: int = 0) -> bytes:
    """Bytes in which no two blocks are the same, and different ones for each ``turn``.

    All are parts of one pattern: an emulated processor takes long to make another.
    """
    return pattern(size + 4099 * turn)[4099 * turn :]


def written_parts(size: int) -> list[tuple[int, bytes]]:
    """The parts of a large file that are no holes: its ends and around every 16th MiB."""
    width = 4 * KIB
    edges = (*range(0, size, 16 * MIB), size)
    found: list[tuple[int, bytes]] = []
    end = 0
    for edge in edges if size < GIB else (0, 16 * MIB, 256 * MIB, 2 * GIB, 4 * GIB, size):
        start, end = max(end, edge - width), min(size, edge + width)
        if start < end:
            found.append((start, noise(end - start, len(found))))
    return found


def make_large(path: Path, size: int) -> None:
    """A file of holes with :func:`written_parts` in it; on the server's disk it costs nothing."""
    with path.open("wb") as new:
        new.truncate(size)
        for offset, data in written_parts(size):
            new.seek(offset)
            new.write(data)


def assert_large(path: Path, size: int) -> None:
    """The file has every one of :func:`written_parts`, and zeros between the first two."""
    assert os.stat(path).st_size == size
    with path.open("rb", buffering=0) as opened:
        for offset, data in written_parts(size):
            opened.seek(offset)
            assert (offset, opened.read(len(data))) == (offset, data)
        opened.seek(8 * KIB)
        assert opened.read(64 * KIB) == bytes(64 * KIB)
