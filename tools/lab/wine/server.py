"""One Wine: its environment, its server, and the end of every process it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import ProgramError, output

from lab.processes import POLL_SECONDS, STOP_SECONDS, adopt_orphans, children_alive

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAMS = "usr/lib/wine"  # in the folder that Wine is unpacked in
PERSIST_SECONDS = 60  # without clients; a run that is killed leaves no server behind for long

# Root may write into files that their mode forbids, so a read-only file would not be one.
LIKE_A_USER = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")

# Of the caller's environment: a screen, paths of another Python, and a variable that makes
# Debian's wineserver abort.
DROPPED = ("DISPLAY", "WAYLAND_DISPLAY", "PYTHONHOME", "PYTHONPATH", "TMPDIR")


def windows_path(path: Path) -> str:
    """The name that Windows programs know a file of this machine by."""
    return "Z:" + str(path.resolve()).replace("/", "\\")


class Wine:
    """Wine unpacked in ``root``, working on one prefix."""

    def __init__(self, root: Path, prefix: Path) -> None:
        """Takes the caller's environment without what disturbs Wine."""
        self.prefix = prefix
        self._programs = root / PROGRAMS
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if name not in DROPPED and not name.startswith("WINE")
            },
            "WINEPREFIX": str(prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
            "WINESERVER": str(self._programs / "wineserver64"),
            "LC_ALL": "C.UTF-8",  # file names of this machine are UTF-8
            "PYTHONIOENCODING": "utf-8:backslashreplace",
        }

    def argv(self, program: str, *arguments: str) -> list[str]:
        """The command line of a program of Wine, or with ``wine64`` one of Windows."""
        confined = LIKE_A_USER if os.geteuid() == 0 else ()
        return [*confined, str(self._programs / program), *arguments]

    def output(self, program: str, *arguments: str) -> str:
        """What a program prints, while the server runs; ProgramError if it fails."""
        return output(self.argv(program, *arguments), environment=self.environment)

    def _start(self, program: str, *arguments: str) -> None:
        """Run a program that leaves others behind: they must not hold the caller's pipes."""
        argv = self.argv(program, *arguments)
        null = subprocess.DEVNULL
        done = subprocess.run(
            argv, env=self.environment, stdin=null, stdout=null, stderr=null, check=False
        )
        if done.returncode:
            raise ProgramError(argv, "", done.returncode)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Start the server and the services; afterwards no process of this prefix is left."""
        self.prefix.mkdir(parents=True, exist_ok=True)
        adopt_orphans()
        try:
            self._start("wineserver64", f"-p{PERSIST_SECONDS}")
            self._start("wine64", "wineboot", "-i")
            yield
        finally:
            self._stop()

    def _stop(self) -> None:
        with contextlib.suppress(ProgramError):  # there is none any more
            self._start("wineserver64", "-k")
        deadline = time.monotonic() + STOP_SECONDS
        while (left := self._processes()) or children_alive():
            if time.monotonic() > deadline:
                if not left:  # only children of somebody else in this process
                    break
                _kill(left)
            time.sleep(POLL_SECONDS)
        self._remove_socket()

    def _processes(self) -> list[int]:
        mark = f"WINEPREFIX={self.prefix}".encode()
        return [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if mark in _environment(pid)
        ]

    def _remove_socket(self) -> None:
        """Remove the folder in /tmp that Debian's wineserver makes, and names in the prefix."""
        with contextlib.suppress(FileNotFoundError):
            name = (self.prefix / "wineserver").read_text()
            (self.prefix / "wineserver").unlink()
            remove = ["rm", "-rf", "--", f"/tmp/{Path(name).name}"]  # noqa: S108
            subprocess.run(remove, check=False)


def _environment(pid: int) -> Sequence[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:  # gone, or not ours
        return ()


def _kill(pids: Sequence[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
