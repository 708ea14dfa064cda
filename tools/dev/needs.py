"""What has to be there before anything is made."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from dev.steps import SetUpError, say, step

HEADER = "Python.h"


def missing() -> dict[str, str]:
    """What the set-up needs and does not find, with the Debian packages that have it."""
    python = "python{}.{}".format(*sys.version_info)
    if sys.implementation.name == "pypy":
        python = "pypy3"
    found = {}
    if sys.platform == "linux":  # Windows looks for its compiler itself, others compile nothing
        compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
        if not compiles(compiler):
            found[f"a C compiler with the C library's headers ({compiler[0]})"] = "gcc libc6-dev"
        if not Path(sysconfig.get_paths()["include"], HEADER).exists():
            found[HEADER] = f"{python}-dev"
    if not (has("venv") and has("ensurepip")) and not has("pip"):
        found["venv or pip"] = f"{python}-venv"
    return found


def compiles(compiler: list[str]) -> bool:
    """Whether the compiler is there, and finds a header of the C library."""
    try:
        done = subprocess.run(
            [*compiler, "-E", "-"], input=b"#include <stdio.h>\n", capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def has(module: str) -> bool:
    """Whether this Python can import the module."""
    return importlib.util.find_spec(module) is not None


def require_tools() -> None:
    """Raises SetUpError if something is missing; installs Python.h if root runs this."""
    lacking = missing()
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if list(lacking) == [HEADER] and root and shutil.which("apt-get"):
        install = ["apt-get", "install", "--yes", lacking[HEADER]]
        say(f"{HEADER} is missing: {' '.join(install)}")
        step(["apt-get", "update"], "apt-get needs the network")
        step(install, "apt-get needs the network")
        lacking = missing()
    if lacking:
        packages = " ".join(lacking.values())
        msg = (
            f"missing: {', '.join(lacking)}. On Debian and Ubuntu: sudo apt-get install {packages}"
        )
        raise SetUpError(msg)
