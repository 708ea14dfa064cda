"""Arguments of ``python tools/lab.py``."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from lab import command
from lab.errors import EXIT_BROKEN, EXIT_MISSING, EXIT_SKIPPED
from lab.vm import host, mounts, setup

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

WINDOWS = "--windows"

DESCRIPTION = f"""\
Run COMMAND in a virtual machine that has real network shares mounted.

The guest sees this machine's files: COMMAND runs in the current directory, with the same
programs and environment, and `python` is the one that runs the lab. What it writes to them stays
in the guest's memory and is lost. Its output is passed on as it comes, its exit code is returned:
{EXIT_MISSING} also means that a piece of the lab is missing, {EXIT_SKIPPED} that --strict found a
mount skipped, {EXIT_BROKEN} that the lab failed.

With {WINDOWS} before all else, COMMAND is one of Windows, under Wine; that has options of its own.
"""

EPILOG = f"""\
COMMAND finds in its environment (and in its own arguments: quote them, '$SHARE'):
{mounts.described()}
"""

USAGES = ("[options] -- COMMAND...", "--setup [--kernel VERSION]", f"{WINDOWS} --help")


def main(argv: Sequence[str]) -> int:
    """Do what the arguments ask; the exit code."""
    options = parser().parse_args(argv)
    return command.exit_code(partial(_do, options))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = command.parser(command.PROGRAM, USAGES, DESCRIPTION, EPILOG)
    add = result.add_argument
    help_ = f"6.1, {setup.TESTING}... (default: {setup.DEFAULT_KERNEL})"
    add("--kernel", default=setup.DEFAULT_KERNEL, metavar="VERSION", help=help_)
    help_ = "this machine's Samba, or that of Debian testing"
    add("--samba", default=setup.DEFAULT_SAMBA, choices=setup.SAMBAS, help=help_)
    add("--delay", type=float, default=0, metavar="MS", help="round-trip delay of the network")
    add("--strict", action="store_true", help=f"a skipped mount is exit code {EXIT_SKIPPED}")
    help_ = "let COMMAND write into this directory of the host"
    add("--writable", type=os.path.realpath, action="append", default=[], metavar="DIR", help=help_)
    add("--verbose", action="store_true", help="show the guest's console")
    return result


def _do(options: argparse.Namespace) -> int:
    setup.require_root()
    if options.setup:
        setup.setup(options.kernel, options.samba, command.say)
    if not options.command:
        return 0
    try:
        asked = {field.name: getattr(options, field.name) for field in fields(host.Session)}
        return host.run(host.Session(**asked), command.say)
    except BrokenPipeError:  # nobody reads the output any more, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
