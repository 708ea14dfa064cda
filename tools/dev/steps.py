"""One set-up at a time, step by step, until a signal asks to end."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / ".venv-lock"
SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
PATIENCE_SECONDS = 5


class SetUpError(Exception):
    """The environment cannot be made; the message says why and what to do."""


class Stopped(KeyboardInterrupt):
    """A signal asked the set-up to end."""

    def __init__(self, signum: int) -> None:
        """Keeps the number, for the exit code."""
        super().__init__(signum)
        self.signum = signum


def say(text: str) -> None:
    """Tells the user, apart from the output of what is run."""
    print(f"dev: {text}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raises Stopped on the first signal that asks to end, and ignores the ones after it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ours = [number for number in SIGNALS if before[number] is not signal.SIG_IGN]

    def stop(signum: int, _frame: FrameType | None) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(signum)

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


def step(command: list[str], hint: str, **variables: str) -> None:
    """Runs a step of the set-up. What it prints is shown if it fails.

    It has a session of its own. So Ctrl-C reaches this process alone, which ends the step and all
    that the step has started. The lock is inherited: if this process is killed, the next run waits
    until the step has ended.
    """
    with subprocess.Popen(
        command,
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
        msg = f"{shlex.join(command)} failed, and said the above; {hint}"
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
    """Takes the lock unless somebody has it; True where the file system knows no locks."""
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
