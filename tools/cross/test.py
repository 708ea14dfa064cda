"""Runs the project's tests on the code for macOS."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from cross.build import build
from cross.targets import CHECKED, MACOS, ROOT

if TYPE_CHECKING:
    from cross.targets import Target

#: What is about a copy, whatever the platform: by pytest's names.
TESTS = (
    "tests/machines",
    "tests/contract",
    *(f"tests/faults/test_{name}.py" for name in ("stopped", "undo")),
    *(
        f"tests/package/test_{name}.py"
        for name in ("api", "audit", "callers", "patch", "patched_shutil", "report", "stand_ins")
    ),
    *(f"tests/package/test_{name}.py" for name in ("stdlib", "threads")),
    "tests/trees/test_tree_contract.py",
)

#: Each access to memory is checked in a few of them.
CHECKED_TESTS = ("tests/machines", "tests/contract/test_contract.py")

#: These start a Python with an environment of its own, or replace calls of Linux, and so use the
#: extension of this machine.
ELSEWHERE = (
    "tests/package/test_report.py::test_debug",
    "tests/faults/test_stopped.py::test_two_signals_at_once",
)

#: Python copies extended attributes on Linux only.
OF_LINUX = ("tests/trees/test_tree_contract.py::test_case[attributes]",)


def main(*arguments: str) -> int:
    """Builds and runs, on one processor or on each; further arguments are pytest's."""
    chosen = [name for name in MACOS if name in arguments] or list(MACOS)
    rest = [each for each in arguments if each not in MACOS]
    codes = []
    for name in chosen:
        for target, tests in ((MACOS[name], TESTS), (CHECKED[name], CHECKED_TESTS)):
            build(target)
            codes.append(run(name, target, tests, rest))
    return max(codes)


def run(processor: str, target: Target, tests: tuple[str, ...], arguments: list[str]) -> int:
    """Runs pytest with the stand-in for the extension. Tests in the arguments replace ``tests``."""
    path = (ROOT, ROOT / "tests", ROOT / "tests" / "machines" / "site")
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "SPEEDCOPY_MACHINE": processor,
        "SPEEDCOPY_MACHINE_LIBRARY": str(target.library),
    }
    left_out = [word for test in (*ELSEWHERE, *OF_LINUX) for word in ("--deselect", test)]
    named = any(each.startswith("tests/") for each in arguments)
    command = [sys.executable, "-m", "pytest", "-p", "machines.plugin", *left_out, *arguments]
    print(f"macOS, {target.name}:", flush=True)
    done = subprocess.run(
        [*command, *(() if named else tests)], cwd=ROOT, env=environment, check=False
    )
    return done.returncode
