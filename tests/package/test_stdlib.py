"""The running Python's own tests of shutil, under the patch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Runs in a process of its own, so that what the tests take from shutil, they take patched.
RUNNER = """
import json, os, shutil, sys, unittest
if sys.argv[1] == "patched":
    import speedcopy
    speedcopy.patch_copyfile()

class Result(unittest.TextTestResult):
    passed = []
    def addSuccess(self, test):
        self.passed.append(test.id())

def no_lying_links():
    # Wine reports success, and the tests rely on it
    from test.support import os_helper
    os.symlink("to", "from")
    if os.path.lexists("from"):
        os.unlink("from")
    else:
        os_helper._can_symlink = False

try:
    no_lying_links()
except (ImportError, OSError):
    pass

try:
    suite = unittest.defaultTestLoader.loadTestsFromName("test.test_shutil")
except OSError as error:  # it makes files while it is imported, which NFS is slow to remove
    json.dump(str(error), sys.__stdout__)
    sys.exit()
result = unittest.TextTestRunner(sys.stderr, resultclass=Result).run(suite)
failed = [test.id() for test, _ in [*result.failures, *result.errors]]
copier = shutil.copyfile.__module__
json.dump([copier, result.passed, failed], sys.__stdout__)
"""


class Results(NamedTuple):
    """What became of the tests, by their ids."""

    copier: str
    passed: list[str]
    failed: list[str]


def start(how: str, folder: Path) -> subprocess.Popen[str]:
    """Runs the tests in a folder, with their temporary files."""
    (folder / how).mkdir()
    return subprocess.Popen(
        [sys.executable, "-c", RUNNER, how],
        cwd=folder / how,
        env={**os.environ, "TMPDIR": str(folder / how)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Results:
    """Waits for the results."""
    told, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    results = json.loads(told)
    if isinstance(results, str):
        pytest.skip(f"Python's own tests cannot be loaded here: {results}")
    return Results(*results)


def test_shutil(folder: Path) -> None:
    """No test fails under the patch that does not fail without it."""
    if not (importlib.util.find_spec("test") and importlib.util.find_spec("test.test_shutil")):
        pytest.skip("this Python has no tests of its own")
    with start("plain", folder) as plainly, start("patched", folder) as patchedly:
        plain, patched = finish(plainly), finish(patchedly)
    assert (plain.copier, patched.copier) == ("shutil", "speedcopy._copyfile")
    assert set(plain.passed) <= set(patched.passed)  # none is skipped either
    assert len(plain.passed) > 100
