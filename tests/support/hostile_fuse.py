"""A FUSE server that misbehaves on request, as servers that people use do.

It serves the files of a folder (the backing store) in folders that are made there. As a process:

    python -m support.hostile_fuse PARENT MOUNTPOINT BACKING [atomic]

It answers "ready" when it is mounted, then obeys: a line of JSON on stdin has the fields of
:class:`Switches`, or null to ask how many requests wait, a number is the answer. It ends with
stdin. ``atomic`` has the kernel pass O_TRUNC on with the open; otherwise the kernel truncates
after it.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Optional

from support import fuse_wire as wire
from support.fuse_server import READY, Server, mounted_device, tell

#: os.O_ACCMODE, which PyPy lacks.
O_ACCMODE = os.O_RDONLY | os.O_WRONLY | os.O_RDWR


@dataclass(frozen=True)
class Switches:
    """How the server misbehaves. Errors are the names of errnos."""

    #: The name of the file that this concerns; "" is every file.
    on: str = ""
    #: Data does not go through the page cache, so a request is made for each call.
    direct_io: bool = False
    #: stat returns this size: the true one times the first number, plus the second.
    lie: tuple[float, int] = (1, 0)
    #: How long the kernel may cache a size, in seconds.
    believed: int = 0
    #: stat returns the size of the first look-up, though another client has changed the file.
    stale: bool = False
    #: The error of ftruncate and truncate; and of O_TRUNC, unless the server is atomic.
    truncate: str = ""
    #: The error of truncating to any size but 0.
    truncate_to_some: str = ""
    #: The error of opening an existing file for writing without O_TRUNC.
    without_trunc: str = ""
    #: The error of writing anywhere but at the end of what was written.
    out_of_order: str = ""
    #: These operations fail with EAGAIN if the file was opened with O_NONBLOCK.
    nonblock: tuple[str, ...] = ()
    #: The error of creating a file with O_EXCL.
    exclusive: str = ""
    #: A read or a write moves at most so many bytes, 0 is no limit.
    most: int = 0
    #: copy_file_range moves at most so many bytes, None: the kernel has to move them.
    copy_range: Optional[int] = None
    #: (operation, error, how many of them, after how many good ones)
    faults: tuple[tuple[str, str, int, int], ...] = ()
    #: (operation, after how many good ones): the answer comes when the request is interrupted.
    hang: tuple[str, int] = ("", 0)
    #: (operation, after how many good ones): the server dies.
    die: tuple[str, int] = ("", 0)


def refuse_if(name: str) -> None:
    """Raises OSError with the errno of this name, if there is one."""
    if name:
        raise OSError(getattr(errno, name), name)


class Hostile(Server):
    """The server."""

    def __init__(self, device: int, backing: str, flags: int) -> None:
        """Serves ``backing`` over an open /dev/fuse; ``flags`` are those of the first answer."""
        super().__init__(device)
        self._flags = flags
        self._paths = {wire.ROOT_ID: backing}
        self._ids: dict[tuple[str, int], int] = {}
        self._written: dict[int, int] = {}
        self._told: dict[str, int] = {}
        self._waiting: set[int] = set()
        self._switches = Switches()
        self._counts: dict[str, int] = {}

    def obey(self, switches: Optional[dict[str, Any]]) -> int:
        """Takes new switches; None only asks.

        Returns how many requests wait for an answer; a new order answers them with EIO.
        """
        if switches is None:
            return len(self._waiting)
        self._switches = replace(Switches(), **switches)
        self._counts = {}
        for unique in self._waiting:
            self.send(wire.reply(unique, code=errno.EIO))
        self._waiting.clear()
        return 0

    def interrupted(self, unique: int) -> None:
        """The answer is EINTR."""
        if unique in self._waiting:
            self._waiting.remove(unique)
            self.send(wire.reply(unique, code=errno.EINTR))

    def _concerns(self, path: str) -> bool:
        return self._switches.on in {"", os.path.basename(path)}

    def has_to_wait(self, request: wire.Request) -> bool:
        """Whether the request never gets an answer. Raises OSError if it fails."""
        name, path = request.operation, self._paths.get(request.nodeid, "")
        if name in {"lookup", "create", "unlink"}:
            path = self._child(request.nodeid, request.body.split(b"\0")[-2])
        if name != "statfs" and not self._concerns(path):
            return False
        number = self._counts[name] = self._counts.get(name, -1) + 1
        for operation, code, times, skip in self._switches.faults:
            if operation == name and skip <= number < skip + times:
                refuse_if(code)
        operation, skip = self._switches.die
        if operation == name and number >= skip:
            os._exit(1)
        operation, skip = self._switches.hang
        if operation == name and number >= skip:
            self._waiting.add(request.unique)
            return True
        return False

    def _child(self, nodeid: int, name: bytes) -> str:
        return os.path.join(self._paths[nodeid], os.fsdecode(name))

    def _attributes(self, path: str, st: os.stat_result) -> bytes:
        size = st.st_size
        if stat.S_ISREG(st.st_mode) and self._concerns(path):
            factor, more = self._switches.lie
            size = int(size * factor) + more
            if self._switches.stale:
                size = self._told.setdefault(path, size)
        return wire.attributes(st, size)

    def _attr_out(self, path: str, st: os.stat_result) -> bytes:
        return wire.ATTR_OUT.pack(self._switches.believed, 0, 0) + self._attributes(path, st)

    def _entry(self, path: str, st: os.stat_result) -> bytes:
        nodeid = self._ids.setdefault((path, st.st_ino), len(self._ids) + wire.ROOT_ID + 1)
        self._paths[nodeid] = path
        believed = self._switches.believed
        head = wire.ENTRY.pack(nodeid, 0, believed, believed, 0, 0)
        return head + self._attributes(path, st)

    def _opened(self, path: str, flags: int, *mode: int) -> bytes:
        inside = flags & (O_ACCMODE | os.O_CREAT | os.O_EXCL | os.O_TRUNC)
        handle = os.open(path, inside | os.O_CLOEXEC, *mode)
        self._written[handle] = os.fstat(handle).st_size
        if flags & os.O_TRUNC:
            self._told[path] = 0
        direct = self._switches.direct_io and self._concerns(path)
        return wire.OPEN_OUT.pack(handle, wire.FOPEN_DIRECT_IO if direct else 0, 0)

    def _refuse_nonblocking(self, flags: int, operation: str) -> None:
        if flags & os.O_NONBLOCK and operation in self._switches.nonblock:
            refuse_if("EAGAIN")

    def _moved(self, nodeid: int, body: bytes, operation: str) -> tuple[int, int, int]:
        """The handle, offset and length of a read or a write, unless it fails."""
        handle, offset, length, _, _, flags, _ = wire.READ_OR_WRITE.unpack_from(body)
        if self._concerns(self._paths[nodeid]):
            self._refuse_nonblocking(flags, operation)
            length = min(length, self._switches.most or length)
        return handle, offset, length

    def _init(self, _nodeid: int, body: bytes) -> bytes:
        return wire.init_out(body, self._flags)

    def _lookup(self, nodeid: int, body: bytes) -> bytes:
        path = self._child(nodeid, body[:-1])
        return self._entry(path, os.lstat(path))

    def _getattr(self, nodeid: int, _body: bytes) -> bytes:
        path = self._paths[nodeid]
        return self._attr_out(path, os.lstat(path))

    def _setattr(self, nodeid: int, body: bytes) -> bytes:
        path, fields = self._paths[nodeid], wire.SETATTR.unpack_from(body)
        valid, size, mode = fields[0], fields[3], fields[11]
        if valid & wire.FATTR_SIZE:
            if self._concerns(path):
                refuse_if(self._switches.truncate)
                refuse_if(self._switches.truncate_to_some if size else "")
            os.truncate(path, size)
            self._told[path] = size
            for handle in self._written:
                self._written[handle] = min(self._written[handle], size)
        if valid & wire.FATTR_MODE:
            os.chmod(path, stat.S_IMODE(mode))
        return self._attr_out(path, os.lstat(path))

    def _unlink(self, nodeid: int, body: bytes) -> bytes:
        os.unlink(self._child(nodeid, body[:-1]))
        return b""

    def _open(self, nodeid: int, body: bytes) -> bytes:
        path, flags = self._paths[nodeid], wire.OPEN.unpack_from(body)[0]
        if self._concerns(path):
            self._refuse_nonblocking(flags, "open")
            if flags & O_ACCMODE != os.O_RDONLY and not flags & os.O_TRUNC:
                refuse_if(self._switches.without_trunc)
        return self._opened(path, flags)

    def _create(self, nodeid: int, body: bytes) -> bytes:
        flags, mode, umask, _ = wire.CREATE.unpack_from(body)
        path = self._child(nodeid, body[wire.CREATE.size : -1])
        if self._concerns(path):
            self._refuse_nonblocking(flags, "open")
            refuse_if(self._switches.exclusive if flags & os.O_EXCL else "")
        opened = self._opened(path, flags | os.O_CREAT, stat.S_IMODE(mode) & ~umask)
        return self._entry(path, os.lstat(path)) + opened

    def _read(self, nodeid: int, body: bytes) -> bytes:
        handle, offset, length = self._moved(nodeid, body, "read")
        return os.pread(handle, length, offset)

    def _write(self, nodeid: int, body: bytes) -> bytes:
        handle, offset, length = self._moved(nodeid, body, "write")
        if offset != self._written[handle] and self._concerns(self._paths[nodeid]):
            refuse_if(self._switches.out_of_order)
        start = wire.READ_OR_WRITE.size
        written = os.pwrite(handle, memoryview(body)[start : start + length], offset)
        self._written[handle] = end = offset + written
        path = self._paths[nodeid]
        self._told[path] = max(end, self._told.get(path, 0))
        return wire.WRITE_OUT.pack(written, 0)

    def _copy_file_range(self, nodeid: int, body: bytes) -> bytes:
        src, src_offset, _, dst, offset, length, _ = wire.COPY_FILE_RANGE.unpack_from(body)
        if self._switches.copy_range is None or not self._concerns(self._paths[nodeid]):
            refuse_if("EOPNOTSUPP")
        content = os.pread(src, min(length, self._switches.copy_range), src_offset)
        return wire.WRITE_OUT.pack(os.pwrite(dst, content, offset), 0)

    def _flush(self, _nodeid: int, _body: bytes) -> bytes:
        return b""

    def _fsync(self, _nodeid: int, _body: bytes) -> bytes:
        return b""

    def _release(self, _nodeid: int, body: bytes) -> bytes:
        (handle,) = wire.HANDLE.unpack_from(body)
        os.close(handle)
        del self._written[handle]
        return b""

    def _statfs(self, nodeid: int, _body: bytes) -> bytes:
        fs = os.statvfs(self._paths[nodeid])
        room = fs.f_blocks, fs.f_bfree, fs.f_bavail, fs.f_files, fs.f_ffree
        return wire.STATFS.pack(*room, fs.f_bsize, 255, fs.f_frsize, *(0,) * 7)


def main(parent: str, folder: str, backing: str, *options: str) -> None:
    """Mounts, serves and obeys until stdin ends or somebody unmounts."""
    device = mounted_device(parent, folder)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.umask(0)
    server = Hostile(device, backing, wire.ATOMIC_O_TRUNC if "atomic" in options else 0)
    tell(READY)
    with suppress(OSError):  # ENODEV: unmounted
        while True:
            for ready in select.select([device, 0], [], [])[0]:
                if ready == device:
                    server.answer()
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                tell(server.obey(json.loads(line)))


if __name__ == "__main__":
    main(*sys.argv[1:])
