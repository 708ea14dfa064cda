"""Arguments and exit codes of ``python tools/lab.py --windows``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lab.errors import EXIT_BROKEN, EXIT_MISSING, LabError
from lab.processes import interruptible
from lab.wine import build as wine_build
from lab.wine import run as wine_run
from lab.wine import setup as wine_setup

if TYPE_CHECKING:
    from collections.abc import Sequence

DESCRIPTION = f"""\
Run a Windows COMMAND under Wine, in the current directory: `python` is a CPython for Windows
with cffi, pytest, hypothesis and tabulate. Its output is passed on as it comes, its exit code
is returned: {EXIT_MISSING} also means that a piece of the lab is missing, {EXIT_BROKEN} that \
the lab failed.

Every run has a Windows drive and a Python of its own, gone afterwards with all processes.
"""

EPILOG = f"""\
COMMAND finds in its environment:
  {wine_run.UNC_VARIABLE}  {wine_run.UNC}, a share that is an empty folder
  {wine_run.FAKE_VARIABLE}  with --project: what tests/windows/fake_copyfile2.c was compiled to
  PYTHONSAFEPATH     with --project and --install: the installed package is imported,
                     not the one in the current directory
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; the exit code."""
    options = parser().parse_args(argv)
    try:
        with interruptible():
            return _do(options)
    except LabError as error:
        say(str(error))
        return error.exit_code


def say(text: str) -> None:
    """Speak for the lab, beside the output of COMMAND."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = argparse.ArgumentParser(
        prog="python tools/lab.py --windows",
        usage="%(prog)s [options] -- COMMAND...\n"
        "       %(prog)s --setup | --wheel DIR | --check-targets",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("--setup", action="store_true", help="install and fetch what the lab needs")
    add("--wheel", type=Path, metavar="DIR", help="cross-build the project's wheel into DIR")
    add(
        "--check-targets",
        action="store_true",
        help="compile the Windows sources for 64-bit, 32-bit and ARM64, warnings being errors",
    )
    add(
        "--python",
        choices=wine_setup.PYTHONS,
        default=wine_setup.DEFAULT_PYTHON,
        help=f"which Windows Python (default: {wine_setup.DEFAULT_PYTHON})",
    )
    add("--project", action="store_true", help="build the wheel and install it first")
    add(
        "--install",
        type=Path,
        action="append",
        default=[],
        metavar="WHEEL",
        help="install this wheel first",
    )
    add("command", nargs="*", metavar="COMMAND")
    return result


def _do(options: argparse.Namespace) -> int:
    if options.setup:
        wine_setup.setup(options.python, say)
    if options.wheel:
        say(f"built {wine_build.wheel(options.wheel)}")
    if options.check_targets and wine_build.check_targets():
        return 1
    return _run(options) if options.command else 0


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        wheels = list(options.install)
        if options.project:
            wheels.append(wine_build.wheel(Path(scratch)))
        with wine_run.session(options.python) as windows:
            if options.project:
                windows.offer(wine_build.fake_copyfile2(Path(scratch)))
            for wheel in wheels:
                windows.install(wheel)
            return windows.run(options.command)
