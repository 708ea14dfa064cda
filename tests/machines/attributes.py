"""The model of clones, attribute lists and extended attributes: see libsystem.py."""

from __future__ import annotations

import errno
import posix
import struct
from typing import TYPE_CHECKING

from machines import darwin
from machines.libsystem import DarwinError, model
from machines.memory import ModelError
from machines.volume import PREFIX

if TYPE_CHECKING:
    from machines.libsystem import System

CLONE_NOFOLLOW, CLONE_NOOWNERCOPY, CLONE_ACL = 1, 2, 4


@model("fclonefileat", "int int address int", "xnu: bsd/vfs/vfs_syscalls.c, fclonefileat")
def _fclonefileat(system: System, fd: int, dir_fd: int, path: int, flags: int) -> int:
    """Carries mode without setuid and setgid, flags, attributes and times; clonefile(2)."""
    if flags & ~(CLONE_NOFOLLOW | CLONE_NOOWNERCOPY | CLONE_ACL):
        raise DarwinError(darwin.EINVAL)
    directory, name = system.directory(dir_fd), system.machine.text(path)
    src, volume = posix.fstat(system.host_fd(fd)), system.volume
    parent = name.rpartition(b"/")
    folder = posix.stat(parent[0] + parent[1] or b".", dir_fd=directory)
    if folder.st_dev != src.st_dev:
        raise DarwinError(darwin.EXDEV)
    if not system.script.clones:
        raise DarwinError(darwin.ENOTSUP)
    how = posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    clone = posix.open(name, how, 0o600, dir_fd=directory)
    try:
        offset = 0
        while sent := posix.sendfile(clone, fd, offset, 1 << 24):
            offset += sent
        volume.dress(fd, clone, src, 0o1777)
    except OSError:
        posix.unlink(name, dir_fd=directory)
        raise
    finally:
        posix.close(clone)
    return 0


def _wanted(system: System, at: int) -> tuple[int, int]:
    """The groups of a struct attrlist that are used: common and volume attributes."""
    count, reserved, common, volume, *others = darwin.ATTRLIST.unpack(
        system.machine.read(at, darwin.ATTRLIST.size)
    )
    if count != 5 or reserved or any(others):
        raise DarwinError(darwin.EINVAL)
    return common, volume


@model("fgetattrlist", "int address address size int", "xnu: bsd/vfs/vfs_attrlist.c")
def _fgetattrlist(system: System, fd: int, wanted: int, at: int, size: int, options: int) -> int:
    """Volume capabilities only. A short buffer gets what fits into it."""
    common, volume = _wanted(system, wanted)
    system.host_fd(fd)
    if common or volume != darwin.ATTR_VOLUME or options:
        msg = f"fgetattrlist of {common:#x}, {volume:#x} with options {options:#x}"
        raise ModelError(msg)
    interfaces = darwin.VOL_CAP_INT_CLONE if system.script.clones else 0
    valid = darwin.VOL_CAP_INT_CLONE
    found = struct.pack("<I4I4I", 36, 0, interfaces, 0, 0, 0, valid, 0, 0)
    system.machine.write(at, found[:size])
    return 0


@model("fsetattrlist", "int address address size int", "xnu: bsd/vfs/vfs_attrlist.c")
def _fsetattrlist(system: System, fd: int, given: int, at: int, size: int, options: int) -> int:
    """Takes the values in the order of the bits, each on a boundary of four bytes."""
    common, volume = _wanted(system, given)
    host, left = system.host_fd(fd), common
    values = system.machine.read(at, size)
    found: dict[int, int] = {}
    for bit in (darwin.ATTR_CRTIME, darwin.ATTR_MODTIME, darwin.ATTR_ACCTIME):
        if common & bit:
            if len(values) < darwin.TIMESPEC.size:
                raise DarwinError(darwin.EINVAL)
            seconds, nanoseconds = darwin.TIMESPEC.unpack_from(values)
            if not 0 <= nanoseconds < 10**9:
                raise DarwinError(darwin.EINVAL)
            found[bit] = seconds * 10**9 + nanoseconds
            values, left = values[darwin.TIMESPEC.size :], left & ~bit
    for bit in (darwin.ATTR_ACCESSMASK, darwin.ATTR_FLAGS):
        if common & bit:
            if len(values) < 4:
                raise DarwinError(darwin.EINVAL)
            found[bit] = int.from_bytes(values[:4], "little")
            values, left = values[4:], left & ~bit
    if left or volume or options or values:
        msg = f"fsetattrlist of {common:#x}: {len(values)} bytes and {left:#x} left"
        raise ModelError(msg)
    _apply(system, host, found)
    return 0


def _apply(system: System, fd: int, found: dict[int, int]) -> None:
    st, volume = posix.fstat(fd), system.volume
    if volume.flags(fd) & darwin.LOCKED and found.get(darwin.ATTR_FLAGS, 1) & darwin.LOCKED:
        raise DarwinError(darwin.EPERM)
    volume.set_flags(fd, found.get(darwin.ATTR_FLAGS, volume.flags(fd)))
    volume.set_born(fd, found.get(darwin.ATTR_CRTIME, volume.born(st)))
    times = (
        found.get(darwin.ATTR_ACCTIME, st.st_atime_ns),
        found.get(darwin.ATTR_MODTIME, st.st_mtime_ns),
    )
    posix.utime(fd, ns=times)
    posix.fchmod(fd, found.get(darwin.ATTR_ACCESSMASK, st.st_mode) & 0o7777)


@model("futimens", "int address", "xnu: bsd/vfs/vfs_attrlist.c; Libc: gen/utimensat.c")
def _futimens(system: System, fd: int, times: int) -> int:
    both = system.machine.read(times, 2 * darwin.TIMESPEC.size)
    read, changed = (s * 10**9 + ns for s, ns in darwin.TIMESPEC.iter_unpack(both))
    posix.utime(system.host_fd(fd), ns=(read, changed))
    return 0


@model("fchmod", "int int", "xnu: bsd/vfs/vfs_syscalls.c, fchmod")
def _fchmod(system: System, fd: int, mode: int) -> int:
    posix.fchmod(system.host_fd(fd), mode & 0o7777)
    return 0


@model("fchflags", "int int", "xnu: bsd/vfs/vfs_syscalls.c, fchflags")
def _fchflags(system: System, fd: int, flags: int) -> int:
    system.volume.set_flags(system.host_fd(fd), flags & 0xFFFFFFFF)
    return 0


@model("flistxattr", "int address size int", "xnu: bsd/vfs/vfs_syscalls.c, flistxattr")
def _flistxattr(system: System, fd: int, at: int, size: int, options: int) -> int:
    if options:
        raise DarwinError(darwin.EINVAL)
    names = b"".join(name.encode() + b"\0" for name in system.volume.names(system.host_fd(fd)))
    if len(names) > size:
        raise DarwinError(darwin.ERANGE)
    system.machine.write(at, names)
    return len(names)


def _named(system: System, fd: int, name: int, *zeros: int) -> tuple[int, str]:
    """A descriptor and the name of an attribute; position and options have to be 0."""
    if any(zeros):
        raise DarwinError(darwin.EINVAL)
    return system.host_fd(fd), PREFIX + system.machine.text(name).decode()


def _changeable(system: System, fd: int, name: int, *zeros: int) -> tuple[int, str]:
    """The same, to change it.

    vn_setxattr and vn_removexattr ask for KAUTH_VNODE_WRITE_EXTATTRIBUTES, which the mode of the
    file decides, whatever the descriptor was opened for (bsd/vfs/vfs_subr.c, vnode_authorize).
    """
    host, attribute = _named(system, fd, name, *zeros)
    if not posix.fstat(host).st_mode & 0o200:
        raise DarwinError(darwin.ERRNOS["EACCES"])
    return host, attribute


def _no_attribute(error: OSError) -> Exception:
    return DarwinError(darwin.ENOATTR) if error.errno == errno.ENODATA else error


@model("fgetxattr", "int address address size int int", "xnu: bsd/vfs/vfs_syscalls.c, fgetxattr")
def _fgetxattr(
    system: System, fd: int, name: int, at: int, size: int, position: int, options: int
) -> int:
    host, attribute = _named(system, fd, name, position, options)
    try:
        value = posix.getxattr(host, attribute)
    except OSError as error:
        raise _no_attribute(error) from error
    if len(value) > size:
        raise DarwinError(darwin.ERANGE)
    system.machine.write(at, value)
    return len(value)


@model("fsetxattr", "int address address size int int", "xnu: bsd/vfs/vfs_xattr.c, vn_setxattr")
def _fsetxattr(
    system: System, fd: int, name: int, at: int, size: int, position: int, options: int
) -> int:
    host, attribute = _changeable(system, fd, name, position, options)
    posix.setxattr(host, attribute, system.machine.read(at, size))
    return 0


@model("fremovexattr", "int address int", "xnu: bsd/vfs/vfs_xattr.c, vn_removexattr")
def _fremovexattr(system: System, fd: int, name: int, options: int) -> int:
    host, attribute = _changeable(system, fd, name, options)
    try:
        posix.removexattr(host, attribute)
    except OSError as error:
        raise _no_attribute(error) from error
    return 0
