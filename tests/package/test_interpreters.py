"""Subinterpreters, where C cannot call Python: the fallback copies, and reports the reason."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COPY = """
import warnings; warnings.simplefilter("error")
import sys; sys.path[:] = {path!r}
import speedcopy
told = []
result = speedcopy.transfer("src", "dst", progress=lambda *sizes: told.append(sizes))
with open("told", "w") as file:
    print(told, result.mechanism, result.declined, file=file)
"""

#: By name: how to run ``code`` in another interpreter of the process.
KINDS = {
    "isolated": """
try:
    import _interpreters as interpreters
    failure = interpreters.run_string(interpreters.create("isolated"), code)
except ImportError:
    import _xxsubinterpreters as interpreters
    failure = interpreters.run_string(interpreters.create(isolated=True), code)
assert failure is None, failure
""",
    "not isolated": """
try:
    import _interpreters as interpreters
    failure = interpreters.run_string(interpreters.create("legacy"), code)
except ImportError:
    import _xxsubinterpreters as interpreters
    failure = interpreters.run_string(interpreters.create(isolated=False), code)
assert failure is None, failure
""",
    # as mod_wsgi does
    "Py_NewInterpreter": """
import ctypes
api = ctypes.pythonapi
for name in ("PyThreadState_Get", "Py_NewInterpreter", "PyThreadState_Swap"):
    getattr(api, name).restype = ctypes.c_void_p
run = api.PyRun_SimpleString
mine = api.PyThreadState_Get()
theirs = api.Py_NewInterpreter()
failed = run(code.encode())
api.PyThreadState_Swap(ctypes.c_void_p(mine))
assert not failed
""",
}


@pytest.mark.parametrize("before", ["", "import speedcopy"], ids=["only there", "here first"])
@pytest.mark.parametrize("kind", KINDS)
def test_falls_back(kind: str, before: str, tmp_path: Path) -> None:
    """The copy is made, progress is called, Transfer has the reason, nothing is printed."""
    if sys.implementation.name != "cpython":
        pytest.skip("this Python has no subinterpreters")
    (tmp_path / "src").write_bytes(b"data")
    path = [os.path.abspath(folder or ".") for folder in sys.path]
    code = COPY.format(path=path)
    start = f"import sys, os; sys.path[:] = {path!r}; code = {code!r}\n{before}"
    end = "sys.stdout.flush(); os._exit(0)"  # the other interpreter has not ended
    done = subprocess.run(
        [sys.executable, "-c", f"{start}\n{KINDS[kind]}\n{end}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "No module named '_xxsubinterpreters'" in done.stderr:
        pytest.skip("this Python was built without its module for subinterpreters")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = (tmp_path / "told").read_text().strip()
    assert told == "[(4, 4)] shutil.copyfile {'native': 'subinterpreter'}"
    assert (tmp_path / "dst").read_bytes() == b"data"
