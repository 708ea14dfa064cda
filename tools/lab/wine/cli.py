"""Arguments of ``python tools/lab.py --windows``."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab import command
from lab.errors import EXIT_BROKEN, EXIT_MISSING
from lab.wine import build, run, setup

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

DESCRIPTION = f"""\
Run a Windows COMMAND under Wine, in the current directory: `python` is a CPython for Windows
with cffi, pytest, hypothesis and tabulate. Its output is passed on as it comes, its exit code
is returned: {EXIT_MISSING} also means that a piece of the lab is missing, {EXIT_BROKEN} that \
the lab failed.

Every run has a Windows drive and a Python of its own. They are removed at its end, and all its
processes are ended.
"""

EPILOG = f"""\
COMMAND finds in its environment:
  {run.UNC_VARIABLE}  {run.UNC}, a share that is an empty folder
  {run.FAKE_VARIABLE}  with --project: a CopyFile2 for the tests: tools/lab/wine/fake_copyfile2.c
  PYTHONSAFEPATH     with --project and --install: the installed package is imported,
                     not the one in the current directory
"""


USAGES = ("[options] -- COMMAND...", "--setup | --wheel DIR | --check-targets")


def main(argv: Sequence[str]) -> int:
    """Do what the arguments ask; the exit code."""
    options = parser().parse_args(argv)
    return command.exit_code(partial(_do, options))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = command.parser(f"{command.PROGRAM} --windows", USAGES, DESCRIPTION, EPILOG)
    add = result.add_argument
    add("--wheel", type=Path, metavar="DIR", help="cross-build the project's wheel into DIR")
    help_ = "compile the Windows sources for 64-bit, 32-bit and ARM64, warnings being errors"
    add("--check-targets", action="store_true", help=help_)
    help_ = f"which Windows Python (default: {setup.DEFAULT_PYTHON})"
    add("--python", choices=setup.PYTHONS, default=setup.DEFAULT_PYTHON, help=help_)
    add("--project", action="store_true", help="build the wheel and install it first")
    help_ = "install this wheel first"
    add("--install", type=Path, action="append", default=[], metavar="WHEEL", help=help_)
    return result


def _do(options: argparse.Namespace) -> int:
    if options.setup:
        setup.setup(options.python, command.say)
    if options.wheel:
        command.say(f"built {build.wheel(options.wheel)}")
    if options.check_targets and build.check_targets():
        return 1
    return _run(options) if options.command else 0


def _run(options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        wheels = list(options.install)
        if options.project:
            wheels.append(build.wheel(Path(scratch)))
        with run.session(options.python) as windows:
            if options.project:
                windows.offer(build.fake_copyfile2(Path(scratch)))
            for wheel in wheels:
                windows.install(wheel)
            return windows.run(options.command)
