"""CopyFile2 that does what a test wants: the lab's ``fake_copyfile2.c`` for Windows' own."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Path of a library that is compiled already; tools/lab.py --windows sets it.
VARIABLE = "SPEEDCOPY_FAKE_COPYFILE2"

SOURCE = Path(__file__).parents[2] / "tools/lab/wine/fake_copyfile2.c"

SYSTEM = "kernel32.dll"

CALLS = 4
PREFIX = 16
ANY_FLAG = 0xFFFFFFFF

#: What CopyFile2's progress routine can return.
CANCEL, STOP = 1, 2

#: When the fake calls the test: before it opens a file, when Windows would have sent the first
#: message, and when all is closed again. In the order of the C file.
MOMENTS = ("open", "started", "return")

if os.name == "nt":
    _Act = ctypes.WINFUNCTYPE(None, ctypes.c_ulong)  # type: ignore[attr-defined, unused-ignore]
else:
    _Act = ctypes.CFUNCTYPE(None, ctypes.c_ulong)


class Script(ctypes.Structure):
    """``fake_script`` of the C file."""

    _fields_ = (
        ("results", ctypes.c_long * CALLS),
        ("known_flags", ctypes.c_ulong),
        ("chunk", ctypes.c_ulong),
        ("delay", ctypes.c_ulong),
        ("pause", ctypes.c_ulong),
        ("chunk_flags", ctypes.c_ulong),
        ("fail_after", ctypes.c_ulong),
        ("failure", ctypes.c_long),
        ("leaves", ctypes.c_ulong),
        ("silent", ctypes.c_ulong),
        ("stopped", ctypes.c_long),
        ("act", _Act),
        ("calls", ctypes.c_long),
        ("flags", ctypes.c_ulong * CALLS),
        ("size", ctypes.c_ulong),
        ("messages", ctypes.c_long),
        ("action", ctypes.c_ulong),
        ("src", ctypes.c_wchar * PREFIX),
        ("dst", ctypes.c_wchar * PREFIX),
    )


def hresult(value: int) -> int:
    """An HRESULT as C has it."""
    return ctypes.c_long(value).value


def of_win32(code: int) -> int:
    """HRESULT_FROM_WIN32."""
    return hresult(0x80070000 | code)


@cache
def library() -> str:
    """The compiled library; skips the test where there is none and no compiler."""
    ready = os.environ.get(VARIABLE)
    if ready:
        return ready
    built = str(SOURCE.with_suffix(".dll"))
    commands = {
        "gcc": ["-O2", "-shared", "-D_WIN32_WINNT=0x0a00", str(SOURCE), "-o", built],
        "cl": ["/nologo", "/O2", "/LD", str(SOURCE), f"/Fe:{built}", f"/Fo:{built}.obj"],
    }
    for compiler, arguments in commands.items():
        if shutil.which(compiler):
            subprocess.run([compiler, *arguments], check=True)
            return built
    pytest.skip(f"no C compiler, and no {VARIABLE} in the environment")


@contextmanager
def faked(
    at: Optional[Mapping[str, Callable[[], object]]] = None, **script: Any
) -> Iterator[Script]:
    """Uses the fake for a ``with`` block; ``script`` has its fields.

    ``at`` has what the test does at a moment of :data:`MOMENTS`. What it raises comes out of
    here.
    """
    boundary = pytest.importorskip("speedcopy._boundary")
    path = library()
    opened = ctypes.CDLL(path)
    fake = Script.in_dll(opened, "fake")
    ctypes.memset(ctypes.byref(fake), 0, ctypes.sizeof(fake))
    settings = {"known_flags": ANY_FLAG, "chunk": 1 << 16, **script}
    results = settings.pop("results", ())
    fake.results[: len(results)] = results
    for name, value in settings.items():
        setattr(fake, name, value)
    raised: list[BaseException] = []

    def act(moment: int) -> None:
        try:
            (at or {}).get(MOMENTS[moment], bool)()
        except BaseException as error:  # noqa: BLE001
            raised.append(error)

    fake.act = _Act(act)
    boundary.load_copyfile2(path)
    try:
        yield fake
    finally:
        boundary.load_copyfile2(SYSTEM)
        if raised:
            raise raised[0]
