"""What FreeBSD has otherwise than Darwin: its numbers, its struct stat, copy_file_range.

The numbers are those of FreeBSD 14 in sys/sys: errno, fcntl, stat, unistd, _clock_id.
"""

from __future__ import annotations

import os
import posix
import struct
from typing import TYPE_CHECKING

from machines import darwin
from machines.libsystem import DarwinError, model

if TYPE_CHECKING:
    from machines.libsystem import System

#: A struct stat has 224 bytes, of which the last 72 have no meaning.
STAT = struct.Struct("<QQQHhIIiQ16s16s16s16sqqiIQQ")


def stat_of(st: os.stat_result, flags: int, born: int) -> bytes:
    """A struct stat."""
    times = (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, born)
    packed = STAT.pack(
        *(st.st_dev, st.st_ino, st.st_nlink, st.st_mode, 0, st.st_uid, st.st_gid, 0, st.st_rdev),
        *map(darwin.timespec, times),
        *(st.st_size, st.st_blocks, st.st_blksize, flags, 0, 0),
    )
    return packed + darwin.UNDEFINED * (224 - len(packed))


NUMBERS = {
    "ERRNOS": {
        **darwin.ERRNOS,
        "ECANCELED": 85,
        "EILSEQ": 86,
        "ENOATTR": 87,
        "EOPNOTSUPP": 45,
        "ENOTSUP": 45,
    },
    "ENOATTR": 87,
    "OPEN_FLAGS": {
        0x1: os.O_WRONLY,
        0x2: os.O_RDWR,
        0x4: os.O_NONBLOCK,
        0x8: os.O_APPEND,
        0x100: os.O_NOFOLLOW,
        0x200: os.O_CREAT,
        0x400: os.O_TRUNC,
        0x800: os.O_EXCL,
        0x8000: os.O_NOCTTY,
        0x20000: os.O_DIRECTORY,
        0x100000: os.O_CLOEXEC,
        0x400000: os.O_PATH,
    },
    "O_CLOEXEC": 0x100000,
    "AT_FDCWD": -100,
    "AT_SYMLINK_NOFOLLOW": 0x200,
    "WHENCE": {0: os.SEEK_SET, 1: os.SEEK_CUR, 2: os.SEEK_END, 3: os.SEEK_DATA, 4: os.SEEK_HOLE},
    "CLOCK_MONOTONIC": 4,
    "stat_of": stat_of,
}


@model(
    "copy_file_range",
    "int address int address size int",
    "FreeBSD: sys/kern/vfs_syscalls.c, kern_copy_file_range",
    sized=4,
)
def _copy_file_range(
    system: System, src: int, src_offset: int, dst: int, dst_offset: int, size: int, flags: int
) -> int:
    """Where no file system copies by itself: vn_generic_copy_file_range."""
    if flags or src_offset or dst_offset:
        raise DarwinError(darwin.EINVAL)
    data = posix.read(system.host_fd(src), min(size, 1 << 20))
    written = 0
    try:
        written = posix.write(system.host_fd(dst), data)
    finally:
        posix.lseek(src, written - len(data), os.SEEK_CUR)
    return written
