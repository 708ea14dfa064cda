"""One run of a Windows command: a fresh drive and a fresh Python, gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.signals import Stopped

from lab.processes import STOP_SECONDS
from lab.wine import setup
from lab.wine.server import Wine, windows_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

UNC_VARIABLE = "SPEEDCOPY_LAB_UNC"
FAKE_VARIABLE = "SPEEDCOPY_FAKE_COPYFILE2"  # read by tests/windows/fake_copyfile2.py
UNC = r"\\server\share"


@dataclass(frozen=True)
class Session:
    """Wine at work, with one Windows Python that may be changed at will."""

    windows: Wine
    python: Path

    def run(self, command: Sequence[str]) -> int:
        """Run a Windows command on the caller's terminal; its exit code."""
        program = str(self.python) if command[0] == "python" else command[0]
        process = subprocess.Popen(
            self.windows.argv("wine64", program, *command[1:]),
            env=self.windows.environment,
        )
        try:
            return process.wait()
        except Stopped:  # Ctrl-C has reached the command as well: give it time to end
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            raise
        finally:
            process.kill()
            process.wait()

    def offer(self, fake: Path) -> None:
        """Let the tests find their CopyFile2."""
        self.windows.environment[FAKE_VARIABLE] = windows_path(fake)

    def install(self, wheel: Path) -> None:
        """Install a wheel with the pip of Windows; a checkout is not imported from then on."""
        options = ("--quiet", "--no-deps", "--no-index", "--disable-pip-version-check")
        pip = (str(self.python), "-m", "pip", "install", *options)
        self.windows.output("wine64", *pip, windows_path(wheel))
        self.windows.environment["PYTHONSAFEPATH"] = "1"


@contextlib.contextmanager
def session(version: str) -> Iterator[Session]:
    """Start Wine with a Windows Python; everything is gone afterwards."""
    python = setup.windows_python(version)
    tests = setup.tests_of_python(version)
    setup.require(setup.WINE, setup.PREFIX, python, tests)
    # In the cache, as hard links work within one file system only.
    with tempfile.TemporaryDirectory(prefix="run-", dir=setup.folder()) as name:
        scratch = Path(name)
        windows = Wine(setup.WINE.path, setup.copy_of_prefix(scratch))
        windows.environment[UNC_VARIABLE] = UNC
        _make_share(scratch / "share", windows.prefix)
        own = scratch / "python"
        shutil.copytree(python.path, own, copy_function=os.link)
        shutil.copytree(tests.path, own / "Lib/test", copy_function=os.link)
        with windows.running():
            yield Session(windows, own / "python.exe")


def _make_share(folder: Path, prefix: Path) -> None:
    """Let Wine find a folder under the UNC name of the share."""
    folder.mkdir()
    server, share = UNC.strip("\\").split("\\")
    link = prefix / "dosdevices/unc" / server / share
    link.parent.mkdir(parents=True)
    link.symlink_to(folder)
