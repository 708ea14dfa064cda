"""Builds the wheels for macOS with setuptools and zig, and checks what is in them.

A Mac has not loaded them. What is checked is what is known to stop it from doing so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import lief

from cross.build import BuildError
from cross.targets import MACOS, OUTPUT, ROOT, ZIG, Target

#: The oldest macOS: the first one on Apple's processors.
MACOS_VERSION = "11.0"

#: What a wheel may need: it is part of every macOS.
SYSTEM_LIBRARIES = {"/usr/lib/libSystem.B.dylib"}

INSTALL_NAME = "@rpath/_native.abi3.so"

CPUS = {
    "arm64": lief.MachO.Header.CPU_TYPE.ARM64,
    "x86_64": lief.MachO.Header.CPU_TYPE.X86_64,
}


def build_wheel(processor: str, target: Target, folder: Path) -> Path:
    """Builds one wheel; setuptools takes its platform from the environment."""
    compiler = " ".join((*ZIG, "cc", "-target", target.triple))
    linker = f"{compiler} -dynamiclib -undefined dynamic_lookup -Wl,-install_name,{INSTALL_NAME}"
    environment = {
        **os.environ,
        "_PYTHON_HOST_PLATFORM": f"macosx-{MACOS_VERSION}-{processor}",
        "MACOSX_DEPLOYMENT_TARGET": MACOS_VERSION,
        "SPEEDCOPY_TARGET": target.platform,
        "CC": compiler,
        "LDSHARED": linker,
        "LDFLAGS": "",
    }
    with tempfile.TemporaryDirectory() as made:
        source = Path(made, "source")
        files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, check=True)
        for name in files.stdout.decode().splitlines():
            if (ROOT / name).exists():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                (source / name).write_bytes((ROOT / name).read_bytes())
        command = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "-q"]
        done = subprocess.run(
            [*command, "-w", made, str(source)], env=environment, capture_output=True, check=False
        )
        if done.returncode:
            raise BuildError(done.stderr.decode())
        (wheel,) = Path(made).glob("*.whl")
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.move(str(wheel), str(folder / wheel.name)))


def check(processor: str, wheel: Path) -> None:
    """Raises BuildError if a Mac would not take the wheel."""
    wanted = f"-cp39-abi3-macosx_11_0_{processor}.whl"
    problems = [] if wheel.name.endswith(wanted) else [f"its name is {wheel.name}"]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        extension = archive.read("speedcopy/_native.abi3.so")
    problems += [f"{name} is in it" for name in names if name.endswith((".c", ".h"))]
    binary = lief.parse(list(extension))
    if isinstance(binary, lief.MachO.FatBinary):
        binary = binary.at(0)
    if not isinstance(binary, lief.MachO.Binary):
        msg = f"{wheel.name}: no Mach-O"
        raise BuildError(msg)
    problems += problems_of(processor, binary)
    audited = subprocess.run(
        [sys.executable, "-m", "abi3audit", "--strict", "--assume-minimum-abi3", "3.9", str(wheel)],
        capture_output=True,
        text=True,
        check=False,
    )
    if audited.returncode:
        problems.append(f"abi3audit: {audited.stdout}{audited.stderr}")
    if problems:
        raise BuildError(f"{wheel.name}: " + "; ".join(problems))
    print(f"{wheel.name}: {wheel.stat().st_size} bytes")


def problems_of(processor: str, binary: lief.MachO.Binary) -> list[str]:
    """What is wrong with an extension: processor, oldest macOS, libraries, signature, exports."""
    found = []
    if binary.header.cpu_type != CPUS[processor]:
        found.append(f"it is for {binary.header.cpu_type}")
    version = binary.build_version.minos if binary.has_build_version else []
    if list(version)[:2] != [11, 0]:
        found.append(f"it needs macOS {version}")
    libraries = {str(library.name) for library in binary.libraries} - {INSTALL_NAME}
    if libraries - SYSTEM_LIBRARIES:
        found.append(f"it needs {libraries - SYSTEM_LIBRARIES}")
    if processor == "arm64" and not binary.has_code_signature:
        found.append("it is not signed, and Apple's processors run signed code only")
    exported = {str(symbol.name) for symbol in binary.exported_symbols}
    if "_PyInit__native" not in exported or any("_sc_" in name for name in exported):
        found.append(f"it exports {sorted(exported)}")
    return found


def main(folder: str = "") -> int:
    """Builds and checks both wheels."""
    for processor, target in MACOS.items():
        check(processor, build_wheel(processor, target, Path(folder) if folder else OUTPUT))
    return 0
