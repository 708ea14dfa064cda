"""Calls and constants of Windows. On another system, importing this skips the test module."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if os.name != "nt":
    pytest.skip("needs Windows", allow_module_level=True)

if TYPE_CHECKING:
    from collections.abc import Iterator

IS_WINE = hasattr(ctypes.CDLL("ntdll.dll"), "wine_get_version")

READ_ONLY, HIDDEN, SYSTEM, ARCHIVE = 1, 2, 4, 0x20

#: The share of a folder of this machine; tools/lab.py --windows makes one.
SHARE = os.environ.get("SPEEDCOPY_LAB_UNC", "")

#: Before a name: no limit of 260 characters, and no character is special.
PREFIX = "\\\\?\\"


def kernel32() -> Any:
    """The functions of Windows."""
    return ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined, unused-ignore]


@contextmanager
def opened(name: str, share: int) -> Iterator[None]:
    """Holds a file open for writing; ``share`` is what others may do: 1 read, 2 write."""
    windows = kernel32()
    windows.CreateFileW.restype = ctypes.c_void_p
    handle = windows.CreateFileW(name, 0x40000000, share, None, 3, 0, None)
    assert handle != ctypes.c_void_p(-1).value
    try:
        yield
    finally:
        windows.CloseHandle(ctypes.c_void_p(handle))


def handles() -> int:
    """How many handles this process has."""
    count = ctypes.c_ulong()
    windows = kernel32()
    windows.GetCurrentProcess.restype = ctypes.c_void_p
    windows.GetProcessHandleCount(ctypes.c_void_p(windows.GetCurrentProcess()), ctypes.byref(count))
    return count.value
