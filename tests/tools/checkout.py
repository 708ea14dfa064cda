"""A small checkout of its own for tools/dev.py, and what stands in for its slow steps."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

TOOLS = Path(__file__).resolve().parents[2] / "tools"
PATIENCE_SECONDS = 60

#: Runs as `python -m venv --clear FOLDER`, `python -m pip install ...` and `python -m ensurepip`.
STAND_IN = """
import os, sys, time
from pathlib import Path
here, name = Path(__file__).parent, Path(__file__).stem
with (here / "log").open("a") as log:
    log.write(name + " ")
(here / "busy").mkdir()  # fails if another one is at work
if name == "venv":
    python = Path(sys.argv[-1], "bin", "python")
    python.parent.mkdir(parents=True, exist_ok=True)
    python.unlink(missing_ok=True)
    python.symlink_to(sys.executable)
if name == os.environ.get("BLOCKED"):
    (here / "blocked").write_text(str(os.getpid()))
    try:
        while (here / "blocked").exists():
            time.sleep(0.01)
    finally:
        (here / "busy").rmdir()
        print(name, "was here")
else:
    (here / "busy").rmdir()
if name == os.environ.get("FAILING"):
    sys.exit(name + " says no")
"""

#: What builds a package out of nothing, so that pip needs no network.
BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name, info = "small-1-py3-none-any.whl", "small-1.dist-info/"
    files = {
        "small.pth": "",
        info + "METADATA": "Metadata-Version: 2.1\\nName: small\\nVersion: 1\\n"
        "Provides-Extra: bench\\nProvides-Extra: test\\n",
        info + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    record = "".join(f"{file},,\\n" for file in [*files, info + "RECORD"])
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        for file, content in {**files, info + "RECORD": record}.items():
            wheel.writestr(file, content)
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "small"
version = "1"
[project.optional-dependencies]
bench = []
test = []
"""


@dataclass
class Checkout:
    """A folder with tools/dev.py in it and little else."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Copies the tool; a package that is built in no time lies beside it."""
        self.folder.mkdir()
        for package in ("common", "dev"):
            shutil.copytree(TOOLS / package, self.folder / "tools" / package)
        shutil.copy(TOOLS / "dev.py", self.folder / "tools")
        (self.folder / "backend.py").write_text(BACKEND)
        (self.folder / "pyproject.toml").write_text(PROJECT)

    @property
    def environment(self) -> Path:
        """The virtual environment."""
        return self.folder / f".venv-{sys.implementation.cache_tag}"

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """Starts the tool; without arguments, a command that prints ``ran``."""
        command = arguments or ("python", "-c", "print('ran')")
        return subprocess.Popen(
            [sys.executable, str(self.folder / "tools" / "dev.py"), *command],
            env={**os.environ, **self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> Ended:
        """Runs the tool to its end."""
        return ended(self.start(*arguments, **variables))


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str


def ended(process: subprocess.Popen[str]) -> Ended:
    """Waits for the end of a run."""
    with process:
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    return Ended(process.returncode, stdout, stderr)


def wait_for(condition: Callable[[], object]) -> None:
    """Waits until something is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class Staged(Checkout):
    """Steps that take no time, and that a test can block or let fail.

    ``BLOCKED`` and ``FAILING`` in the environment name the step: venv or pip.
    """

    def __post_init__(self) -> None:
        """Writes what ``python -m`` finds before the real ones."""
        super().__post_init__()
        self.stage = self.folder / "stage"
        self.stage.mkdir()
        for name in ("venv", "ensurepip", "pip"):
            (self.stage / f"{name}.py").write_text(STAND_IN)
        compiler = self.stage / "compiler"
        compiler.write_text("#!/bin/sh\nexit 0\n")
        compiler.chmod(0o755)
        self.variables = {"PYTHONPATH": str(self.stage), "CC": str(compiler)}

    def at_start(self, code: str) -> None:
        """Has each Python run ``code`` first."""
        (self.stage / "sitecustomize.py").write_text(code)

    def steps(self) -> list[str]:
        """The steps that were begun since the last call."""
        log = self.stage / "log"
        begun = log.read_text().split() if log.exists() else []
        log.unlink(missing_ok=True)
        return begun

    def blocked(self) -> int:
        """The process id of the step that is blocked, once it is."""
        file = self.stage / "blocked"
        wait_for(lambda: file.exists() and file.read_text())
        return int(file.read_text())

    def unblock(self) -> None:
        """Lets the blocked step go on."""
        (self.stage / "blocked").unlink()

    def clear(self) -> None:
        """Removes what a killed step has left on the stage."""
        (self.stage / "blocked").unlink(missing_ok=True)
        if (self.stage / "busy").exists():
            (self.stage / "busy").rmdir()
