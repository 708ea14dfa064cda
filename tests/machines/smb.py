"""The model of an SMB share and of its server's copy: see libsystem.py."""

from __future__ import annotations

import os
import posix
from typing import TYPE_CHECKING

from machines import darwin
from machines.libsystem import STATS, DarwinError, model
from machines.memory import ModelError

if TYPE_CHECKING:
    from machines.libsystem import System

#: bsd/sys/fcntl.h
F_GETPATH, MAXPATHLEN = 50, 1024
CPF_OVERWRITE, CPF_MASK = 1, 3


@model("fcntl", "int int", "xnu: bsd/kern/kern_descrip.c, sys_fcntl")
def _fcntl(system: System, fd: int, command: int) -> int:
    """Only F_GETPATH, whose argument has no name in the declaration."""
    host = system.host_fd(fd)
    if command != F_GETPATH:
        msg = f"fcntl with command {command}"
        raise ModelError(msg)
    path = os.fsencode(os.readlink(f"/proc/self/fd/{host}")) + b"\0"
    if len(path) > MAXPATHLEN:
        raise DarwinError(darwin.ERRNOS["ENOSPC"])
    system.machine.write(system.machine.variadic(2), path)
    return 0


@model("fsync", "int", "xnu: bsd/vfs/vfs_syscalls.c, fsync")
def _fsync(system: System, fd: int) -> int:
    system.host_fd(fd)
    return 0


def _fstatfs(system: System, fd: int, at: int) -> int:
    host = posix.fstatvfs(system.host_fd(fd))
    found = darwin.STATFS.pack(
        *(host.f_bsize, host.f_bsize, host.f_blocks, host.f_bfree, host.f_bavail),
        *(host.f_files, host.f_ffree, 1, 2, 501, 3, 0, 0),
        b"smbfs" if system.script.smb else b"apfs",
    )
    names = b"/Volumes/share".ljust(1024, b"\0") + b"//server/share".ljust(1024, b"\0")
    left = darwin.UNDEFINED * (darwin.STATFS_SIZE - len(found) - len(names))
    system.machine.write(at, found + names + left)
    return 0


STATS.append(("fstatfs", "int address", _fstatfs))


@model(
    "__copyfile",
    "address address int int",
    "xnu: bsd/vfs/vfs_syscalls.c, copyfile; SMBClient: kernel/smbfs/smbfs_smb_2.c",
)
def _copyfile(system: System, source: int, target: int, _mode: int, flags: int) -> int:
    """Copies all that any server copies: a Mac as server copies mode, flags and times, too.

    smb2fs_smb_copyfile opens dst with FILE_OVERWRITE_IF, copies the data and then the streams, and
    removes dst if that fails.
    """
    src, dst = system.machine.text(source), system.machine.text(target)
    if flags & ~CPF_MASK:
        raise DarwinError(darwin.EINVAL)
    st = posix.stat(src)
    folder = posix.stat(os.path.dirname(dst) or b".")
    if os.path.lexists(dst) and not flags & CPF_OVERWRITE:
        raise DarwinError(darwin.ERRNOS["EEXIST"])
    if not system.script.smb:
        raise DarwinError(darwin.ENOTSUP)
    if folder.st_dev != st.st_dev:
        raise DarwinError(darwin.EXDEV)
    volume = system.volume
    with open(src, "rb") as data, open(dst, "wb") as made:
        while block := data.read(1 << 20):
            made.write(block)
        volume.dress(data.fileno(), made.fileno(), st, 0o777)
    return 0
