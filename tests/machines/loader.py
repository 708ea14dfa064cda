"""Runs functions of a library for macOS or FreeBSD on an emulated processor.

The library is the real machine code, linked by ``tools/cross.py build``. What it imports leads to
traps, which a model of libSystem serves (:mod:`machines.libsystem`).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional

import lief
import unicorn
from machines.memory import HEAP, HEAP_SIZE, IMAGE, PAGE, STACK, STACK_SIZE, TRAPS, ModelError
from machines.shadow import SHADOW, Shadow
from unicorn import arm64_const as arm
from unicorn import x86_const as x86

if TYPE_CHECKING:
    from pathlib import Path

lief.logging.disable()

#: What the beginning of the heap is for: errno, the number behind each function's variables, and
#: two settings of the AddressSanitizer.
ERRNO, GUARD, NO_FAKE_STACK, SHADOW_AT, BLOCKS = (HEAP + 16 * slot for slot in range(5))

#: Imported data, and where it is.
DATA = {
    "__stack_chk_guard": GUARD,
    "__asan_option_detect_stack_use_after_return": NO_FAKE_STACK,
    "__asan_shadow_memory_dynamic_address": SHADOW_AT,
}

#: What earlier calls may have left on the stack. Code that reads it without having written shows.
LEFT_OVER = b"\xa5" * (1 << 16)

#: Bytes from one trap to the next. The first one is where a call returns to.
TRAP = 16


class Processor(NamedTuple):
    """What the calling convention makes of a processor.

    ``variadic_on_stack``: the arguments after the named ones are on the stack (Apple: Writing ARM64
    code for Apple platforms); elsewhere they follow in registers.
    """

    kind: int
    mode: int
    arguments: tuple[int, ...]
    result: int
    counter: int
    stack: int
    link: Optional[int]
    variadic_on_stack: bool


PROCESSORS = {
    "arm64": Processor(
        unicorn.UC_ARCH_ARM64,
        unicorn.UC_MODE_ARM,
        tuple(getattr(arm, f"UC_ARM64_REG_X{number}") for number in range(8)),
        arm.UC_ARM64_REG_X0,
        arm.UC_ARM64_REG_PC,
        arm.UC_ARM64_REG_SP,
        arm.UC_ARM64_REG_X30,
        variadic_on_stack=True,
    ),
    "x86_64": Processor(
        unicorn.UC_ARCH_X86,
        unicorn.UC_MODE_64,
        tuple(
            getattr(x86, f"UC_X86_REG_{name}") for name in ["RDI", "RSI", "RDX", "RCX", "R8", "R9"]
        ),
        x86.UC_X86_REG_RAX,
        x86.UC_X86_REG_RIP,
        x86.UC_X86_REG_RSP,
        None,
        variadic_on_stack=False,
    ),
}
PROCESSORS["freebsd-x86_64"] = PROCESSORS["x86_64"]
PROCESSORS["freebsd-aarch64"] = PROCESSORS["arm64"]._replace(variadic_on_stack=False)


class Image:
    """A library, relocated to :data:`IMAGE`, with a trap for each import."""

    def __init__(self, path: Path, processor: str) -> None:
        """Reads the file."""
        self.processor = PROCESSORS[processor]
        binary = lief.parse(str(path))
        self.segments: dict[int, tuple[bytearray, int]] = {}
        self.imports: list[str] = [""]
        self.slots: list[int] = [0]  # where the address of each is
        if isinstance(binary, lief.ELF.Binary):
            self._load_elf(binary)
        else:
            assert isinstance(binary, lief.MachO.Binary), path
            self._load_macho(binary)
        self.is_checked = "__asan_init" in self.imports
        names = ("speedcopy", "_speedcopy")
        (exported,) = [each for each in binary.exported_symbols if each.name in names]
        functions = (self._read(exported.value + at) for at in (0, 8, 16))
        self.copy, self.mechanism_name, self.copy_names = functions

    def _load_macho(self, binary: lief.MachO.Binary) -> None:
        self.segments = {
            segment.virtual_address: (bytearray(segment.content), segment.virtual_size)
            for segment in binary.segments
            if segment.name != "__LINKEDIT"
        }
        for relocation in binary.relocations:
            self._write(relocation.address, self._read(relocation.address) + IMAGE)
        for binding in binary.bindings:
            assert binding.symbol is not None
            self._import(binding.address, str(binding.symbol.name).removeprefix("_"))

    def _load_elf(self, binary: lief.ELF.Binary) -> None:
        """The ABI of both processors has three kinds of relocations for a library."""
        for segment in binary.segments:
            if segment.type == lief.ELF.Segment.TYPE.LOAD:
                content = bytearray(segment.content).ljust(segment.virtual_size, b"\0")
                self.segments[segment.virtual_address] = content, segment.virtual_size
        for relocation in binary.relocations:
            kind = relocation.type.name.split("_", 1)[1]
            if kind.endswith("RELATIVE"):
                self._write(relocation.address, relocation.addend + IMAGE)
            else:
                assert kind.endswith(("GLOB_DAT", "JUMP_SLOT")), kind
                assert relocation.symbol is not None
                self._import(relocation.address, str(relocation.symbol.name))

    def _import(self, address: int, name: str) -> None:
        self._write(address, DATA.get(name, TRAPS + TRAP * len(self.imports)))
        self.imports.append(name)
        self.slots.append(IMAGE + address)

    def _find(self, address: int) -> tuple[bytearray, int]:
        for start, (content, _) in self.segments.items():
            if start <= address < start + len(content):
                return content, address - start
        msg = f"nothing at {address:#x}"
        raise ModelError(msg)

    def _read(self, address: int) -> int:
        content, offset = self._find(address)
        value: int = struct.unpack_from("<Q", content, offset)[0]
        return value

    def _write(self, address: int, value: int) -> None:
        content, offset = self._find(address)
        struct.pack_into("<Q", content, offset, value)


def _rounded(size: int) -> int:
    return -(-size // PAGE) * PAGE


class Machine:
    """A processor with memory, and the library in it. Runs one call at a time."""

    def __init__(self, image: Image) -> None:
        """Loads the image."""
        self.image = image
        self.processor = image.processor
        self.uc = unicorn.Uc(self.processor.kind, self.processor.mode)
        for start, (content, size) in image.segments.items():
            before = start % PAGE
            self.uc.mem_map(IMAGE + start - before, _rounded(before + max(size, len(content))))
            self.uc.mem_write(IMAGE + start, bytes(content))
        self.uc.mem_map(TRAPS, PAGE)
        self.uc.mem_map(STACK, STACK_SIZE)
        self.uc.mem_map(HEAP, HEAP_SIZE)
        self.uc.hook_add(
            unicorn.UC_HOOK_CODE, lambda *_: self.uc.emu_stop(), begin=TRAPS, end=TRAPS + PAGE - 1
        )
        if self.processor.kind == unicorn.UC_ARCH_ARM64:
            self.uc.reg_write(arm.UC_ARM64_REG_CPACR_EL1, 3 << 20)  # switches NEON on
        self.allocated: dict[int, int] = {}
        self._heap_end = BLOCKS
        self.shadow = Shadow(self.uc) if image.is_checked else None
        self.write(GUARD, b"\0guarded")
        self.write(SHADOW_AT, struct.pack("<Q", SHADOW))
        self.serve: Callable[[str], int] = self._refuse

    @staticmethod
    def _refuse(name: str) -> int:
        raise ModelError(name)

    def call(self, address: int, *arguments: int) -> int:
        """Calls a function. Returns the register of the result."""
        cpu, uc = self.processor, self.uc
        for register, value in zip(cpu.arguments, arguments):
            uc.reg_write(register, value)
        stack = STACK + STACK_SIZE - 256
        uc.mem_write(STACK + STACK_SIZE - len(LEFT_OVER), LEFT_OVER)
        for at, value in enumerate(arguments[len(cpu.arguments) :]):
            uc.mem_write(stack + 8 * at, struct.pack("<Q", value))
        if cpu.link is None:
            stack -= 8
            uc.mem_write(stack, struct.pack("<Q", TRAPS))
        else:
            uc.reg_write(cpu.link, TRAPS)
        uc.reg_write(cpu.stack, stack)
        counter = address
        while True:
            try:
                uc.emu_start(counter, TRAPS)
            except unicorn.UcError as error:
                where = uc.reg_read(cpu.counter) - IMAGE
                msg = f"{error} at {where:#x} of the library"
                raise ModelError(msg) from error
            trap, rest = divmod(uc.reg_read(cpu.counter) - TRAPS, TRAP)
            if trap == 0 and rest == 0:
                return int(uc.reg_read(cpu.result))
            if rest or not 0 < trap < len(self.image.imports):
                msg = f"a jump to {uc.reg_read(cpu.counter):#x}"
                raise ModelError(msg)
            result = self.serve(self.image.imports[trap])
            uc.reg_write(cpu.result, result & 0xFFFF_FFFF_FFFF_FFFF)
            counter = self._return()

    def _return(self) -> int:
        """Leaves a trap: where to go on."""
        cpu = self.processor
        if cpu.link is not None:
            return int(self.uc.reg_read(cpu.link))
        stack = self.uc.reg_read(cpu.stack)
        self.uc.reg_write(cpu.stack, stack + 8)
        return self.number(stack)

    def argument(self, index: int) -> int:
        """A named argument of the call in progress."""
        return int(self.uc.reg_read(self.processor.arguments[index]))

    def variadic(self, named: int) -> int:
        """The first argument after ``named`` ones."""
        if self.processor.variadic_on_stack:
            return self.number(self.uc.reg_read(self.processor.stack))
        return self.argument(named)

    def number(self, address: int) -> int:
        """Eight bytes of memory."""
        value: int = struct.unpack("<Q", self.read(address, 8))[0]
        return value

    def read(self, address: int, size: int) -> bytes:
        """Bytes of memory."""
        if self.shadow:
            self.shadow.check(address, size)
        return self._raw(address, size)

    def _raw(self, address: int, size: int) -> bytes:
        try:
            return bytes(self.uc.mem_read(address, size))
        except unicorn.UcError as error:
            msg = f"{size} bytes at {address:#x} cannot be read"
            raise ModelError(msg) from error

    def write(self, address: int, data: bytes) -> None:
        """Writes bytes to memory."""
        if self.shadow:
            self.shadow.check(address, len(data))
        try:
            self.uc.mem_write(address, data)
        except unicorn.UcError as error:
            msg = f"{len(data)} bytes at {address:#x} cannot be written"
            raise ModelError(msg) from error

    def text(self, address: int) -> bytes:
        """A string, without its NUL."""
        found = b""
        while b"\0" not in found:
            size = 256 - (address + len(found)) % 256
            found += self._raw(address + len(found), size)
        text = found.split(b"\0")[0]
        self.read(address, len(text) + 1)
        return text

    def allocate(self, size: int) -> int:
        """Memory on the heap, or 0."""
        if not self.allocated:
            self._heap_end = BLOCKS
        address = self._heap_end
        self._heap_end += (size + 31) // 16 * 16
        if self._heap_end > HEAP + HEAP_SIZE:
            return 0
        self.allocated[address] = size
        if self.shadow:
            self.shadow.surround(address, size)
        return address

    def free(self, address: int) -> None:
        """Frees what was allocated."""
        if address and self.allocated.pop(address, None) is None:
            msg = f"free of {address:#x}, which is not allocated"
            raise ModelError(msg)

    def put(self, data: bytes) -> int:
        """Allocates memory for bytes."""
        address = self.allocate(len(data))
        self.write(address, data)
        return address
