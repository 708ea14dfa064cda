"""Runs the project's tests on the code for macOS and FreeBSD; counts system calls on macOS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from cross.build import build
from cross.targets import CHECKED, FREEBSD, MACOS, OUTPUT, ROOT

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

#: The code for FreeBSD has little of its own.
FREEBSD_TESTS = ("tests/machines", "tests/contract/test_contract.py")

#: Tests that cannot run on this code, and why.
LEFT_OUT = {
    "tests/package/test_report.py::test_debug": "starts a Python with an environment of its own",
    "tests/faults/test_stopped.py::test_two_signals_at_once": "replaces calls of Linux",
    "tests/trees/test_tree_contract.py::test_case[attributes]": "Python has no extended "
    "attributes on macOS",
}

#: Where each run adds a line about itself.
SUMMARY = OUTPUT / "summary.txt"


def main(*arguments: str) -> int:
    """Builds and runs, on one processor or on each; further arguments are pytest's."""
    machines = (*MACOS, *FREEBSD)
    chosen = [name for name in machines if name in arguments] or machines
    rest = [each for each in arguments if each not in machines]
    codes = []
    OUTPUT.mkdir(parents=True, exist_ok=True)
    SUMMARY.write_text("")
    started = time.monotonic()
    for name in chosen:
        if name in FREEBSD:
            runs: list[tuple[Target, tuple[str, ...]]] = [(FREEBSD[name], FREEBSD_TESTS)]
        else:
            runs = [(MACOS[name], TESTS), (CHECKED[name], CHECKED_TESTS)]
        for target, tests in runs:
            build(target)
            codes.append(run(name, target, tests, rest))
    print(*(f"left out: {test}: {why}" for test, why in LEFT_OUT.items()), sep="\n")
    print(f"{SUMMARY.read_text()}{time.monotonic() - started:.0f} s in all", flush=True)
    return max(codes)


def environment(processor: str, target: Target) -> dict[str, str]:
    """Every Python started with it has the stand-in for the extension."""
    path = (ROOT, ROOT / "tests", ROOT / "tests" / "machines" / "site")
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "SPEEDCOPY_MACHINE": processor,
        "SPEEDCOPY_MACHINE_LIBRARY": str(target.library),
        "SPEEDCOPY_MACHINE_SUMMARY": str(SUMMARY),
    }


def run(processor: str, target: Target, tests: tuple[str, ...], arguments: list[str]) -> int:
    """Runs pytest on a library. Tests in the arguments replace ``tests``."""
    left_out = [word for test in LEFT_OUT for word in ("--deselect", test)]
    named = any(each.startswith("tests/") for each in arguments)
    command = [sys.executable, "-m", "pytest", "-p", "machines.plugin", *left_out, *arguments]
    print(f"{target.name}:", flush=True)
    done = subprocess.run(
        [*command, *(() if named else tests)],
        cwd=ROOT,
        env=environment(processor, target),
        check=False,
    )
    return done.returncode


def calls() -> int:
    """Prints how many system calls a copy makes, on each processor."""
    codes = []
    for name, target in MACOS.items():
        build(target)
        command = [sys.executable, "-m", "machines.counts"]
        done = subprocess.run(command, cwd=ROOT, env=environment(name, target), check=False)
        codes.append(done.returncode)
    return max(codes)
