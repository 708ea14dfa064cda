"""The one call into the native layer, and the one call back.

Importing this module raises ModuleNotFoundError for ``speedcopy._native`` where the platform
has no native layer.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Optional, Union

from speedcopy._native import ffi, lib

# isort: split
import _cffi_backend  # noqa: F401 (the extension needs it, and PyInstaller sees only imports)

if TYPE_CHECKING:
    from speedcopy._native import CData, Report
    from speedcopy._types import Progress

NULL = ffi.NULL

#: Bound once: a look-up less per copy.
sc_copy = lib.sc_copy
_STOPPED = -(lib.SC_STOPPED | lib.SC_AT_BOTH)


def load_copyfile2(library: str) -> None:
    """Takes CopyFile2 from a library of Windows. Raises ImportError if it has none."""
    if not lib.sc_load_copyfile2(library):
        msg = f"speedcopy needs CopyFile2, and {library} has none: Windows has it from 8 on"
        raise ImportError(msg)


if sys.platform == "win32":
    load_copyfile2("kernel32.dll")
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
    """Who waits for one copy: the callback, and what stopped the copy."""

    __slots__ = ("progress", "raised")

    def __init__(self, progress: Optional[Progress]) -> None:
        self.progress = progress
        self.raised: Optional[BaseException] = None


#: Its arguments are what a signal handler raised in sc_tick where sc_tick does not catch it: the
#: type, the exception and its traceback. C code puts them there, which no second signal interrupts.
_escaped: BaseException = BaseException()


@ffi.def_extern(error=1, onerror=_escaped.__init__)  # type: ignore[misc]
def sc_tick(caller: CData, copied: int, total: int) -> int:
    """Calls ``progress``; that Python code runs at all lets pending signal handlers run."""
    waiting: _Caller = ffi.from_handle(caller)
    try:
        if waiting.progress is not None and total >= 0:
            waiting.progress(copied, total)
    except BaseException as error:  # noqa: BLE001
        waiting.raised = error
        return 1
    return 0


def _stopped(waiting: _Caller, handle: CData) -> Optional[BaseException]:
    """What stopped the copy, if anything."""
    if _escaped.args:
        _kind, error, traceback = _escaped.args
        if traceback.tb_frame.f_locals.get("caller", handle) == handle:
            if waiting.raised is not None:
                _add_context(error, waiting.raised)
            waiting.raised = error
            _escaped.args = ()
    return waiting.raised


def _add_context(error: BaseException, first: BaseException) -> None:
    """Has ``error`` say that it came while ``first`` was on its way."""
    while error is not first:
        if error.__context__ is None:
            error.__context__ = first
        error = error.__context__


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
    waiting = _Caller(progress)
    handle = ffi.new_handle(waiting)
    try:
        result = sc_copy(src, dst, flags, handle, report or NULL)
        if result == _STOPPED:
            first = _stopped(waiting, handle)
            raise KeyboardInterrupt if first is None else first  # noqa: TRY301 (see below)
    except BaseException as error:
        first = _stopped(waiting, handle)
        if first is not None:
            _add_context(error, first)  # a second signal, while C cleaned up or here
        raise
    finally:
        waiting.raised = None  # its traceback leads back here: a cycle
    return result
