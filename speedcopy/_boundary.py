"""The one call into the native layer, and the one call back.

Importing this module raises ModuleNotFoundError for ``speedcopy._native`` where the platform
has no native layer.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Optional, Union

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

#: Bound once: a look-up less per copy.
sc_copy = lib.sc_copy
_STOPPED = -(lib.SC_STOPPED | lib.SC_AT_BOTH)


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


class _Caller:
    """Who waits for one copy: the callback, and what it or a signal handler raised."""

    __slots__ = ("progress", "raised")

    def __init__(self, progress: Optional[Progress]) -> None:
        self.progress = progress
        self.raised: Optional[BaseException] = None


def _keep(_kind: type[BaseException], exception: BaseException, tick: TracebackType) -> None:
    ffi.from_handle(tick.tb_frame.f_locals["caller"]).raised = exception


@ffi.def_extern(error=1, onerror=_keep)
def sc_tick(caller: CData, copied: int, total: int) -> int:
    """Calls ``progress``; that Python code runs at all lets pending signal handlers run."""
    progress = ffi.from_handle(caller).progress
    if progress is not None and total >= 0:
        progress(copied, total)
    return 0


def new_report() -> Report:
    """A report for :func:`copy` to fill in."""
    report: Report = ffi.new("sc_report *")
    return report


def copy(
    src: Union[str, bytes],
    dst: Union[str, bytes],
    flags: int,
    progress: Optional[Progress],
    report: Optional[Report],
) -> int:
    """Makes one copy; returns what ``sc_copy`` returned.

    Raises what ``progress`` or a signal handler raised and so stopped it.
    """
    caller = _Caller(progress)
    handle = ffi.new_handle(caller)
    if progress is not None:
        flags |= lib.SC_TELL_END
    try:
        result = sc_copy(src, dst, flags, handle, report or NULL)
        if result == _STOPPED:
            # Nothing was kept if a signal interrupted the keeping: cffi has printed what was lost.
            raise caller.raised or KeyboardInterrupt  # noqa: TRY301
    except BaseException as error:
        if caller.raised not in (None, error):
            error.__context__ = caller.raised  # a second signal, while C cleaned up after the first
        raise
    finally:
        caller.raised = None  # its traceback leads back here: a cycle
    return result


def fail(result: int, src: Path, dst: Path, flags: int, report: Optional[Report]) -> int:
    """Raises the error that ``result`` of :func:`copy` means.

    Returns only if the native layer leaves the copy to the standard library: the code of the
    reason, or 0.
    """
    if not -result & lib.SC_LEAVE_IT:
        refusals = report.declined if report and flags & ALWAYS else ()
        _errors.raise_for(result, src, dst, next(filter(None, refusals), 0))
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
