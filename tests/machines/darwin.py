"""The numbers and structures of Darwin, and what this machine calls the same."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: bsd/sys/errno.h of xnu; the first 34 are the same everywhere.
ERRNOS = {
    **{errno.errorcode[code]: code for code in range(1, 35) if code != errno.EAGAIN},
    "EDEADLK": 11,
    "EAGAIN": 35,
    "ENOTSOCK": 38,
    "ENOTSUP": 45,
    "ETIMEDOUT": 60,
    "ELOOP": 62,
    "ENAMETOOLONG": 63,
    "ENOTEMPTY": 66,
    "EDQUOT": 69,
    "ESTALE": 70,
    "ENOLCK": 77,
    "ENOSYS": 78,
    "EOVERFLOW": 84,
    "ECANCELED": 89,
    "EILSEQ": 92,
    "ENOATTR": 93,
    "ENODATA": 96,
    "EOPNOTSUPP": 102,
}
NAMES = {code: name for name, code in ERRNOS.items()}

EPERM, EBADF, ENOMEM, EXDEV, EINVAL, ERANGE = (
    *(ERRNOS["EPERM"], ERRNOS["EBADF"], ERRNOS["ENOMEM"]),
    *(ERRNOS["EXDEV"], ERRNOS["EINVAL"], ERRNOS["ERANGE"]),
)
ENOTSUP, ENOATTR = ERRNOS["ENOTSUP"], ERRNOS["ENOATTR"]

#: What only Darwin has, under the name that this system has for it.
OTHER_NAMES = {"ENOATTR": "ENODATA"}


def of_host(code: int) -> int:
    """Darwin's number for an errno of this system."""
    return ERRNOS["ENOTSUP" if code == errno.ENOTSUP else errno.errorcode[code]]


def to_host(code: int) -> int:
    """This system's number for an errno of Darwin."""
    name = NAMES[code]
    number: int = getattr(errno, OTHER_NAMES.get(name, name))
    return number


#: bsd/sys/fcntl.h
OPEN_FLAGS = {
    0x1: os.O_WRONLY,
    0x2: os.O_RDWR,
    0x4: os.O_NONBLOCK,
    0x8: os.O_APPEND,
    0x100: os.O_NOFOLLOW,
    0x200: os.O_CREAT,
    0x400: os.O_TRUNC,
    0x800: os.O_EXCL,
    0x20000: os.O_NOCTTY,
    0x100000: os.O_DIRECTORY,
    0x1000000: os.O_CLOEXEC,
}
O_CREAT, O_EXCL, O_CLOEXEC = 0x200, 0x800, 0x1000000
AT_FDCWD = -2
AT_SYMLINK_NOFOLLOW = 0x20

#: bsd/sys/unistd.h: not the numbers of Linux.
WHENCE = {0: os.SEEK_SET, 1: os.SEEK_CUR, 2: os.SEEK_END, 3: os.SEEK_HOLE, 4: os.SEEK_DATA}

#: bsd/sys/_types/_clock_id.h, in Libc: time.h
CLOCK_MONOTONIC = 6

#: bsd/sys/resource.h
RLIMIT_FSIZE, RLIM_INFINITY = 1, (1 << 63) - 1

#: bsd/sys/stat.h
UF_IMMUTABLE, UF_APPEND, UF_COMPRESSED, UF_HIDDEN = 0x2, 0x4, 0x20, 0x8000
LOCKED = 0x2 | 0x4 | 0x20000 | 0x40000 | 0x100000

#: bsd/sys/attr.h
ATTRLIST = struct.Struct("<HHIIIII")
ATTR_VOLUME = 0x80000000 | 0x00020000
ATTR_CRTIME, ATTR_MODTIME, ATTR_ACCTIME = 0x200, 0x400, 0x1000
ATTR_ACCESSMASK, ATTR_FLAGS = 0x20000, 0x40000
VOL_CAP_INT_CLONE = 0x00010000

TIMESPEC = struct.Struct("<qq")
#: bsd/sys/stat.h, __DARWIN_STRUCT_STAT64: 144 bytes, of which the last 20 have no meaning.
STAT = struct.Struct("<iHHQIIi4x16s16s16s16sqqiII")

#: bsd/sys/mount.h, __DARWIN_STRUCT_STATFS64: what is before the name of the file system's type.
STATFS_SIZE, STATFS = 2168, struct.Struct("<Ii5Q2i4I16s")

#: What the system leaves in a structure where nothing has a meaning. A structure that is too short
#: shows by it: what lies behind has this, and not zeros.
UNDEFINED = b"\xa5"


def timespec(nanoseconds: int) -> bytes:
    """A struct timespec."""
    return TIMESPEC.pack(*divmod(nanoseconds, 10**9))


def stat_of(st: os.stat_result, flags: int, born: int) -> bytes:
    """A struct stat (__DARWIN_STRUCT_STAT64)."""
    times = (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns, born)
    packed = STAT.pack(
        st.st_dev & 0x7FFFFFFF,
        st.st_mode,
        st.st_nlink,
        st.st_ino,
        *(st.st_uid, st.st_gid),
        st.st_rdev & 0x7FFFFFFF,
        *map(timespec, times),
        st.st_size,
        *(st.st_blocks, st.st_blksize),
        *(flags, 0),
    )
    return packed[:28] + UNDEFINED * 4 + packed[32:] + UNDEFINED * (144 - len(packed))


def become(numbers: Mapping[str, object]) -> None:
    """Takes over the numbers of another system, by their names here."""
    globals().update(numbers)
    NAMES.clear()
    NAMES.update({code: name for name, code in ERRNOS.items()})
