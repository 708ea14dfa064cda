"""What both labs have on their command lines, and how they end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from common import command
from common.errors import ToolError

from lab.errors import EXIT_BROKEN

if TYPE_CHECKING:
    import argparse

PROGRAM = "python tools/lab.py"

say = partial(command.say, "lab")

#: Does a job; returns its exit code, or that of the error or signal that ended it.
exit_code = partial(command.exit_code, "lab", stopped="", failed=EXIT_BROKEN, expected=(ToolError,))


def parser(
    program: str, usages: tuple[str, ...], description: str, epilog: str
) -> argparse.ArgumentParser:
    """A parser that knows --setup and COMMAND; ``usages`` are arguments of the program."""
    usage = "\n       ".join(f"%(prog)s {arguments}" for arguments in usages)
    result = command.parser(program, description, epilog=epilog, usage=usage)
    help_ = "install and fetch what the lab needs"
    result.add_argument("--setup", action="store_true", help=help_)
    result.add_argument("command", nargs="*", metavar="COMMAND")
    return result
