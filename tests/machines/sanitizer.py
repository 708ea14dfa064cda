"""The model of what code with the AddressSanitizer calls: see shadow.py.

The sources are LLVM's (compiler-rt/lib/asan). Constructors do not run here, so globals have no
marks.
"""

from __future__ import annotations

from typing import Callable

from machines.libsystem import System, memory_copy, memory_set, model
from machines.memory import ModelError

#: What marks the variables of a function: accessible, before, between and after them, left, freed.
MARKS = (0x00, 0xF1, 0xF2, 0xF3, 0xF5, 0xF8)

SIZES = ("1", "2", "4", "8", "16", "_n")


def marking(mark: int) -> Callable[..., int]:
    """Sets bytes of the shadow, whose address is given."""

    def mark_shadow(system: System, address: int, size: int) -> int:
        system.machine.uc.mem_write(address, bytes([mark]) * size)
        return 0

    return mark_shadow


def reporting(what: str) -> Callable[..., int]:
    """The code has found an access beyond a variable."""

    def report(_system: System, address: int) -> int:
        msg = f"{what} at {address:#x}"
        raise ModelError(msg)

    return report


for each in MARKS:
    model(f"__asan_set_shadow_{each:02x}", "address size", "asan_poisoning.cpp")(marking(each))
for action in ("load", "store"):
    for length in SIZES:
        name = f"__asan_report_{action}{length}"
        model(name, "address", "asan_rtl.cpp")(reporting(name))
model("__asan_memcpy", "address address size", "asan_interceptors_memintrinsics.cpp")(memory_copy)
model("__asan_memset", "address int size", "asan_interceptors_memintrinsics.cpp")(memory_set)
