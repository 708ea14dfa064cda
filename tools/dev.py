"""Runs the project from a fresh checkout: makes an environment, installs, does one thing.

    python3 tools/dev.py benchmark [ARGUMENTS OF tools/benchmark.py]
    python3 tools/dev.py test [ARGUMENTS OF pytest]
    python3 tools/dev.py python [ARGUMENTS]

Needs Python 3.9 or later with pip and a C compiler. The environment is a folder .venv-* in the
checkout, one for each Python; removing it is all there is to undoing this.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / f".venv-{sys.implementation.cache_tag}"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
EXTRAS = "bench,test"
INSTALLED_FROM = ("setup.py", "build_ffi.py", "pyproject.toml", "speedcopy/native/*")


class MissingError(Exception):
    """Something that only the user can provide; the message says what and how."""


def say(text: str) -> None:
    """Tells the user, apart from the output of what is run."""
    print(f"dev: {text}", file=sys.stderr, flush=True)


def install_headers() -> None:
    """Sees to Python.h, which Debian keeps in a package of its own."""
    if Path(sysconfig.get_paths()["include"], "Python.h").exists():
        return
    package = "pypy3-dev" if sys.implementation.name == "pypy" else "python3-dev"
    command = ["apt-get", "install", "--yes", package]
    if shutil.which("apt-get") is None or os.getuid() != 0:
        msg = f"Python.h is missing; on Debian and Ubuntu: sudo {' '.join(command)}"
        raise MissingError(msg)
    say(f"Python.h is missing: {' '.join(command)}")
    subprocess.run(["apt-get", "update"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_environment() -> None:
    """Makes the virtual environment, with virtualenv where Debian has cut out ensurepip."""
    if PYTHON.exists():
        return
    say(f"making {ENVIRONMENT.name}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", ENVIRONMENT], capture_output=True, check=False
    )
    if made.returncode == 0:
        return
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", folder]
        subprocess.run([*pip, "virtualenv"], check=True)
        subprocess.run(
            [sys.executable, "-m", "virtualenv", "--quiet", "--clear", ENVIRONMENT],
            check=True,
            env={**os.environ, "PYTHONPATH": folder},
        )


def fingerprint() -> str:
    """A digest of what the installed package was built from."""
    digest = hashlib.sha256()
    for pattern in INSTALLED_FROM:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def install() -> None:
    """Installs the checkout, editable, unless it is installed as it is."""
    stamp = ENVIRONMENT / "installed-from"
    wanted = fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    say("installing the checkout and what its benchmark and tests need")
    subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[{EXTRAS}]"], check=True
    )
    stamp.write_text(wanted)


def main(arguments: list[str]) -> int:
    """Does what the command line asks; returns the exit code."""
    commands = {
        "benchmark": [str(ROOT / "tools" / "benchmark.py")],
        "test": ["-m", "pytest"],
        "python": [],
    }
    if not arguments or arguments[0] not in commands:
        print(__doc__)
        return 2
    os.environ.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    try:
        install_headers()
        make_environment()
        install()
    except MissingError as missing:
        say(str(missing))
        return 2
    except subprocess.CalledProcessError as error:
        say(f"{error}; what it said is above")
        return 2
    command = [str(PYTHON), *commands[arguments[0]], *arguments[1:]]
    folder = ROOT if arguments[0] == "test" else None
    return subprocess.run(command, check=False, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
