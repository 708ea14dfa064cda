"""One command: its argument parser, its messages, its exit code."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Callable, Optional

from common.errors import ToolError
from common.signals import Stopped, stoppable

Job = Callable[[], Optional[int]]


class Parser(argparse.ArgumentParser):
    """An argument parser that prints ``description`` and ``epilog`` as they are written."""

    def __init__(
        self,
        prog: str | None = None,
        description: str | None = None,
        epilog: str | None = None,
        usage: str | None = None,
    ) -> None:
        """All of them are optional, as subcommands are parsers, too."""
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            usage=usage,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )


def say(program: str, text: str) -> None:
    """Prints a message of the tool to stderr, apart from the output of what it runs."""
    print(f"{program}: {text}", file=sys.stderr, flush=True)


def exit_code(
    program: str,
    job: Job,
    stopped: str = "everything it made is removed",
    expected: tuple[type[Exception], ...] = (ToolError, OSError),
) -> int:
    """Does the job; returns its exit code, or that of the error or signal that ended it.

    An ``expected`` error is one line on stderr. So is a signal, unless ``stopped`` is empty, which
    says what is left; its exit code is 128 + its number, as a shell has it.
    """
    try:
        with stoppable():
            return job() or 0
    except expected as error:
        say(program, str(error))
        return error.exit_code if isinstance(error, ToolError) else ToolError.exit_code
    except Stopped as signalled:
        if stopped:
            say(program, f"stopped by {signal.Signals(signalled.signum).name}; {stopped}")
        return 128 + signalled.signum
