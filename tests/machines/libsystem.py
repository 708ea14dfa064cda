"""A model of the functions of macOS's libSystem that the native layer calls.

Each works on the files of this machine, with the numbers, structures and errnos of Darwin. The
sources that it follows stand beside it: "xnu" is the kernel (xnu-11417). How a path is resolved and
who may open a file is this machine's business. So this proves what the code decides and how it
calls, not how Apple's kernel behaves.
"""

from __future__ import annotations

import posix
import resource
import struct
import time
from typing import TYPE_CHECKING, Callable, NamedTuple

from machines import darwin
from machines.loader import ERRNO
from machines.memory import ModelError
from machines.volume import Volume

if TYPE_CHECKING:
    import os

    from machines.loader import Machine
    from machines.script import Script


class DarwinError(Exception):
    """A call fails with an errno of Darwin's."""

    def __init__(self, code: int) -> None:
        """Takes the errno."""
        super().__init__(darwin.NAMES[code])
        self.code = code


class Modelled(NamedTuple):
    """A call: the function, the kinds of its named arguments, and the source that it follows."""

    function: Callable[..., int]
    kinds: tuple[str, ...]
    source: str
    sized: int  # the argument that says how many bytes to move, -1 if none does


CALLS: dict[str, Modelled] = {}

#: What these give up is gone even if they fail.
RELEASING = {"close"}


def model(
    name: str, kinds: str, source: str, *, sized: int = -1
) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Registers the model of a call."""

    def register(function: Callable[..., int]) -> Callable[..., int]:
        CALLS[name] = Modelled(function, tuple(kinds.split()), source, sized)
        return function

    return register


class System:
    """What one copy sees of the system: its descriptors, its memory, its clock."""

    def __init__(
        self, machine: Machine, script: Script, tick: Callable[[int, int, int], int]
    ) -> None:
        """Serves the machine's traps until another system does."""
        self.machine = machine
        self.script = script
        self.tick = tick
        self.volume = Volume(script)
        self.files: set[int] = set()
        self.borrowed: set[int] = set()
        machine.serve = self.serve

    def serve(self, name: str) -> int:
        """Makes one call, or fails it as the script says."""
        plain = name.replace("$INODE64", "")
        modelled = CALLS.get(name)
        if modelled is None:
            msg = f"{name} is called and not modelled"
            raise ModelError(msg)
        arguments = [self._argument(kind, at) for at, kind in enumerate(modelled.kinds)]
        rule = self.script.next(plain)
        try:
            if rule and rule.action != "after":
                rule.function()
            if rule and rule.action == "fail" and plain not in RELEASING:
                raise DarwinError(darwin.ERRNOS[rule.errno])  # noqa: TRY301
            if rule and rule.action == "nothing":
                return 0
            if rule and rule.action == "short":
                arguments[modelled.sized] = min(arguments[modelled.sized], rule.amount)
            result = modelled.function(self, *arguments)
            if rule and rule.action == "after":
                rule.function()
            if rule and rule.errno:
                raise DarwinError(darwin.ERRNOS[rule.errno])  # noqa: TRY301
        except DarwinError as error:
            return 0 if plain == "malloc" else self.fail(error.code)
        except OSError as error:
            return self.fail(darwin.of_host(error.errno or 0))
        return result

    def fail(self, code: int) -> int:
        """Sets errno. -1."""
        self.machine.write(ERRNO, code.to_bytes(4, "little"))
        return -1

    def _argument(self, kind: str, at: int) -> int:
        """A 32-bit argument has anything in its upper half."""
        value = self.machine.argument(at)
        if kind == "int":
            value &= 0xFFFFFFFF
            return value - (1 << 32) if value >> 31 else value
        if kind == "signed":
            return value - (1 << 64) if value >> 63 else value
        return value

    def host_fd(self, fd: int) -> int:
        """A descriptor that the copy has opened or was given."""
        if fd not in self.files | self.borrowed:
            raise DarwinError(darwin.EBADF)
        return fd

    def directory(self, fd: int) -> int | None:
        """A descriptor for dir_fd."""
        return None if fd == darwin.AT_FDCWD else self.host_fd(fd)

    def check_left_over(self) -> None:
        """Everything that the copy has taken it has given back."""
        if self.files or self.machine.allocated:
            msg = f"descriptors {sorted(self.files)}, memory {self.machine.allocated} are left"
            raise ModelError(msg)


def opened(system: System, directory: int | None, path: int, flags: int, named: int) -> int:
    """Open and openat."""
    if flags & 3 == 3:
        raise DarwinError(darwin.EINVAL)
    unknown = flags & ~sum(darwin.OPEN_FLAGS)
    if unknown:
        msg = f"open with flags {flags:#x}, of which {unknown:#x} are unknown"
        raise ModelError(msg)
    mode = 0
    if flags & darwin.O_CREAT:
        mode = system.machine.variadic(named) & 0xFFFFFFFF
        if mode & ~0o7777:
            msg = f"open with mode {mode:#o}"
            raise ModelError(msg)
    if not flags & darwin.O_CLOEXEC:
        msg = f"open with flags {flags:#x}, without O_CLOEXEC"
        raise ModelError(msg)
    host = sum(flag for bit, flag in darwin.OPEN_FLAGS.items() if flags & bit)
    fd = posix.open(system.machine.text(path), host, mode, dir_fd=directory)
    if flags & darwin.O_EXCL:
        system.volume.set_born(fd, 0)
    system.files.add(fd)
    return fd


@model("open", "address int", "xnu: bsd/vfs/vfs_syscalls.c, open")
def _open(system: System, path: int, flags: int) -> int:
    return opened(system, None, path, flags, 2)


@model("openat", "int address int", "xnu: bsd/vfs/vfs_syscalls.c, openat")
def _openat(system: System, fd: int, path: int, flags: int) -> int:
    return opened(system, system.directory(fd), path, flags, 3)


@model("close", "int", "xnu: bsd/kern/kern_descrip.c, sys_close")
def _close(system: System, fd: int) -> int:
    if fd not in system.files:
        msg = f"close of {fd}, which is not open"
        raise ModelError(msg)
    system.files.remove(fd)
    posix.close(fd)
    return 0


def _look(system: System, st: os.stat_result, path: int | bytes, at: int) -> int:
    flags, born = system.volume.flags(path), system.volume.born(st)
    system.machine.write(at, darwin.stat_of(st, flags, born))
    return 0


def _stat(system: System, path: int, at: int) -> int:
    name = system.machine.text(path)
    return _look(system, posix.stat(name), name, at)


def _fstat(system: System, fd: int, at: int) -> int:
    return _look(system, posix.fstat(system.host_fd(fd)), fd, at)


def _fstatat(system: System, fd: int, path: int, at: int, flags: int) -> int:
    if flags & ~darwin.AT_SYMLINK_NOFOLLOW:
        raise DarwinError(darwin.EINVAL)
    directory, name = system.directory(fd), system.machine.text(path)
    st = posix.stat(name, dir_fd=directory, follow_symlinks=not flags)
    return _look(system, st, system.volume.reach(directory, name), at)


#: Intel Macs have an older stat as well; the one with 64-bit inode numbers has the suffix.
STATS: list[tuple[str, str, Callable[..., int]]] = [
    ("stat", "address address", _stat),
    ("fstat", "int address", _fstat),
    ("fstatat", "int address address int", _fstatat),
]


def name_stats(processor: str) -> None:
    """Gives the model of stat the names that a processor's libSystem has for it."""
    for name, kinds, function in STATS:
        for suffix in ("", "$INODE64"):
            CALLS.pop(name + suffix, None)
        suffix = "$INODE64" if processor == "x86_64" else ""
        model(name + suffix, kinds, "xnu: bsd/sys/stat.h, bsd/vfs/vfs_syscalls.c")(function)


@model("read", "int address size", "xnu: bsd/kern/sys_generic.c, read", sized=2)
def _read(system: System, fd: int, at: int, size: int) -> int:
    data = posix.read(system.host_fd(fd), size)
    system.machine.write(at, data)
    return len(data)


@model("write", "int address size", "xnu: bsd/kern/sys_generic.c, write", sized=2)
def _write(system: System, fd: int, at: int, size: int) -> int:
    return posix.write(system.host_fd(fd), system.machine.read(at, size))


@model("pwrite", "int address size signed", "xnu: bsd/kern/sys_generic.c, pwrite", sized=2)
def _pwrite(system: System, fd: int, at: int, size: int, offset: int) -> int:
    return posix.pwrite(system.host_fd(fd), system.machine.read(at, size), offset)


@model("lseek", "int signed int", "xnu: bsd/vfs/vfs_syscalls.c, lseek; bsd/sys/unistd.h")
def _lseek(system: System, fd: int, offset: int, whence: int) -> int:
    if whence not in darwin.WHENCE:
        raise DarwinError(darwin.EINVAL)
    return posix.lseek(system.host_fd(fd), offset, darwin.WHENCE[whence])


@model("ftruncate", "int signed", "xnu: bsd/kern/kern_descrip.c, ftruncate")
def _ftruncate(system: System, fd: int, size: int) -> int:
    posix.ftruncate(system.host_fd(fd), size)
    return 0


@model("unlinkat", "int address int", "xnu: bsd/vfs/vfs_syscalls.c, unlinkat")
def _unlinkat(system: System, fd: int, path: int, flags: int) -> int:
    if flags:
        raise DarwinError(darwin.EINVAL)
    directory, name = system.directory(fd), system.machine.text(path)
    if system.volume.flags(system.volume.reach(directory, name)) & darwin.LOCKED:
        raise DarwinError(darwin.EPERM)
    posix.unlink(name, dir_fd=directory)
    return 0


@model("renameat", "int address int address", "xnu: bsd/vfs/vfs_syscalls.c, renameat")
def _renameat(system: System, old_fd: int, old: int, new_fd: int, new: int) -> int:
    directories = system.directory(old_fd), system.directory(new_fd)
    names = system.machine.text(old), system.machine.text(new)
    if system.volume.flags(system.volume.reach(directories[0], names[0])) & darwin.LOCKED:
        raise DarwinError(darwin.EPERM)
    posix.rename(*names, src_dir_fd=directories[0], dst_dir_fd=directories[1])
    return 0


@model("__error", "", "Libc: include/errno.h")
def _error(_system: System) -> int:
    return ERRNO


@model("getpid", "", "xnu: bsd/kern/kern_prot.c, getpid")
def _getpid(_system: System) -> int:
    return posix.getpid()


@model("clock_gettime", "int address", "Libc: gen/clock_gettime.c")
def _clock_gettime(system: System, clock: int, at: int) -> int:
    if clock != darwin.CLOCK_MONOTONIC:
        raise DarwinError(darwin.EINVAL)
    system.machine.write(at, darwin.timespec(time.monotonic_ns()))
    return 0


@model("getrlimit", "int address", "xnu: bsd/kern/kern_resource.c, getrlimit")
def _getrlimit(system: System, kind: int, at: int) -> int:
    if kind != darwin.RLIMIT_FSIZE:
        raise DarwinError(darwin.EINVAL)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    known = [darwin.RLIM_INFINITY if each == resource.RLIM_INFINITY else each for each in limits]
    system.machine.write(at, struct.pack("<QQ", *known))
    return 0


@model("arc4random", "", "Libc: gen/FreeBSD/arc4random.c")
def _arc4random(system: System) -> int:
    return system.script.random()


@model("__stack_chk_fail", "", "Libc: sys/stack_protector.c")
def _stack_chk_fail(_system: System) -> int:
    msg = "something was written beyond a variable on the stack"
    raise ModelError(msg)


@model("sc_tick", "address signed signed", "speedcopy.h; Python defines it")
def _sc_tick(system: System, caller: int, copied: int, total: int) -> int:
    return system.tick(caller, copied, total)


@model("malloc", "size", "malloc(3)")
def _malloc(system: System, size: int) -> int:
    address = system.machine.allocate(size)
    if not address:
        raise DarwinError(darwin.ENOMEM)
    return address


@model("free", "address", "malloc(3)")
def _free(system: System, address: int) -> int:
    system.machine.free(address)
    return 0


@model("memcpy", "address address size", "string(3)")
def memory_copy(system: System, to: int, source: int, size: int) -> int:
    """Copies bytes."""
    system.machine.write(to, system.machine.read(source, size))
    return to


@model("__memcpy_chk", "address address size size", "Libc: secure/memcpy_chk.c")
def _memcpy_chk(system: System, to: int, source: int, size: int, room: int) -> int:
    if size > room:
        msg = f"memcpy of {size} bytes to {room}"
        raise ModelError(msg)
    return memory_copy(system, to, source, size)


@model("memset", "address int size", "string(3)")
def memory_set(system: System, to: int, value: int, size: int) -> int:
    """Fills bytes."""
    system.machine.write(to, bytes([value & 0xFF]) * size)
    return to


@model("bzero", "address size", "bzero(3)")
@model("__bzero", "address size", "bzero(3), which compilers call")
def _bzero(system: System, to: int, size: int) -> int:
    return memory_set(system, to, 0, size)


@model("strlen", "address", "string(3)")
def _strlen(system: System, text: int) -> int:
    return len(system.machine.text(text))


@model("strcmp", "address address", "string(3)")
def _strcmp(system: System, left: int, right: int) -> int:
    texts = system.machine.text(left), system.machine.text(right)
    return (texts[0] > texts[1]) - (texts[0] < texts[1])


@model("memcmp", "address address size", "string(3)")
def _memcmp(system: System, left: int, right: int, size: int) -> int:
    one, other = system.machine.read(left, size), system.machine.read(right, size)
    return (one > other) - (one < other)


@model("strncmp", "address address size", "string(3)")
def _strncmp(system: System, left: int, right: int, size: int) -> int:
    texts = system.machine.text(left)[:size], system.machine.text(right)[:size]
    return (texts[0] > texts[1]) - (texts[0] < texts[1])


@model("strrchr", "address int", "string(3)")
def _strrchr(system: System, text: int, wanted: int) -> int:
    found = system.machine.text(text).rfind(bytes([wanted]))
    return 0 if found < 0 else text + found
