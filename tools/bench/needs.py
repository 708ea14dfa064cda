"""Modules and space that a run needs, checked before anything is made."""

from __future__ import annotations

import importlib
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import BenchmarkError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
#: What pip calls each module. First those that tools/dev.py installs.
_BROUGHT = {"tabulate": "tabulate", "speedcopy": f"-e {shlex.quote(str(ROOT))}"}
_PACKAGES = {**_BROUGHT, "matplotlib": "matplotlib", "reflink_copy": "reflink-copy"}


def modules(options: argparse.Namespace) -> None:
    """Fail before the run, naming all that is missing, if these options need more modules."""
    wanted = [*_BROUGHT]
    if getattr(options, "plot", None):
        wanted.append("matplotlib")
    if "reflink-copy" in options.against:
        wanted.append("reflink_copy")
    _require(wanted)


def module(name: str) -> ModuleType:
    """Import a module that may not be installed."""
    _require([name.partition(".")[0]])
    return importlib.import_module(name)


def room(folder: Path, space: int) -> None:
    """Fail before the run, not with a full disk, if ``space`` bytes do not fit into ``folder``."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return  # the copies will report what is wrong there
    if usage.total and usage.free < space:  # some network file systems do not know, and say 0
        text = f"{space:,} bytes needed, {usage.free:,} available"
        text = f"{folder}: not enough space for {space >> 20} MB of files: {text}"
        raise BenchmarkError(text)


def _require(names: Iterable[str]) -> None:
    missing = {name: absent for name in names if (absent := _absent(name))}
    if missing:
        text = f"not installed: {', '.join(missing.values())}. {_remedy(missing)}"
        raise BenchmarkError(text)


def _absent(name: str) -> str | None:
    """What is not installed: the module, or one that it needs."""
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        return error.name
    return None


def _remedy(missing: Iterable[str]) -> str:
    """The command for pip; and one that works where pip refuses, as on a fresh Debian."""
    packages = " ".join(_PACKAGES[name] for name in missing)
    install = f"{shlex.quote(sys.executable)} -m pip install {packages}"
    if sys.prefix != sys.base_prefix:
        return f"Run: {install}"
    program = Path(sys.argv[0]).stem
    run = "benchmark" if program == "benchmark" else f"python tools/{program}.py"
    further = " ".join(_PACKAGES[name] for name in missing if name not in _BROUGHT)
    first = f"python3 tools/dev.py python -m pip install {further} && " if further else ""
    return f"Run: {first}python3 tools/dev.py {run}; or in a virtual environment: {install}"
