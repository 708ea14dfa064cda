"""The command line of tools/report.py, and the text that it prints."""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path
from typing import Callable

from common.command import exit_code

import speedcopy
from volunteer import far, local
from volunteer.checks import NotHere, Places, Wrong, file_system

CASES: tuple[Callable[[Places], str], ...] = (
    *(local.native, local.new_file, local.dressed, local.quarantine, local.existing),
    *(far.other_volume, local.compressed, local.sparse, local.cancelled, local.ctrl_c),
    *(far.share, far.server_copy),
)


def machine(folder: Path) -> str:
    """What this is about."""
    system = platform.mac_ver()[0] or platform.release()
    return (
        f"speedcopy {speedcopy.__version__}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {system}, {platform.machine()}, "
        f"{file_system(folder)}"
    )


def tried(case: Callable[[Places], str], places: Places) -> tuple[str, str]:
    """How a case ended, and what it says. Its folder is removed, whatever happens."""
    with tempfile.TemporaryDirectory(dir=places.folder, prefix=far.PREFIX) as made:
        try:
            return "ok", case(Places(Path(made), places.other, places.share))
        except NotHere as reason:
            return "not here", str(reason)
        except Wrong as what:
            return "WRONG", str(what)
        except Exception as error:  # noqa: BLE001
            return "WRONG", f"{type(error).__name__}: {error}"


def report(places: Places) -> int:
    """Tries everything. The exit code is 1 if something was wrong."""
    print(machine(places.folder), flush=True)
    wrong = False
    for number, case in enumerate(CASES, 1):
        ended, text = tried(case, places)
        wrong |= ended == "WRONG"
        name = case.__name__.replace("_", " ")
        print(f"{number:2} {name}: {ended}: {text}", flush=True)
    return int(wrong)


def main(usage: str, arguments: list[str]) -> int:
    """Reads the arguments, and reports. The exit code is 2 if that is impossible."""
    parser = argparse.ArgumentParser(
        description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for option in ("--target", "--other", "--share"):
        parser.add_argument(option, type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    folder = options.target or Path(tempfile.gettempdir())
    return exit_code("report", lambda: report(Places(folder, options.other, options.share)))
