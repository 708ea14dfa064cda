"""The command line of tools/report.py, and the text that it prints."""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path
from typing import Callable, Optional

import speedcopy
from speedcopy import _loader
from volunteer.cases import CASES, Skip, same_content, write


def machine() -> str:
    """What this is about."""
    rows = ", ".join(_loader.native.MECHANISMS) if _loader.native else _loader.why_not or "none"
    system = platform.mac_ver()[0] or platform.release()
    return (
        f"speedcopy {speedcopy.__version__}, {platform.python_implementation()} "
        f"{platform.python_version()}, {platform.system()} {system}, {platform.machine()}; "
        f"mechanisms: {rows}"
    )


def to_other(other: Path) -> Callable[[Path], str]:
    """A copy to another volume."""

    def other_volume(folder: Path) -> str:
        write(folder / "src", 100_000)
        with tempfile.TemporaryDirectory(dir=other) as there:
            result = speedcopy.transfer(folder / "src", Path(there, "dst"))
            same_content(folder / "src", Path(there, "dst"))
        return str(result)

    return other_volume


def tried(case: Callable[[Path], str], target: Optional[Path]) -> tuple[str, str]:
    """How a case ended, and what it says."""
    with tempfile.TemporaryDirectory(dir=target, prefix="speedcopy-report-") as folder:
        try:
            return "ok", case(Path(folder))
        except Skip as reason:
            return "skipped", str(reason)
        except Exception as error:  # noqa: BLE001
            return "FAILED", f"{type(error).__name__}: {error}"


def main(usage: str, arguments: list[str]) -> int:
    """Tries everything. The exit code is 1 if a case failed."""
    parser = argparse.ArgumentParser(
        description=usage, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--target", type=Path, metavar="DIR")
    parser.add_argument("--other", type=Path, metavar="DIR")
    options = parser.parse_args(arguments)
    print(machine())
    failed = False
    cases = [*CASES, *([to_other(options.other)] if options.other else [])]
    for case in cases:
        ended, text = tried(case, options.target)
        failed |= ended == "FAILED"
        print(f"{ended:7} {case.__name__}: {text}", flush=True)
    return int(failed)
