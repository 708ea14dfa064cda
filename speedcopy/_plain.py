"""Copies by read and write, as the standard library does.

The caller has raised the audit event of ``shutil.copyfile`` before.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from typing import TYPE_CHECKING, Optional

from speedcopy import _errors

if TYPE_CHECKING:
    from io import FileIO
    from typing import Union

    from speedcopy._types import Path, Progress

SMALLEST_BUFFER = 1 << 16
LARGEST_BUFFER = 1 << 20
TICK = 0.05


class _Tick:
    """Calls ``progress`` when it is due, and keeps the exception that it raised."""

    def __init__(self, progress: Optional[Progress]) -> None:
        self.raised: Optional[BaseException] = None
        self._progress = progress
        self._next = time.perf_counter() + TICK

    def __call__(self, copied: int, total: int, *, at_the_end: bool = False) -> None:
        if self._progress is None or not (at_the_end or time.perf_counter() >= self._next):
            return
        try:
            self._progress(copied, total)
        except BaseException as error:
            self.raised = error
            raise
        self._next = time.perf_counter() + TICK


class _Opener:
    """Opens dst as ``open(dst, "wb")`` does, and records whether dst was created."""

    def __init__(self, mode: int) -> None:
        self._mode = mode
        self._created: Optional[os.stat_result] = None

    def __call__(self, path: Union[str, bytes], flags: int) -> int:
        try:
            fd = os.open(path, flags | os.O_EXCL, self._mode)
        except OSError as error:
            if error.filename != path:  # from a signal handler
                raise
            # An existing file, link, device or pipe is opened without O_EXCL.
            return os.open(path, flags, self._mode)
        try:
            self._created = os.fstat(fd)
        except OSError:
            pass  # undo() will not remove a file that cannot be compared
        except BaseException:
            os.close(fd)
            raise
        return fd

    def undo(self, dst: Path) -> None:
        """Removes dst if it is known to be the file that was created."""
        created = self._created
        if created is None or not (created.st_ino and stat.S_ISREG(created.st_mode)):
            return
        with contextlib.suppress(OSError):
            # lstat: on Windows, opening a dangling link creates its target, and dst is the link.
            if os.path.samestat(os.lstat(dst), created):
                os.unlink(dst)


def copy(
    src: Path, dst: Path, progress: Optional[Progress], code: int, *, mode: int = 0o666
) -> int:
    """Copies by read and write. Returns the bytes copied.

    ``code`` is the Win32 code for which the native layer left the copy to Python, or 0. Raises
    what :func:`shutil.copyfile` raises, with ``code`` if both have the same errno. A
    new dst is created with ``mode``.
    """
    _guard(src, dst)
    tick = _Tick(progress)
    try:
        return _read_and_write(src, dst, tick, mode)
    except OSError as error:
        if error is tick.raised:
            raise
        if isinstance(error, IsADirectoryError):
            _errors.raise_opening(error, dst)
        told = _errors.with_code(error, code, src, dst)
    try:
        raise told
    finally:
        del told


def _stat(path: Path) -> Optional[os.stat_result]:
    try:
        return os.stat(path)
    except OSError:
        return None


def _guard(src: Path, dst: Path) -> None:
    """Raises for the files that shutil refuses."""
    src_st, dst_st = _stat(src), _stat(dst)
    if src_st and dst_st and os.path.samestat(src_st, dst_st):
        raise _errors.same_file(src, dst)
    for st, path in ((src_st, src), (dst_st, dst)):
        if st and stat.S_ISFIFO(st.st_mode):
            raise _errors.special_file(path, "named pipe")


def _size_of(descriptor: int) -> int:
    """The size in bytes, or 0 if unknown: the standard library copies nevertheless."""
    try:
        return os.fstat(descriptor).st_size
    except OSError as error:
        if error.errno is None:  # from a signal handler
            raise
        return 0


def _fill(buffer: memoryview, reader: FileIO) -> int:
    """Reads into ``buffer``. Returns the number of bytes, 0 at the end."""
    got = reader.readinto(buffer)
    if got is None:  # no data yet; the end would be 0
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return got


def _read_and_write(src: Path, dst: Path, tick: _Tick, mode: int) -> int:
    with open(src, "rb", buffering=0) as reader:
        total, copied = _size_of(reader.fileno()), 0
        buffer = memoryview(bytearray(min(max(total, SMALLEST_BUFFER), LARGEST_BUFFER)))
        opener = _Opener(mode)
        try:
            with open(dst, "wb", opener=opener) as writer:
                while got := _fill(buffer, reader):
                    copied += writer.write(buffer[:got])
                    tick(copied, max(copied, total))
            tick(copied, copied, at_the_end=True)
        except BaseException:
            opener.undo(dst)
            raise
    return copied
