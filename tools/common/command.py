"""One command: its argument parser, its messages, its exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Callable, Optional

from common.errors import ToolError
from common.signals import Stopped, stoppable

Job = Callable[[], Optional[int]]
AS_WRITTEN = argparse.RawDescriptionHelpFormatter


def parser(
    program: str, description: str, epilog: str | None = None, usage: str | None = None
) -> argparse.ArgumentParser:
    """An argument parser that prints its description and epilog as they are written."""
    return argparse.ArgumentParser(program, usage, description, epilog, formatter_class=AS_WRITTEN)


def say(program: str, text: str) -> None:
    """Prints a message of the tool to stderr, apart from the output of what it runs."""
    print(f"{program}: {text}", file=sys.stderr, flush=True)


def exit_code(
    program: str,
    job: Job,
    stopped: str = "everything it made is removed",
    failed: int = 2,
    expected: tuple[type[Exception], ...] = (ToolError, OSError),
) -> int:
    """Does the job; returns its exit code, or that of the error or signal that ended it.

    An ``expected`` error is one line on stderr; its exit code is its own, or ``failed``. A signal
    is one line as well, unless ``stopped``, which says what is left, is empty. Its exit code is
    128 + its number, as a shell has it.
    """
    try:
        with stoppable():
            return job() or 0
    except expected as error:
        say(program, str(error))
        return getattr(error, "exit_code", None) or failed
    except Stopped as signalled:
        if stopped:
            say(program, f"stopped by {signal.Signals(signalled.signum).name}; {stopped}")
        return 128 + signalled.signum
