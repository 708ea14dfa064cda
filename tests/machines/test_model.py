"""The model: complete, and strict enough to notice what no program for macOS may do."""

from __future__ import annotations

import struct

import pytest
from machines import darwin, libsystem, native
from machines.loader import DATA, Machine
from machines.memory import HEAP, ModelError
from machines.script import Script
from support.python import ROOT


def test_every_import_is_modelled() -> None:
    """And nothing else is, on this processor."""
    name = native.in_use().library.stem.removesuffix("-checked")
    listed = set((ROOT / "tools" / "cross" / "symbols" / f"{name}.txt").read_text().split())
    not_called = {"dyld_stub_binder", *DATA}
    assert listed - not_called <= set(libsystem.CALLS)
    unused = {name for name in libsystem.CALLS if not name.startswith("__asan_")} - listed
    of_the_compiler = {"memcmp", "memcpy", "__bzero", "bzero", "memset", "strlen"}
    assert unused <= of_the_compiler


def test_every_source_is_named() -> None:
    """Each call says what it follows."""
    assert all(call.source for call in libsystem.CALLS.values())


@pytest.fixture
def system() -> libsystem.System:
    """A system for calls by hand."""
    machine = Machine(native.in_use().image)
    return libsystem.System(machine, Script(), lambda *_: 0)


@pytest.mark.parametrize("flags", [0x40 | 0x1000000, 0x80000, 0x1, 0x200000])
def test_foreign_open_flags(system: libsystem.System, flags: int) -> None:
    """Linux's O_CREAT and O_CLOEXEC are other flags on Darwin, or none."""
    path = system.machine.put(b"/nonexistent\0")
    with pytest.raises(ModelError):
        libsystem.opened(system, None, path, flags, 2)


def test_memory(system: libsystem.System) -> None:
    """Nothing outside of what is mapped, nothing twice."""
    with pytest.raises(ModelError):
        system.machine.read(0, 1)
    with pytest.raises(ModelError):
        system.machine.free(HEAP + 4096)
    block = system.machine.allocate(10)
    system.machine.free(block)
    with pytest.raises(ModelError):
        system.machine.free(block)


@pytest.mark.parametrize(("size", "fits"), [(8, True), (9, True), (10, False), (4000, False)])
def test_shadow(system: libsystem.System, size: int, fits: bool) -> None:
    """With the checks, a call writes no byte beyond a block."""
    if not system.machine.shadow:
        pytest.skip("the code has no checks")
    block = system.machine.allocate(9)
    if fits:
        system.machine.write(block, bytes(size))
    else:
        with pytest.raises(ModelError):
            system.machine.write(block, bytes(size))


def test_attribute_lists(system: libsystem.System) -> None:
    """A buffer that is too short is an error of the caller."""
    attributes = libsystem.CALLS["fsetattrlist"].function
    given = darwin.ATTRLIST.pack(5, 0, darwin.ATTR_CRTIME | darwin.ATTR_FLAGS, 0, 0, 0, 0)
    wanted, values = system.machine.put(given), system.machine.put(struct.pack("<qq", 1, 2))
    system.files.add(0)
    with pytest.raises(libsystem.DarwinError, match="EINVAL"):
        attributes(system, 0, wanted, values, 16, 0)
