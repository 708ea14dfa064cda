"""What a build needs of Python: the headers and, for Windows, what stands for its library."""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

import abi3info
from common.errors import ToolError
from common.programs import output
from lab.packages import Mirror, Suite
from lab.pieces import Piece

from cross.targets import ZIG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cross.targets import Target

CONFIGURATION = Path(__file__).with_name("pyconfig.h")

#: The oldest CPython that loads the wheels.
OLDEST = (3, 9)

#: The first one that has not built them.
NEWER = (3, 15)

#: What dlltool calls the processors.
DLL_MACHINES = {"x86_64": "i386:x86-64", "x86": "i386", "aarch64": "arm64"}


def require() -> None:
    """Raises ToolError if this Python is one that the wheels were not built with."""
    locked = not sysconfig.get_config_var("Py_GIL_DISABLED")
    if sys.implementation.name != "cpython" or not locked or not OLDEST <= sys.version_info < NEWER:
        msg = f"a CPython from 3.9 to 3.14 builds the wheels, one with the lock; not {sys.version}"
        raise ToolError(msg)


def headers(target: Target, folder: Path) -> Path:
    """Makes a folder with Python's headers for the target."""
    source = debian_headers(target) if target.headers else Path(sysconfig.get_path("include"))
    if not (source / "Python.h").exists():
        msg = f"Python.h is not in {source}: install the headers of this Python"
        raise ToolError(msg)
    made = Path(shutil.copytree(source, folder / "include"))
    if "abi3" in target.tag:
        shutil.copy(CONFIGURATION, made)
    return made


def debian_headers(target: Target) -> Path:
    """The headers in Debian's packages, which are unpacked into the lab's cache."""
    packages = target.headers.split()
    name = f"{packages[0]} of Debian {target.suite}"

    def fill(folder: Path) -> None:
        Suite(target.suite, Mirror.of_this_machine()).unpack(packages, folder)

    piece = Piece(name, f"headers/{target.suite}-{packages[0]}", fill)
    if not piece.complete:
        try:
            piece.build()
        except (ToolError, OSError) as error:
            msg = f"{name} cannot be fetched: {error}"
            raise ToolError(msg) from error
    (found,) = piece.path.glob("usr/include/*/Python.h")
    return found.parent


def import_library(target: Target, folder: Path) -> Path:
    """Makes the import library of python3.dll, with what the oldest CPython exports."""
    functions, data = exported(abi3info.FUNCTIONS), exported(abi3info.DATAS)
    lines = ["LIBRARY python3.dll", "EXPORTS", *functions, *(f"{name} DATA" for name in data)]
    definition, made = folder / "python3.def", folder / "python3.lib"
    definition.write_text("\n".join(lines))
    machine = DLL_MACHINES[target.triple.split("-")[0]]
    output([*ZIG, "dlltool", "-m", machine, "-d", str(definition), "-l", str(made)])
    return made


def exported(table: Mapping[Any, Any]) -> list[str]:
    """The names in a table of abi3info that the oldest CPython has."""
    versions = ((name.name, entry.added) for name, entry in table.items())
    return sorted(name for name, added in versions if (added.major, added.minor) <= OLDEST)
