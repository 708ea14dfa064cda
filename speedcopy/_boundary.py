"""The one call into the native layer, and the one call back.

Importing this module raises ModuleNotFoundError for ``speedcopy._native`` where the platform
has no native layer.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Optional

from speedcopy import _errors, _report
from speedcopy._native import ffi, lib

if TYPE_CHECKING:
    from types import TracebackType

    from speedcopy._native import CData, Report
    from speedcopy._types import Path, Progress

AUTO = 0
ALWAYS = lib.SC_REFLINK_ALWAYS
NEVER = lib.SC_REFLINK_NEVER
KEEP_HOLES = lib.SC_KEEP_HOLES
NULL = ffi.NULL

#: The whole copy, bound once: a look-up less per copy.
sc_copy = lib.sc_copy


def load(library: str) -> None:
    """Takes CopyFile2 from a library of Windows. Raises ImportError if it has none."""
    if not lib.sc_load(library):
        msg = f"speedcopy needs CopyFile2, and {library} has none: Windows has it from 8 on"
        raise ImportError(msg)


if sys.platform == "win32":
    load("kernel32.dll")
    encode = os.fsdecode
    NUL = "\0"
else:
    #: Turns a path into what sc_copy takes.
    encode = os.fsencode

    #: What no path may hold.
    NUL = b"\0"

#: Names of the mechanisms, fastest first.
MECHANISMS = tuple(
    ffi.string(lib.sc_mechanism_name(row)).decode()
    for row in range(lib.SC_MAX_MECHANISMS)
    if lib.sc_mechanism_name(row) != ffi.NULL
)


class _Stopped(threading.local):
    """The exception that stopped this thread's copy, until the copy has been cleaned up after."""

    exception: Optional[BaseException] = None


_stopped = _Stopped()


def _keep(
    _kind: type[BaseException], exception: Optional[BaseException], _tb: Optional[TracebackType]
) -> None:
    _stopped.exception = exception


@ffi.def_extern(error=1, onerror=_keep)
def sc_tick(progress: CData, copied: int, total: int) -> int:
    """Calls ``progress``; that Python code runs at all lets pending signal handlers run."""
    if progress != ffi.NULL:
        ffi.from_handle(progress)(copied, total)
    return 0


def new_report() -> Report:
    """A report for :data:`sc_copy` to fill in."""
    report: Report = ffi.new("sc_report *")
    return report


def handle_of(progress: Progress) -> CData:
    """What sc_copy hands on to :func:`sc_tick`; to be kept until it has returned."""
    return ffi.new_handle(progress)


def fail(result: int, src: Path, dst: Path) -> int:
    """Raises what ``progress`` or a signal handler raised, or the error that ``result`` means.

    Returns only if the native layer leaves the copy to the standard library: the code of the
    reason, or 0.
    """
    stopped, _stopped.exception = _stopped.exception, None
    if stopped is not None:
        try:
            raise stopped
        finally:
            del stopped
    if not -result & lib.SC_LEAVE_IT:
        _errors.raise_for(result, src, dst)
    return -result & ~lib.SC_LEAVE_IT


def mechanism(report: Report) -> str:
    """The name of the mechanism that moved the last byte."""
    return MECHANISMS[report.mechanism] if report.mechanism >= 0 else _report.FALLBACK


def offloaded(report: Report) -> Optional[bool]:
    """Whether the bytes came through this machine, None if the system did not say."""
    return None if report.offloaded < 0 else bool(report.offloaded)


def declined(report: Report) -> dict[str, str]:
    """The mechanisms that could not, and the names of their errnos."""
    return {name: _errors.name_of(code) for name, code in zip(MECHANISMS, report.declined) if code}
