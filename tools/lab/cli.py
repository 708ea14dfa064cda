"""Arguments and exit codes of ``python tools/lab.py``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import EXIT_BROKEN, EXIT_MISSING, EXIT_SKIPPED, LabError
from lab.vm import host, mounts, setup
from lab.wine import cli as wine

if TYPE_CHECKING:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == [WINDOWS]:
        return wine.main(arguments[1:])
    options = parser().parse_args(arguments)
    try:
        setup.require_root()
        if options.setup:
            setup.setup(options.kernel, options.samba, say)
        if options.command:
            return host.run(_session(options), say)
    except LabError as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:  # as of `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return 0


def say(text: str) -> None:
    """Speak for the lab, beside the output of COMMAND."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = argparse.ArgumentParser(
        prog="python tools/lab.py",
        usage="%(prog)s [options] -- COMMAND...\n"
        "       %(prog)s --setup [--kernel VERSION]\n"
        f"       %(prog)s {WINDOWS} --help",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--setup", action="store_true", help="install and fetch what the lab needs")
    add(
        "--kernel",
        default=setup.DEFAULT_KERNEL,
        metavar="VERSION",
        help=f"6.1, {setup.TESTING}... (default: {setup.DEFAULT_KERNEL})",
    )
    add(
        "--samba",
        default=setup.DEFAULT_SAMBA,
        choices=setup.SAMBAS,
        help="this machine's Samba, or that of Debian testing",
    )
    add("--delay", type=float, default=0, metavar="MS", help="round-trip delay of the network")
    add("--strict", action="store_true", help=f"a skipped mount is exit code {EXIT_SKIPPED}")
    add(
        "--writable",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="let COMMAND write into this directory of the host",
    )
    add("--verbose", action="store_true", help="show the guest's console")
    add("command", nargs="*", metavar="COMMAND")
    return result


def _session(options: argparse.Namespace) -> host.Session:
    return host.Session(
        command=options.command,
        kernel=options.kernel,
        samba=options.samba,
        delay=options.delay,
        strict=options.strict,
        writable=[path.resolve() for path in options.writable],
        verbose=options.verbose,
    )
