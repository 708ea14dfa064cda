"""The part of the AddressSanitizer that is not in the code: which bytes may be accessed.

Each eight bytes of memory have one byte in the shadow: 0 if all of them may be accessed, 1 to 7 if
so many of them may, more if none may (LLVM: docs of AddressSanitizer's algorithm). The compiler
adds code that marks what lies around the variables on the stack, and that checks its own accesses.
Those of the modelled calls are checked here.
"""

from __future__ import annotations

from typing import Any

from machines.memory import HEAP, HEAP_SIZE, IMAGE, PAGE, STACK, STACK_SIZE, ModelError

#: LLVM's offset for Intel Macs; on Apple's processors the code asks for it.
SHADOW = 1 << 44

#: Marks bytes behind a block of the heap.
BEHIND = 0xFA


def shadow_of(address: int) -> int:
    """Where the shadow of an address is."""
    return SHADOW + (address >> 3)


class Shadow:
    """The shadow of the memory of one machine."""

    def __init__(self, uc: Any) -> None:
        """Everything may be accessed."""
        self.uc = uc
        for start, size in ((IMAGE, 64 * PAGE), (STACK, STACK_SIZE), (HEAP, HEAP_SIZE)):
            uc.mem_map(shadow_of(start), size >> 3)

    def check(self, address: int, size: int) -> None:
        """Raises ModelError if one of these bytes may not be accessed."""
        if not size or not (STACK <= address < STACK + STACK_SIZE or address >= HEAP):
            return
        first, last = shadow_of(address), shadow_of(address + size - 1)
        marks = bytes(self.uc.mem_read(first, last - first + 1))
        accessed = (address + size - 1) % 8 + 1  # in the last eight bytes
        if any(marks[:-1]) or (marks[-1] and accessed > marks[-1]) or marks[-1] > 7:
            msg = f"{size} bytes at {address:#x} are more than there is: {marks[-8:].hex()}"
            raise ModelError(msg)

    def surround(self, address: int, size: int) -> None:
        """Marks a block of the heap, and 16 bytes behind it."""
        marks = bytes(size // 8) + (bytes([size % 8]) if size % 8 else b"") + bytes([BEHIND]) * 2
        self.uc.mem_write(shadow_of(address), marks)
