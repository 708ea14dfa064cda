"""The command line of tools/cross.py."""

from __future__ import annotations

import importlib
import importlib.util
from functools import partial

from common.command import exit_code, say

#: By the name of a command: its module, which is imported if it is used, and its function.
COMMANDS = {
    "build": ("build", "build_all"),
    "wheels": ("wheels", "main"),
    "test": ("test", "main"),
    "calls": ("test", "calls"),
}

#: What the extras install, and the standard library has not.
NEEDED = ("abi3audit", "cffi", "lief", "setuptools", "ziglang")


def main(usage: str, arguments: list[str]) -> int:
    """Runs a command. The exit code is 1 if a check failed, 2 if a command cannot be run."""
    if not arguments or arguments[0] not in COMMANDS:
        print(usage)
        return 2
    missing = [name for name in NEEDED if not importlib.util.find_spec(name)]
    if missing:
        say("cross", f"missing: {', '.join(missing)}; run: pip install '.[test,machines]'")
        return 2
    module, name = COMMANDS[arguments[0]]
    function = getattr(importlib.import_module(f"cross.{module}"), name)
    return exit_code("cross", partial(function, *arguments[1:]), "what it has built is kept")
