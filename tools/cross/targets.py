"""The systems to build for."""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
SYMBOLS = Path(__file__).with_name("symbols")

#: What is built is not for this machine, and can be built again.
OUTPUT = ROOT / "build" / "cross"

#: The compiler. ``python -m ziglang`` is zig.
ZIG = (sys.executable, "-m", "ziglang")

#: How a wheel is run: see ways.py.
RUNS = {
    "native": "the contract, on this machine",
    "chroot": "the contract, on a Debian of that processor",
    "musl": "the contract, on a CPython for musl",
    "wine": "the contract, on a CPython for Windows under Wine",
    "loader": "the contract with the same code, on an emulated processor",
    "static": "not run",
}


class Target(NamedTuple):
    """One system: ``platform`` is a key of ``build_ffi.PLATFORMS``, ``triple`` is zig's name.

    ``tag`` is that of its wheel: Python, ABI and system. Some have no wheel. ``run`` is a key of
    ``RUNS``, and ``debian`` what Debian calls the processor. ``suite`` is a Debian with a Python
    that loads the wheel. ``headers`` are its packages with Python's headers, unless those of the
    Python that runs this are used.

    With ``checked``, the code checks each access to memory (AddressSanitizer). It has no run-time
    library: tests/machines does its part.
    """

    name: str
    platform: str
    triple: str
    tag: str = ""
    run: str = "static"
    debian: str = ""
    suite: str = "bookworm"
    headers: str = ""
    checked: bool = False

    @property
    def library(self) -> Path:
        """The linked library."""
        return OUTPUT / f"{self.name}.library"

    @property
    def symbols(self) -> Path:
        """The list of what the library imports."""
        return SYMBOLS / f"{self.name}.txt"

    @property
    def system(self) -> str:
        """The kind of system in the tag, without versions."""
        return re.split(r"[\d_]", self.tag.split("-")[2])[0]

    @property
    def extension(self) -> str:
        """The file name of the extension, which Python finds it by."""
        _, abi, _ = self.tag.split("-")
        if self.system == "win":
            return "_native.pyd"
        if abi.startswith("pypy"):
            return f"_native.{abi.replace('_', '-')}-{self.triple.split('-')[0]}-linux-gnu.so"
        return f"_native.{abi.split('.')[-1]}.so"


TARGETS = (
    Target(
        *("linux-x86_64", "linux", "x86_64-linux-gnu.2.17"),
        *("cp39-abi3-manylinux_2_17_x86_64", "native", "amd64"),
    ),
    Target(
        *("linux-i686", "linux", "x86-linux-gnu.2.17"),
        *("cp39-abi3-manylinux_2_17_i686", "chroot", "i386"),
    ),
    Target(
        *("linux-aarch64", "linux", "aarch64-linux-gnu.2.17"),
        *("cp39-abi3-manylinux_2_17_aarch64", "chroot", "arm64"),
    ),
    Target(
        *("linux-armv7l", "linux", "arm-linux-gnueabihf.2.17"),
        *("cp39-abi3-manylinux_2_17_armv7l", "chroot", "armhf"),
    ),
    Target(
        *("linux-ppc64le", "linux", "powerpc64le-linux-gnu.2.28"),
        *("cp39-abi3-manylinux_2_28_ppc64le", "chroot", "ppc64el"),
    ),
    Target(
        *("linux-s390x", "linux", "s390x-linux-gnu.2.17"),
        *("cp39-abi3-manylinux_2_17_s390x", "chroot", "s390x"),
    ),
    Target(
        *("linux-riscv64", "linux", "riscv64-linux-gnu.2.39"),
        *("cp39-abi3-manylinux_2_39_riscv64", "chroot", "riscv64", "trixie"),
    ),
    Target(
        *("musl-x86_64", "linux", "x86_64-linux-musl"),
        *("cp39-abi3-musllinux_1_2_x86_64", "musl", "amd64"),
    ),
    Target(
        *("musl-aarch64", "linux", "aarch64-linux-musl"),
        *("cp39-abi3-musllinux_1_2_aarch64", "musl", "arm64"),
    ),
    Target(
        *("pypy39-x86_64", "linux", "x86_64-linux-gnu.2.17"),
        *("pp39-pypy39_pp73-manylinux_2_17_x86_64", "native", "amd64"),
        *("bookworm", "pypy3-dev pypy3"),
    ),
    Target(
        *("pypy311-x86_64", "linux", "x86_64-linux-gnu.2.17"),
        *("pp311-pypy311_pp73-manylinux_2_17_x86_64", "chroot", "amd64"),
        *("trixie", "pypy3-dev pypy3"),
    ),
    Target(
        *("pypy8-x86_64", "linux", "x86_64-linux-gnu.2.17"),
        *("pp311-pypy311_pp80-manylinux_2_17_x86_64", "chroot", "amd64"),
        *("testing", "pypy3-dev pypy3"),
    ),
    Target(
        *("abi3t-x86_64", "linux", "x86_64-linux-gnu.2.17"),
        *("cp315-abi3.abi3t-manylinux_2_17_x86_64", "chroot", "amd64"),
        *("testing", "libpython3.15-dev"),
    ),
    Target(
        *("macos-arm64", "darwin", "aarch64-macos.11.0"),
        *("cp39-abi3-macosx_11_0_arm64", "loader"),
    ),
    Target(
        *("macos-x86_64", "darwin", "x86_64-macos.11.0"),
        *("cp39-abi3-macosx_11_0_x86_64", "loader"),
    ),
    Target(
        *("windows-x86_64", "win32", "x86_64-windows-gnu"),
        *("cp39-abi3-win_amd64", "wine"),
    ),
    Target("windows-x86", "win32", "x86-windows-gnu", "cp39-abi3-win32"),
    Target("windows-arm64", "win32", "aarch64-windows-gnu", "cp39-abi3-win_arm64"),
    Target("freebsd-x86_64", "freebsd", "x86_64-freebsd.14.0"),
    Target("freebsd-aarch64", "freebsd", "aarch64-freebsd.14.0"),
)

#: The targets whose code runs here, by processor; and the same with checks.
MACOS = {target.name.split("-")[1]: target for target in TARGETS if target.platform == "darwin"}
FREEBSD = {target.name: target for target in TARGETS if target.platform == "freebsd"}
CHECKED = {
    processor: target._replace(name=f"{target.name}-checked", checked=True)
    for processor, target in MACOS.items()
}

#: The targets with a wheel.
WHEELS = tuple(target for target in TARGETS if target.tag)


def build_ffi() -> ModuleType:
    """The builder of the extension, which reads the sources from the current directory."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    return importlib.import_module("build_ffi")
