"""Runs wheels as far as this machine can: the contract, against the installed wheel.

What a run needs is fetched by the first one, into the folder "chroots" of the lab's cache. If that
is removed, the next run fetches it again.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.errors import ToolError

from cross.targets import ROOT
from cross.ways import WAYS, ContractError, Run

if TYPE_CHECKING:
    from cross.targets import Target

PASSED, FAILED, NOT_RUN = "passed", "FAILED", "not run"

CONTRACT = Path(__file__).with_name("run_contract.py")


class Result(NamedTuple):
    """What came of a run. ``text`` has each Python and its tests, or says why there are none."""

    state: str
    text: str
    seconds: float


def run(target: Target, wheel: Path, *options: str) -> Result:
    """Runs the contract against the wheel of a target; the options are pytest's."""
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name, "run")
            lay_out(folder)
            printed = WAYS[target.run](Run(target, wheel.resolve(), folder, options))
        state, text = PASSED, "; ".join(map(summary, printed))
    except ContractError as error:
        print(error.printed, file=sys.stderr)
        state, text = FAILED, str(error)
    except ToolError as error:
        state, text = NOT_RUN, str(error).splitlines()[0]
    return Result(state, text, time.monotonic() - started)


def lay_out(folder: Path) -> None:
    """Fills a folder with the tests, and not the package: the installed one has to be imported."""
    left_out = shutil.ignore_patterns("__pycache__")
    for name in ("tests", "tools"):
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for file in (ROOT / "pyproject.toml", CONTRACT):
        shutil.copy(file, folder)


def summary(printed: str) -> str:
    """Which Python it was, and the numbers of tests: all of them, if pytest ran more than once."""
    lines = printed.splitlines()
    python = next((line.split(",")[0] for line in lines if line.endswith((".so", ".pyd"))), "")
    ends = [line.strip("= ") for line in lines if re.search(r"\d+ passed.* in [\d.]+s", line)]
    counts = " and ".join(re.sub(r" in [\d.]+s.*", "", line) for line in ends or lines[-1:])
    return f"{python}: {counts}" if python else counts
