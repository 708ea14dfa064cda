"""The virtual environment: made to the end, or made again."""

from __future__ import annotations

import hashlib
import importlib.machinery
import os
import subprocess
import sys
import tempfile
import time

from dev.needs import has, require_tools
from dev.steps import ROOT, SetUpError, locked, say, step

ENVIRONMENT = ROOT / f".venv-{sys.implementation.cache_tag}"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
STAMP = ENVIRONMENT / "complete"
EXTRAS = "bench,test"
INSTALLED_FROM = ("setup.py", "build_ffi.py", "pyproject.toml", "speedcopy/native/**/*.[ch]")


def add(extra: str) -> None:
    """Makes sure that what an extra names is installed in the complete environment, too."""
    note = ENVIRONMENT / f"extra-{extra}"
    wanted = ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8")
    with locked():
        if note.exists() and note.read_text(encoding="utf-8") == wanted:
            return
        say(f'installing the extra "{extra}": needs the network')
        pip_install(extra, "the likely reason is no network")
        note.write_text(wanted, encoding="utf-8")


def made() -> bool:
    """Whether the environment was made to the end, in this place, and its Python still runs."""
    if stamp()[:1] != [str(ENVIRONMENT)]:
        return False
    try:
        return subprocess.run([PYTHON, "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def stamp() -> list[str]:
    """The stamp of the environment; empty unless the environment is complete."""
    try:
        return STAMP.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []


def write_stamp(lines: list[str]) -> None:
    """Marks the environment as complete, in one step."""
    draft = STAMP.with_name("complete.new")
    draft.write_text("\n".join(lines), encoding="utf-8")
    draft.replace(STAMP)


def installed() -> list[str]:
    """The stamp of a complete environment: its place, the sources, the compiled module."""
    digest = hashlib.sha256(EXTRAS.encode())
    for pattern in INSTALLED_FROM:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    names = [f"_native{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    built = [name for name in names if ROOT.joinpath("speedcopy", name).exists()]
    return [str(ENVIRONMENT), digest.hexdigest(), *built]


def set_up() -> None:
    """Makes sure that the environment has the checkout installed as it is now."""
    if made() and stamp() == installed():
        return
    require_tools()
    with locked():
        before = stamp() if made() else []
        if before and before == installed():
            return
        started = time.monotonic()
        STAMP.unlink(missing_ok=True)
        if before:
            say("what is compiled has changed: installing again, needs the network")
        else:
            again = " again, as it is not complete" if ENVIRONMENT.exists() else ""
            say(f"making {ENVIRONMENT.name}{again}: takes up to 2 minutes, needs the network")
            make_environment()
        install(before)
        say(f"ready after {time.monotonic() - started:.0f} s")


def make_environment() -> None:
    """Makes the virtual environment, with virtualenv where ensurepip is missing, as on Debian."""
    if has("venv") and has("ensurepip"):
        hint = f"if a file there is in the way, remove {ENVIRONMENT.name}"
        step([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], hint)
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
        step([*pip, "virtualenv"], "without the network it cannot work")
        virtualenv = [sys.executable, "-m", "virtualenv", "--quiet", "--clear", str(ENVIRONMENT)]
        step(virtualenv, "virtualenv may need the network", PYTHONPATH=folder)


def install(before: list[str]) -> None:
    """Installs the checkout, editable. If pip fails, what was installed before is kept."""
    try:
        pip_install(EXTRAS, "unless that is a compiler's error, the likely reason is no network")
    except SetUpError:
        if before:
            write_stamp(before)
        raise
    write_stamp(installed())


def pip_install(extras: str, hint: str) -> None:
    """Installs the checkout, editable, with extras."""
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--editable"]
    step([*pip, f"{ROOT}[{extras}]"], hint)
