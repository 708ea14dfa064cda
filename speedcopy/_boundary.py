"""The one call into the native layer, and the one call back.

Importing this module raises ModuleNotFoundError for ``speedcopy._native`` where the platform
has no native layer.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn, Optional, Union

from speedcopy import _errors, _report
from speedcopy._native import ffi, lib

# isort: split
import _cffi_backend  # noqa: F401 (the extension needs it, and PyInstaller sees only imports)

if TYPE_CHECKING:
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

_PLACE = lib.SC_AT_BOTH
_CODE = lib.SC_AT_SRC - 1
_SPECIAL = {lib.SC_NAMED_PIPE: "named pipe", lib.SC_CHARACTER_DEVICE: "character device"}
_REASONS = {lib.SC_NO_DATA: "no data"}


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
    if progress is not None:
        flags |= lib.SC_TELL_END
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


def raise_for(result: int, src: Path, dst: Path, refusal: int = 0) -> NoReturn:
    """Raises what a failed copy comes to.

    ``result`` is what ``sc_copy`` returned, not 0; ``src`` and ``dst`` are as the caller wrote
    them; ``refusal`` is the code with which the only mechanism that was wanted has declined. It
    becomes the cause. Raises SameFileError, SpecialFileError or the subclass of OSError that
    belongs to the errno. As in the standard library, an error of opening carries the one name
    that it is about, any other error both.
    """
    code, place = -result & _CODE, -result & _PLACE
    if code == lib.SC_SAME_FILE:
        raise _errors.same_file(src, dst)
    path = src if place == lib.SC_AT_SRC else dst
    if code in _SPECIAL:
        raise _errors.special_file(path, _SPECIAL[code])
    if place == _PLACE:
        cause = _errors.both(refusal, src, dst) if refusal else None
        raise _errors.both(code, src, dst) from cause
    _errors.raise_opening(_errors.one(code, path), dst)


def fail(result: int, src: Path, dst: Path, flags: int, report: Optional[Report]) -> int:
    """Raises the error that ``result`` of :func:`copy` means.

    Returns only if the native layer leaves the copy to the standard library: the code of the
    reason, or 0.
    """
    if -result & lib.SC_LEAVE_IT:
        return -result & ~lib.SC_LEAVE_IT
    refusals = report.declined if report and flags & ALWAYS else ()
    raise_for(result, src, dst, next(filter(None, refusals), 0))


def mechanism(report: Report) -> str:
    """The name of the mechanism that moved the last byte."""
    return MECHANISMS[report.mechanism] if report.mechanism >= 0 else _report.FALLBACK


def offloaded(report: Report) -> Optional[bool]:
    """Whether the bytes came through this machine, None if the system did not say."""
    return None if report.offloaded < 0 else bool(report.offloaded)


def declined(report: Report) -> dict[str, str]:
    """The mechanisms that could not, and the names of their errnos."""
    codes = zip(MECHANISMS, report.declined)
    return {name: _REASONS.get(code) or _errors.name_of(code) for name, code in codes if code}
