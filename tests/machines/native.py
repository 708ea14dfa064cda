"""A stand-in for ``speedcopy._native``: the same two names, over the code for another system.

The package and its tests use it as they use the extension. What the machine returns is translated
to the errnos of this system.
"""

from __future__ import annotations

import importlib
import os
import re
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Callable, Optional

import cffi

# isort: split
from machines import attributes as _attributes  # noqa: F401 (registers its calls)
from machines import darwin, libsystem
from machines import sanitizer as _sanitizer  # noqa: F401 (the same)
from machines import smb as _smb  # noqa: F401 (the same)
from machines.loader import Image, Machine
from machines.script import Script

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Set as AbstractSet

ROOT = Path(__file__).parents[2]


def constants(platform: str) -> cffi.FFI:
    """What the extension's ffi is, without the extension."""
    before = os.getcwd()
    os.chdir(ROOT)  # the builder reads the sources from the folder it runs in
    sys.path.insert(0, str(ROOT))
    build_ffi = importlib.import_module("build_ffi")
    sys.path.remove(str(ROOT))
    os.chdir(before)
    ffi = cffi.FFI()
    for name in build_ffi.PLATFORMS[platform].headers:
        text = build_ffi.declarations((ROOT / build_ffi.NATIVE / name).read_text())
        text = re.sub(r'^extern "Python\+C".*;$', "", text, flags=re.MULTILINE)
        ffi.cdef(re.sub(r"\bSC_CHAR\b", "char", text))
    return ffi


class Callback:
    """sc_tick of Python, and what cffi calls if it raises."""

    def __init__(self) -> None:
        """Until Python defines it, there is none."""
        self.function: Callable[..., int] = lambda *_: 1
        self.onerror: Callable[..., object] = lambda *_: None
        self.error = 1

    def __call__(self, handle: Any, copied: int, total: int) -> int:
        """Signal handlers run in Python only, and so from here on."""
        try:
            with signals(signal.SIG_UNBLOCK):
                return self.function(handle, copied, total)
        except BaseException as error:  # noqa: BLE001
            traceback = error.__traceback__
            assert traceback
            found = self.onerror(type(error), error, traceback.tb_next or traceback)
            return found if isinstance(found, int) else self.error


@contextmanager
def signals(how: int) -> Iterator[None]:
    """While C runs, no handler does."""
    before = signal.pthread_sigmask(how, signal.valid_signals() - {signal.SIGSEGV, signal.SIGBUS})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Native:
    """The library on machines: as many as copies run at once."""

    def __init__(self, library: Path, processor: str) -> None:
        """Loads the library."""
        self.library = library
        platform = "freebsd" if processor.startswith("freebsd") else "darwin"
        if platform == "freebsd":
            from machines import freebsd  # registers its calls

            darwin.become(freebsd.NUMBERS)
        libsystem.name_stats(processor)
        self.ffi = constants(platform)
        self.numbers: Any = self.ffi.dlopen(None)
        self.image = Image(library, processor)
        self.script = Script()
        self.callback = Callback()
        self.idle: list[Machine] = []
        self.copies = 0
        self.errors: list[BaseException] = []
        self.names: dict[int, Any] = {}

    @contextmanager
    def machine(self) -> Iterator[tuple[Machine, libsystem.System]]:
        """A machine that nobody else uses."""
        try:
            machine = self.idle.pop()
        except IndexError:  # another thread may have taken the last one
            machine = Machine(self.image)
        system = libsystem.System(machine, self.script, self._tick)
        try:
            yield machine, system
            system.check_left_over()
        except BaseException as error:
            self.errors.append(error)
            raise
        self.idle.append(machine)

    def _tick(self, caller: int, copied: int, total: int) -> int:
        return self.callback(self.ffi.cast("void *", caller), copied, total)

    def copy(self, caller: Any, src: bytes, dst: bytes, flags: int, report: Any) -> int:
        """sc_copy."""
        names = (src + b"\0", dst + b"\0")
        return self._copy(self.image.copy, caller, names, (flags,), report, report)

    def copy_names(
        self, caller: Any, directories: Any, names: bytes, count: int, flags: int, batch: Any
    ) -> int:
        """sc_copy_names."""
        given = (bytes(self.ffi.buffer(directories)), names + b"\0")
        borrowed = {directories.src, directories.dst}
        at = self.image.copy_names
        return self._copy(at, caller, given, (count, flags), batch, batch.last, borrowed)

    def look_at_directories(self, directories: Any) -> None:
        """sc_look_at_directories."""
        with signals(signal.SIG_BLOCK), self.machine() as (machine, system):
            system.borrowed |= {directories.src, directories.dst}
            found = machine.put(bytes(self.ffi.buffer(directories)))
            machine.call(self.image.look_at_directories, found)
            size = self.ffi.sizeof("sc_directories")
            self.ffi.buffer(directories)[:] = machine.read(found, size)
            machine.free(found)

    def _copy(
        self,
        at: int,
        caller: Any,
        given: tuple[bytes, ...],
        numbers: tuple[int, ...],
        filled: Any,
        report: Any,
        borrowed: AbstractSet[int] = frozenset(),
    ) -> int:
        """Calls a function that copies, and that fills in a struct with a report."""
        size = len(self.ffi.buffer(filled)) if filled else 0
        self.copies += 1
        with signals(signal.SIG_BLOCK), self.machine() as (machine, system):
            system.borrowed |= borrowed
            blocks = [machine.put(data) for data in given]
            found = machine.put(b"\xa5" * size) if filled else 0
            handle = int(self.ffi.cast("uintptr_t", caller))
            result = machine.call(at, handle, *blocks, *numbers, found) & 0xFFFFFFFF
            if filled:
                self.ffi.buffer(filled)[:] = machine.read(found, size)
                for codes in (report.declined, report.refused):
                    for row, code in enumerate(codes):
                        codes[row] = self._translated(code)
            for address in (*blocks, found):
                machine.free(address)
        result -= (result >> 31) << 32
        place = -result & ~0xFFFF
        return -(self._translated(-result & 0xFFFF) | place) if result < 0 else result

    def _translated(self, code: int) -> int:
        """An errno of this system; the codes of speedcopy.h are greater than every errno."""
        return code if code == 0 or code >= self.numbers.SC_SAME_FILE else darwin.to_host(code)

    def mechanism_name(self, row: int) -> Any:
        """sc_mechanism_name."""
        if row not in self.names:
            with self.machine() as (machine, _):
                at = machine.call(self.image.mechanism_name, row & 0xFFFFFFFF)
                text = machine.text(at) if at else None
            self.names[row] = self.ffi.NULL if text is None else self.ffi.new("char[]", text)
        return self.names[row]


class Lib:
    """The extension's ``lib``."""

    def __init__(self, native: Native) -> None:
        """Has the functions; constants are looked up."""
        self._native = native
        self.sc_copy = native.copy
        self.sc_copy_names = native.copy_names
        self.sc_look_at_directories = native.look_at_directories
        self.sc_mechanism_name = native.mechanism_name

    def __getattr__(self, name: str) -> int:
        """A constant of the headers."""
        number: int = getattr(self._native.numbers, name)
        return number

    def __dir__(self) -> list[str]:
        """What the headers declare."""
        return dir(self._native.numbers)


class Ffi:
    """The extension's ``ffi``."""

    def __init__(self, native: Native) -> None:
        """Is cffi's but for callbacks."""
        self._native = native

    def __getattr__(self, name: str) -> Any:
        """What cffi has."""
        return getattr(self._native.ffi, name)

    def def_extern(
        self, error: int, onerror: Callable[..., object]
    ) -> Callable[[Callable[..., int]], Callable[..., int]]:
        """Defines sc_tick."""

        def define(function: Callable[..., int]) -> Callable[..., int]:
            callback = self._native.callback
            callback.function, callback.error, callback.onerror = function, error, onerror
            return function

        return define


_installed: Optional[Native] = None


def in_use() -> Native:
    """The stand-in of this process."""
    assert _installed, "no code for macOS: run the tests by tools/cross.py test"
    return _installed


def install(library: Path, processor: str) -> Native:
    """Makes ``speedcopy`` import the stand-in. It must not have been imported before."""
    global _installed  # noqa: PLW0603
    assert "speedcopy" not in sys.modules
    _installed = Native(library, processor)
    module = ModuleType("speedcopy._native")
    vars(module).update(ffi=Ffi(_installed), lib=Lib(_installed))
    sys.modules["speedcopy._native"] = module
    return _installed
