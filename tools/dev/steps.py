"""One set-up at a time, step by step."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common import command
from common.errors import ToolError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / ".venv-lock"
PATIENCE_SECONDS = 5


class SetUpError(ToolError):
    """The environment cannot be made."""


say = partial(command.say, "dev")


def step(argv: list[str], hint: str, **variables: str) -> None:
    """Runs a step of the set-up. What it prints is shown if it fails.

    It has a session of its own. So Ctrl-C reaches this process alone, which ends the step and all
    that the step has started. The lock is inherited: if this process is killed, the next run waits
    until the step has ended.
    """
    with subprocess.Popen(
        argv,
        cwd=ROOT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            end(process)
            raise
    if process.returncode:
        sys.stderr.write(output.decode(errors="replace"))
        msg = f"{shlex.join(argv)} failed with the output above; {hint}"
        raise SetUpError(msg)


def end(process: subprocess.Popen[bytes]) -> None:
    """Lets a step remove its temporary files, then ends what is left of it."""
    if sys.platform == "win32":
        process.kill()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(PATIENCE_SECONDS)
        os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """One set-up at a time in this checkout."""
    with LOCK.open("ab") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - has no keyword
        if not taken(file.fileno()):
            say("another run sets this checkout up: waiting for it")
            while not taken(file.fileno()):
                time.sleep(0.1)
        yield


def taken(fd: int) -> bool:
    """Takes the lock unless somebody has it; True where the file system has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
