"""The messages between the kernel and a FUSE server, as far as a copy needs them.

linux/fuse.h has the structures. Nothing but the standard library is needed, so the kernel's
requests and flags reach a server of ours as they are.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from support.sizes import MIB

if TYPE_CHECKING:
    import os

#: The operations that a server here answers, by their numbers; all others are ENOSYS.
OPERATIONS = {
    1: "lookup",
    2: "forget",
    3: "getattr",
    4: "setattr",
    10: "unlink",
    14: "open",
    15: "read",
    16: "write",
    17: "statfs",
    18: "release",
    20: "fsync",
    25: "flush",
    26: "init",
    35: "create",
    36: "interrupt",
    42: "forget",
    47: "copy_file_range",
}

IN_HEADER = struct.Struct("=IIQQIIII")
OUT_HEADER = struct.Struct("=IiQ")
ATTR = struct.Struct("=6Q10I")
ENTRY = struct.Struct("=4Q2I")
ATTR_OUT = struct.Struct("=QII")
SETATTR = struct.Struct("=II6Q8I")
OPEN = struct.Struct("=II")
CREATE = struct.Struct("=4I")
OPEN_OUT = struct.Struct("=QII")
READ_OR_WRITE = struct.Struct("=QQIIQII")
COPY_FILE_RANGE = struct.Struct("=7Q")
HANDLE = struct.Struct("=Q")
WRITE_OUT = struct.Struct("=II")
STATFS = struct.Struct("=5Q10I")
INIT = struct.Struct("=4I")
INIT_OUT = struct.Struct("=4IHHIIHHI28x")

FATTR_MODE, FATTR_SIZE = 1, 8
FOPEN_DIRECT_IO, FOPEN_KEEP_CACHE = 1, 2
ATOMIC_O_TRUNC, BIG_WRITES, MAX_PAGES = 1 << 3, 1 << 5, 1 << 22
MAJOR, MINOR = 7, 31
ROOT_ID = 1
MAX_WRITE = MIB
PAGE = 4096


class Request(NamedTuple):
    """One message of the kernel's."""

    operation: str
    unique: int
    nodeid: int
    body: bytes

    @classmethod
    def of(cls, message: bytes) -> Request:
        """Takes a message apart."""
        head = IN_HEADER.unpack_from(message)
        return cls(OPERATIONS.get(head[1], ""), head[2], head[3], message[IN_HEADER.size :])


def reply(unique: int, body: bytes = b"", code: int = 0) -> bytes:
    """The answer to a request: a body or an errno."""
    return OUT_HEADER.pack(OUT_HEADER.size + len(body), -code, unique) + body


def init_out(body: bytes, flags: int) -> bytes:
    """The answer to the first message. Without ASYNC_READ, so that a signal ends a read."""
    readahead = INIT.unpack_from(body)[2]
    flags |= BIG_WRITES | MAX_PAGES
    pages = MAX_WRITE // PAGE
    return INIT_OUT.pack(MAJOR, MINOR, readahead, flags, 16, 12, MAX_WRITE, 1, pages, 0, 0)


def attributes(st: os.stat_result, size: int) -> bytes:
    """The attributes of a file, with another size."""
    times = [divmod(ns, 10**9) for ns in (st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns)]
    return ATTR.pack(
        *(st.st_ino, size, (size + 511) // 512),
        *(seconds for seconds, _ in times),
        *(rest for _, rest in times),
        *(st.st_mode, st.st_nlink, st.st_uid, st.st_gid, 0, PAGE, 0),
    )
