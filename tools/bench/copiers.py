"""The tools that are compared: each is a name and a callable."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from common.programs import ProgramError, output

from bench import needs
from bench.errors import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from speedcopy import Transfer

PEERS = "cp, reflink-copy, speedcopy==VERSION or the path of a wheel of speedcopy"
_RELEASE = re.compile(r"speedcopy==[0-9][0-9A-Za-z.!+-]*")
_WHEEL = re.compile(r"(?:.*[/\\])?speedcopy-([^-/\\]+)-[^/\\]+\.whl")


Copying = Callable[[str, str], object]
Transferring = Callable[[str, str], "Transfer"]


@dataclass(frozen=True)
class Copier:
    """``copy(src, dst)`` copies a file; what it returns does not matter."""

    name: str
    copy: Copying


@dataclass(frozen=True)
class Ours(Copier):
    """speedcopy, which also reports what happened."""

    transfer: Transferring
    version: str


def standard_library() -> Copier:
    """``shutil.copyfile`` of the running Python, whoever has patched it."""
    return Copier("shutil", getattr(shutil, "_orig_copyfile", shutil.copyfile))


def ours() -> Ours:
    """The installed speedcopy."""
    speedcopy = needs.module("speedcopy")
    version = needs.module("speedcopy.version").version
    return Ours("speedcopy", speedcopy.copyfile, speedcopy.transfer, version)


def is_peer(name: str) -> bool:
    """Whether :func:`peer` knows ``name``."""
    return name in {"cp", "reflink-copy"} or bool(
        _RELEASE.fullmatch(name) or _WHEEL.fullmatch(name)
    )


def peers(names: Sequence[str], folder: Path) -> list[Copier]:
    """Find each of the tools once; what has to be fetched goes into ``folder``."""
    found = (peer(name, folder) for name in dict.fromkeys(names))
    return list({tool.name: tool for tool in found}.values())


def peer(name: str, folder: Path) -> Copier:
    """Find the tool called ``name``; what has to be fetched goes into ``folder``."""
    if name == "cp":
        return _cp()
    if name == "reflink-copy":
        return _reflink_copy()
    wheel = _WHEEL.fullmatch(name)
    if wheel:
        return _release(f"speedcopy=={wheel[1]}", Path(name), folder)
    return _release(name, fetched(name, folder), folder)


def _cp() -> Copier:
    program = shutil.which("cp")
    if program is None:
        text = "there is no cp here"
        raise BenchmarkError(text)
    found = program

    def copy(src: str, dst: str) -> None:
        ended = subprocess.run([found, "--", src, dst], stderr=subprocess.PIPE, check=False)
        if ended.returncode:
            error = ProgramError(["cp"], ended.stderr.decode(errors="replace"), ended.returncode)
            raise BenchmarkError(error.last_line)

    return Copier("cp", copy)


def _reflink_copy() -> Copier:
    return Copier("reflink-copy", needs.module("reflink_copy").reflink_or_copy)


def fetched(requirement: str, folder: Path) -> Path:
    """Download a release with pip, into a folder of its own; returns the wheel."""
    wheels = folder / "wheels" / requirement
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["download", "--no-deps", "--only-binary=:all:", "--dest", str(wheels)]
    try:
        output([*pip, *options, requirement])
    except ProgramError as error:
        text = f"{requirement} cannot be fetched with pip: {error.last_line}"
        raise BenchmarkError(text) from error
    return next(wheels.glob("speedcopy-*.whl"))


def _release(requirement: str, wheel: Path, folder: Path) -> Copier:
    """Load a release under a name of its own, beside the installed one."""
    unpacked = folder / requirement.replace("==", "-")
    try:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(unpacked)
    except (OSError, zipfile.BadZipFile) as error:
        text = f"{wheel} cannot be unpacked: {error}"
        raise BenchmarkError(text) from error
    return Copier(requirement, _load(requirement, unpacked / "speedcopy"))


def _load(requirement: str, package: Path) -> Copying:
    name = "_" + re.sub(r"\W+", "_", requirement)
    spec = importlib.util.spec_from_file_location(
        name, package / "__init__.py", submodule_search_locations=[str(package)]
    )
    if spec is None or spec.loader is None:
        text = f"{requirement} has no module that can be loaded"
        raise BenchmarkError(text)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except ImportError as error:
        text = f"{requirement} cannot be loaded: {error}"
        raise BenchmarkError(text) from error
    copy: Copying = module.copyfile
    if not copy.__module__.startswith(name):
        # It imports itself by its public name, and so finds the installed one.
        text = f"{requirement} cannot be loaded beside the installed speedcopy"
        raise BenchmarkError(text)
    return copy
