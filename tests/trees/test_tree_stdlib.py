"""The running Python's own tests of copytree, copy and copy2, against ours and not by a patch."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.python import importing

if TYPE_CHECKING:
    from pathlib import Path

# The tests look the functions up in the module shutil, and patch them there.
RUNNER = """
import json, os, shutil, sys, unittest
from test import test_shutil
if sys.argv[1] == "ours":
    from speedcopy import _copy2
    from speedcopy._trees import copytree
    shutil.copy, shutil.copy2 = _copy2.copy, _copy2.copy2
    shutil.copytree = copytree.copytree

class Result(unittest.TextTestResult):
    passed = []
    def addSuccess(self, test):
        self.passed.append(test.id())

load = unittest.defaultTestLoader.loadTestsFromTestCase
suite = unittest.TestSuite([load(test_shutil.TestCopyTree), load(test_shutil.TestCopy)])
result = unittest.TextTestRunner(sys.stderr, resultclass=Result).run(suite)
failed = [test.id() for test, _ in [*result.failures, *result.errors]]
json.dump([shutil.copytree.__module__, sorted(result.passed), failed], sys.__stdout__)
"""


def run(whose: str, folder: Path) -> list[object]:
    """Runs the tests in a folder, with their temporary files."""
    inner = folder / whose
    inner.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", RUNNER, whose],
        cwd=inner,
        env={**importing(), "TMPDIR": str(inner)},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told: list[object] = json.loads(done.stdout)
    assert not told[2], done.stderr
    return told


def test_shutil_tests(folder: Path) -> None:
    """What passes with shutil's functions passes with ours, and nothing is skipped for it."""
    if not (importlib.util.find_spec("test") and importlib.util.find_spec("test.test_shutil")):
        pytest.skip("this Python has no tests of its own")
    theirs, ours = run("shutil", folder), run("ours", folder)
    assert (theirs[0], ours[0]) == ("shutil", "speedcopy._trees.copytree")
    assert ours[1] == theirs[1]
    assert isinstance(ours[1], list)
    assert len(ours[1]) > 30 or os.name == "nt"
