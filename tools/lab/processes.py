"""Processes that end with the lab."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

STOP_SECONDS = 5.0
POLL_SECONDS = 0.02

PR_SET_CHILD_SUBREAPER = 36


@contextlib.contextmanager
def running(
    argv: Sequence[str], log: IO[bytes] | None = None, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program in a process group of its own, and stop the whole group afterwards."""
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group, first by SIGTERM; returns when all have ended."""
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        deadline = time.monotonic() + STOP_SECONDS
        while group_alive(process) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def group_alive(process: subprocess.Popen[bytes]) -> bool:
    """Whether any process of the group is left; reaps those that are ours."""
    process.poll()
    children_alive(-process.pid)
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True


def children_alive(which: int = -1) -> bool:
    """Reaps the children that have ended, adopted ones too; whether any is left of ``which``.

    These are all, or with ``-group`` those of a process group.
    """
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(which, os.WNOHANG) != (0, 0):
            pass
        return True
    return False


def adopt_orphans() -> None:
    """Become the parent of processes whose parent has ended: nobody reaps them in a container."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def tail(path: Path, lines: int = 20) -> str:
    """The end of a log, for an error message."""
    with contextlib.suppress(OSError):
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    return ""
