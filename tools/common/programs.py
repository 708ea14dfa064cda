"""Running another program and keeping what it printed."""

from __future__ import annotations

import subprocess
import textwrap
from typing import TYPE_CHECKING

from common.errors import ToolError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_COMMAND_WIDTH = 120  # of a failed command in an error message


class ProgramError(ToolError):
    """A program that the tool needs has failed.

    ``printed`` is all that it printed, first what went to stderr.
    """

    def __init__(self, argv: Sequence[str], printed: str, code: int = 0) -> None:
        """The message is the beginning of the command line, and all that was printed."""
        self.program = argv[0]
        self.printed = printed.strip() or f"exit code {code}"
        command = textwrap.shorten(" ".join(argv), _COMMAND_WIDTH, placeholder=" …")
        super().__init__(f"{command}: {self.printed}")

    @property
    def first_line(self) -> str:
        """Why it failed, by most programs."""
        return self.printed.splitlines()[0]

    @property
    def last_line(self) -> str:
        """Why it failed, by pip."""
        return self.printed.splitlines()[-1]


def output(
    argv: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> str:
    """Runs a program; returns what it printed to stdout.

    Raises ProgramError if the program fails, or takes more than ``seconds``.
    """
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProgramError(argv, f"takes more than {seconds} s") from error
    if done.returncode:
        raise ProgramError(argv, done.stderr + done.stdout, done.returncode)
    return done.stdout
