"""A program that PyInstaller has packed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import speedcopy

PROGRAM = """
import sys, speedcopy
print(speedcopy.transfer(*sys.argv[1:]).mechanism)
"""


def test_pyinstaller(tmp_path: Path) -> None:
    """It starts, copies, and has the native layer with it, if this Python has one."""
    if importlib.util.find_spec("PyInstaller") is None:
        pytest.skip("no PyInstaller: pip install pyinstaller")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "src").write_bytes(b"data")
    build = [sys.executable, "-m", "PyInstaller", "--onedir", "--log-level", "ERROR"]
    where = ["--paths", str(Path(speedcopy.__file__).parents[1]), "--specpath", "."]
    subprocess.run([*build, *where, "program.py"], cwd=tmp_path, check=True, timeout=600)
    frozen = str(tmp_path / "dist" / "program" / "program")
    done = subprocess.run(
        [frozen, "src", "dst"], cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60
    )
    expected = speedcopy.transfer(tmp_path / "src", tmp_path / "dst2").mechanism
    assert done.stdout.strip() == expected
    assert (tmp_path / "dst").read_bytes() == b"data"
