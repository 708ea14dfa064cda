"""A disk that logs what is written to it, and what a power cut leaves of it.

The disk is an image file behind a FUSE server of our own, with a loop device on top. The server
appends each write and each flush to a log before it answers. So each prefix of the log is what a
disk without a cache has after a power cut. A disk with a cache may also lack some of what was
written after the last flush.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple, Optional

from support import fuse_wire as wire
from support.filesystems import unmount
from support.fuse_server import READY, Server, mounted_device, server_process, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from random import Random

#: What the log has before the data of a write: where it goes to, and its length.
RECORD = Struct("=QI")
FLUSH = RECORD.pack(2**64 - 1, 0)

#: What is longer is logged as several writes, each of which can be lost.
LONGEST = 64 << 10

FILE_ID, NAME = 2, "image"
SECONDS = 3600


class ImageServer(Server):
    """One file in a folder, which is an image. It has no cache, but what the kernel keeps of it."""

    def __init__(self, device: int, image: int, log: int) -> None:
        """``device`` is where the kernel asks; the others are open files."""
        super().__init__(device)
        self._image, self._log = image, log

    def _attributes(self, nodeid: int) -> bytes:
        folder = nodeid == wire.ROOT_ID
        st = os.stat("/" if folder else self._image)
        return wire.attributes(st, 0 if folder else st.st_size)

    # What follows are the operations, each by its name: of a node and a body the answer's body.

    def _init(self, _nodeid: int, body: bytes) -> bytes:
        return wire.init_out(body, 0)

    def _lookup(self, _nodeid: int, _body: bytes) -> bytes:
        return wire.ENTRY.pack(FILE_ID, 0, SECONDS, SECONDS, 0, 0) + self._attributes(FILE_ID)

    def _getattr(self, nodeid: int, _body: bytes) -> bytes:
        return wire.ATTR_OUT.pack(SECONDS, 0, 0) + self._attributes(nodeid)

    def _open(self, _nodeid: int, _body: bytes) -> bytes:
        """There is one file only, so it needs no handle."""
        return wire.OPEN_OUT.pack(0, 0, 0)

    def _release(self, _nodeid: int, _body: bytes) -> bytes:
        return b""

    def _read(self, _nodeid: int, body: bytes) -> bytes:
        _, offset, length, *_ = wire.READ_OR_WRITE.unpack_from(body)
        return os.pread(self._image, length, offset)

    def _write(self, _nodeid: int, body: bytes) -> bytes:
        """Logged before it is done, and done before it is answered."""
        _, offset, length, *_ = wire.READ_OR_WRITE.unpack_from(body)
        data = memoryview(body)[wire.READ_OR_WRITE.size :][:length]
        for start in range(0, length, LONGEST):
            part = data[start : start + LONGEST]
            os.writev(self._log, [RECORD.pack(offset + start, len(part)), part])
        os.pwrite(self._image, data, offset)
        return wire.WRITE_OUT.pack(length, 0)

    def _fsync(self, _nodeid: int, _body: bytes) -> bytes:
        """What the loop device makes of a flush."""
        os.write(self._log, FLUSH)
        return b""


class Disk(NamedTuple):
    """A disk that is being logged: ``device`` can be mounted with ``-o loop``."""

    device: Path
    log: Path

    def position(self) -> int:
        """The length of the log now."""
        return self.log.stat().st_size


@contextmanager
def logged(image: Path, folder: Path) -> Iterator[Disk]:
    """Serves ``image`` for a ``with`` block, in a process of its own.

    That process ends with the block or with this process, whichever comes first.

    Raises UnavailableError.
    """
    served, log = folder / "served", folder / "log"
    served.mkdir(exist_ok=True)
    log.write_bytes(b"")
    with server_process("faults.logged_disk", image, served, log):
        try:
            yield Disk(served / NAME, log)
        finally:
            unmount(served)


class Record(NamedTuple):
    """What the disk was asked to do: ``data_at`` is where the log has the data of a write."""

    offset: int
    length: int
    data_at: int

    @property
    def is_flush(self) -> bool:
        """Says whether all before it is on the disk now."""
        return self.length == 0


def records(log: Path) -> list[Record]:
    """Reads a log."""
    found, position = [], 0
    with log.open("rb") as opened:
        while header := opened.read(RECORD.size):
            offset, length = RECORD.unpack(header)
            position += RECORD.size
            found.append(Record(offset, length, position))
            position = opened.seek(length, os.SEEK_CUR)
    return found


def duplicate(image: Path, path: Path) -> None:
    """Makes ``path`` a copy that takes no more room."""
    with image.open("rb") as src, path.open("wb") as dst:
        size, end = os.fstat(src.fileno()).st_size, 0
        dst.truncate(size)
        while end < size:
            try:
                start = os.lseek(src.fileno(), end, os.SEEK_DATA)
            except OSError:  # only a hole is left
                return
            end = os.lseek(src.fileno(), start, os.SEEK_HOLE)
            while start < end:
                start += os.copy_file_range(src.fileno(), dst.fileno(), end - start, start, start)


class Replay:
    """The states of a disk, from the image before the log on; asked for in ascending order."""

    def __init__(self, before: Path, log: Path) -> None:
        """Takes ``before`` along through the log, so it is changed."""
        self.records = records(log)
        self._before = before
        self._image = os.open(before, os.O_RDWR | os.O_CLOEXEC)
        self._log = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        self._done = 0

    def close(self) -> None:
        """Closes the files."""
        os.close(self._image)
        os.close(self._log)

    def count(self, position: int) -> int:
        """How many records the log had when it was ``position`` bytes long."""
        return sum(record.data_at + record.length <= position for record in self.records)

    def _apply(self, fd: int, chosen: list[Record]) -> None:
        for record in chosen:
            data = os.pread(self._log, record.length, record.data_at)
            os.pwrite(fd, data, record.offset)

    def cut(self, count: int, path: Path, lose: Optional[Random] = None) -> None:
        """Writes to ``path`` the disk after ``count`` records.

        With ``lose``, each write since the last flush is there or not, by chance.
        """
        flushed = max(
            (index + 1 for index in range(count) if self.records[index].is_flush), default=0
        )
        self._apply(self._image, [r for r in self.records[self._done : flushed] if r.length])
        self._done = max(self._done, flushed)
        later = [record for record in self.records[flushed:count] if record.length]
        if lose:
            later = [record for record in later if lose.random() < 0.5]
        duplicate(self._before, path)
        with path.open("r+b") as image:
            self._apply(image.fileno(), later)


def main(parent: str, image: str, folder: str, log: str) -> None:
    """Mounts, says so on stdout, and serves until somebody unmounts."""
    server = ImageServer(
        mounted_device(parent, folder),
        os.open(image, os.O_RDWR | os.O_CLOEXEC),
        os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC),
    )
    tell(READY)
    with suppress(OSError):  # ENODEV
        while True:
            server.answer()


if __name__ == "__main__":
    main(*sys.argv[1:])
