"""The command line of tools/cross.py."""

from __future__ import annotations

import sys
from typing import Callable

from cross import build, wheels
from cross import test as tests

COMMANDS: dict[str, Callable[..., int]] = {
    "build": build.build_all,
    "wheels": wheels.main,
    "test": tests.main,
    "calls": tests.calls,
}


def main(usage: str, arguments: list[str]) -> int:
    """Runs a command. The exit code is 0 if all is well, 1 if a check failed, 2 for wrong usage."""
    if not arguments or arguments[0] not in COMMANDS:
        print(usage)
        return 2
    try:
        return COMMANDS[arguments[0]](*arguments[1:])
    except build.BuildError as error:
        print(f"cross: {error}", file=sys.stderr)
        return 1
