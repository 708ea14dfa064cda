"""Which command is run; signals and exit codes."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, Optional

from speedcopy.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = """\
usage: speedcopy cp [OPTIONS] SRC... DST     copy files and trees
       speedcopy probe DIR [DIR] [--json]    what copies can use there, and why not more
       speedcopy bench [DIR] [OPTIONS]       how fast copies are there, and those of shutil
       speedcopy COMMAND --help
       speedcopy --version
"""

COMMANDS = ("cp", "probe", "bench")

#: What a shell reports for a program that a signal has ended.
_ENDED_BY_SIGNAL = 128

#: What asks a program to end, beside Ctrl-C.
_SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs what the command line says; returns the exit code."""
    _open_closed()
    command, *rest = (sys.argv[1:] if arguments is None else arguments) or [""]
    if command in ("-h", "--help"):
        sys.stdout.write(USAGE)
        return 0
    if command == "--version":
        sys.stdout.write(f"speedcopy {__version__}\n")
        return 0
    if command not in COMMANDS:
        sys.stderr.write(USAGE)
        return 1
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    for number, handler in before.items():
        if handler is signal.SIG_DFL:  # nohup has SIGHUP ignored
            signal.signal(number, _stop)
    try:
        # Imported under the handlers, as a signal may come meanwhile.
        code: int = importlib.import_module(f"speedcopy._cli.{command}").main(rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _ENDED_BY_SIGNAL + signal.SIGINT
    except BrokenPipeError:  # as of `| head`: nobody reads on
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    finally:
        _drop_messages_on_full_disk()
        for number, handler in before.items():
            signal.signal(number, handler)
    return code


def _drop_messages_on_full_disk() -> None:
    """Else Python (3.13.5, not 3.11) exits with 120, not our code, as it cannot flush stderr."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _open_closed() -> None:
    """Opens the streams that the caller has closed. Else a file that is copied is one of them."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _stop(number: int, _frame: object) -> NoReturn:
    """Stops a copy as Ctrl-C does, so that nothing half-made is left."""
    sys.exit(_ENDED_BY_SIGNAL + number)
