"""What is known to stop a Python from loading a wheel, found without running it."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import lief

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cross.targets import Target

lief.logging.disable()

#: By the first word of zig's triple: what ELF, Mach-O or PE call the processor.
MACHINES = {
    "aarch64": {"AARCH64", "ARM64"},
    "arm": {"ARM"},
    "powerpc64le": {"PPC64"},
    "riscv64": {"RISCV"},
    "s390x": {"S390"},
    "x86": {"I386"},
    "x86_64": {"X86_64", "AMD64"},
}

#: Libraries that every system of the tag has. musl takes all names like libc.so for itself.
LIBRARIES = {
    "manylinux": r"libc\.so\.6|ld-linux[\w-]*\.so\.\d|ld64\.so\.[12]",
    "musllinux": r"libc\.so",
    "macosx": r"/usr/lib/libSystem\.B\.dylib",
    "win": r"python3\.dll|kernel32\.dll|api-ms-win-crt-[\w-]+\.dll",
}

#: The file name of the library on macOS.
INSTALL_NAME = "@rpath/_native.abi3.so"

#: What zig's linker exports from each library for macOS.
LINKERS_OWN = {"__mh_dylib_header", "___dso_handle"}

#: The one function that the extension exports, by the Python of the tag.
ENTRIES = {"cp": "PyInit__native", "pp": "_cffi_pypyinit__native"}


def problems(target: Target, wheel: Path) -> list[str]:
    """All that is wrong with a wheel."""
    found = []
    if not wheel.name.endswith(f"-{target.tag}.whl"):
        found.append(f"its name is {wheel.name}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        found += contents(target, names)
        (inside,) = (name for name in names if name.endswith(".dist-info/WHEEL"))
        found += tags(target, archive.read(inside).decode())
        wanted = f"speedcopy/{target.extension}"
        if wanted in names:
            found += binary_problems(target, archive.read(wanted))
    return found or audited(target, wheel)


def contents(target: Target, names: list[str]) -> Iterator[str]:
    """The extension is there under the name that Python finds, and no source of it."""
    extensions = [name for name in names if name.endswith((".so", ".pyd", ".dylib", ".dll"))]
    if extensions != [f"speedcopy/{target.extension}"]:
        yield f"it has {extensions}, and Python looks for {target.extension}"
    for name in names:
        if name.endswith((".c", ".h")):
            yield f"{name} is in it"


def tags(target: Target, text: str) -> Iterator[str]:
    """The tags inside are those of its name, one a line."""
    python, abis, system = target.tag.split("-")
    wanted = [f"{python}-{abi}-{system}" for abi in abis.split(".")]
    found = re.findall(r"^Tag: (\S+)$", text, re.MULTILINE)
    if found != wanted:
        yield f"its tags are {found}"


def binary_problems(target: Target, content: bytes) -> list[str]:
    """What is wrong with the extension itself."""
    binary = lief.parse(list(content))
    if isinstance(binary, lief.MachO.FatBinary):
        binary = binary.at(0)
    if isinstance(binary, lief.ELF.Binary) and target.platform == "linux":
        machine, imported = binary.header.machine_type.name, list(binary.libraries)
        exported = [symbol.name for symbol in binary.exported_symbols]
        found = elf_problems(target, binary)
    elif isinstance(binary, lief.MachO.Binary) and target.platform == "darwin":
        machine = binary.header.cpu_type.name
        imported = [library.name for library in binary.libraries if library.name != INSTALL_NAME]
        exported = [
            symbol.name[1:] for symbol in binary.exported_symbols if symbol.name not in LINKERS_OWN
        ]
        found = macos_problems(target, binary)
    elif isinstance(binary, lief.PE.Binary) and target.platform == "win32":
        machine, imported = binary.header.machine.name, [dll.name for dll in binary.imports]
        exported = [entry.name for entry in binary.get_export().entries]
        found = []
    else:
        return [f"its extension is not for {target.platform}"]
    if machine not in MACHINES[target.triple.split("-")[0]]:
        found.append(f"it is for {machine}")
    known = LIBRARIES[target.system]
    unknown = [name for name in imported if not re.fullmatch(known, name, re.IGNORECASE)]
    if unknown:
        found.append(f"it needs {unknown}")
    if exported != [ENTRIES[target.tag[:2]]]:
        found.append(f"it exports {exported}")
    return found


def elf_problems(target: Target, binary: lief.ELF.Binary) -> list[str]:
    """The byte order, and the newest glibc that it needs."""
    found = []
    order = "MSB" if target.triple.startswith("s390x") else "LSB"
    if not binary.header.identity_data.name.endswith(order):
        found.append(f"its byte order is {binary.header.identity_data.name}")
    needed = [
        each.name
        for library in binary.symbols_version_requirement
        for each in library.get_auxiliary_symbols()
    ]
    oldest = version(target.triple.partition("gnu")[2])
    newer = [name for name in needed if version(name) > oldest]
    if newer:
        found.append(f"it needs {newer}")
    return found


def version(text: str) -> list[int]:
    """The numbers in a version."""
    return [int(number) for number in re.findall(r"\d+", text)]


def macos_problems(target: Target, binary: lief.MachO.Binary) -> list[str]:
    """The oldest macOS, and the signature."""
    found = []
    oldest = list(binary.build_version.minos)[:2] if binary.has_build_version else []
    if oldest != version(target.triple.partition("macos")[2]):
        found.append(f"it needs macOS {oldest}")
    if target.triple.startswith("aarch64") and not binary.has_code_signature:
        found.append("it is not signed, and Apple's processors run signed code only")
    return found


def audited(target: Target, wheel: Path) -> list[str]:
    """What abi3audit finds, which knows the stable ABI of Pythons with the lock."""
    if "-abi3-" not in target.tag:
        return []
    command = [sys.executable, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", "3.9"]
    done = subprocess.run([*command, str(wheel)], capture_output=True, text=True, check=False)
    return [f"abi3audit: {done.stdout}{done.stderr}"] if done.returncode else []
