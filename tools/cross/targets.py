"""The systems to build for."""

from __future__ import annotations

import importlib
import os
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


class Target(NamedTuple):
    """One system: ``platform`` is a key of ``build_ffi.PLATFORMS``, ``triple`` is zig's name.

    With ``checked``, the code checks each access to memory (AddressSanitizer). It has no run-time
    library: tests/machines does its part.
    """

    name: str
    platform: str
    triple: str
    checked: bool = False

    @property
    def library(self) -> Path:
        """The linked library."""
        return OUTPUT / f"{self.name}.library"

    @property
    def symbols(self) -> Path:
        """The list of what the library imports."""
        return SYMBOLS / f"{self.name}.txt"


TARGETS = (
    Target("macos-arm64", "darwin", "aarch64-macos.11.0"),
    Target("macos-x86_64", "darwin", "x86_64-macos.11.0"),
    Target("freebsd-x86_64", "freebsd", "x86_64-freebsd.14.0"),
    Target("freebsd-aarch64", "freebsd", "aarch64-freebsd.14.0"),
    Target("windows-arm64", "win32", "aarch64-windows-gnu"),
)

#: The targets whose code runs here, by processor; and the same with checks.
MACOS = {target.name.split("-")[1]: target for target in TARGETS if target.platform == "darwin"}
FREEBSD = {target.name: target for target in TARGETS if target.platform == "freebsd"}
CHECKED = {
    processor: target._replace(name=f"{target.name}-checked", checked=True)
    for processor, target in MACOS.items()
}


def build_ffi() -> ModuleType:
    """The builder of the extension, which reads the sources from the current directory."""
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    return importlib.import_module("build_ffi")
