"""The only call into the native layer, and the only call back.

Importing this module raises ModuleNotFoundError for ``speedcopy._native`` where the platform
has no native layer, and for ``_cffi_backend`` where cffi is missing.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Optional, Union

from speedcopy._native import ffi, lib

# isort: split
import _cffi_backend  # noqa: F401 (the extension needs it, and PyInstaller sees only imports)

if TYPE_CHECKING:
    from collections.abc import Callable

    from speedcopy._native import Batch, CData, Directories, Report
    from speedcopy._types import Progress

NULL = ffi.NULL

#: Saves a look-up per copy.
sc_copy = lib.sc_copy
_STOPPED = -(lib.SC_STOPPED | lib.SC_AT_BOTH)


def load_copyfile2(library: str) -> None:
    """Looks CopyFile2 up in a library. Raises ImportError if the library has no CopyFile2."""
    if not lib.sc_load_copyfile2(library):
        msg = f"speedcopy needs CopyFile2 (Windows 8 or later), and {library} does not have it"
        raise ImportError(msg)


if sys.platform == "win32":
    load_copyfile2("kernel32.dll")
    encode = os.fsdecode
    NUL = "\0"
else:
    #: Converts a path to the type that sc_copy takes.
    encode = os.fsencode

    #: The character that no path may contain.
    NUL = b"\0"

#: Names of the mechanisms, fastest first.
MECHANISMS = tuple(
    ffi.string(lib.sc_mechanism_name(row)).decode()
    for row in range(lib.SC_MAX_MECHANISMS)
    if lib.sc_mechanism_name(row) != ffi.NULL
)


class _Caller:
    """The caller of one copy: the callback, and the exception that stopped the copy."""

    __slots__ = ("progress", "raised")

    def __init__(self, progress: Optional[Progress]) -> None:
        self.progress = progress
        self.raised: Optional[BaseException] = None


#: A signal handler may raise in sc_tick outside of the ``try``. cffi then calls ``onerror``, which
#: stores type, exception and traceback in ``args``. No second signal interrupts that C code.
_escaped: BaseException = BaseException()


@ffi.def_extern(error=1, onerror=_escaped.__init__)  # type: ignore[misc]
def sc_tick(caller: CData, copied: int, total: int) -> int:
    """Calls ``progress``. Pending signal handlers run here too, as they do in any Python code."""
    waiting: _Caller = ffi.from_handle(caller)
    try:
        # PyPy's compiler leaves out the check for signals, except where a loop jumps back.
        for _ in "x":
            pass
        if waiting.progress is not None and total >= 0:
            waiting.progress(copied, total)
    except BaseException as error:  # noqa: BLE001
        waiting.raised = error
        return 1
    return 0


def _stopped(waiting: _Caller, handle: CData) -> Optional[BaseException]:
    """Returns the exception that stopped the copy, if any."""
    if _escaped.args:
        _kind, error, traceback = _escaped.args
        if traceback.tb_frame.f_locals.get("caller", handle) == handle:
            if waiting.raised is not None:
                _add_context(error, waiting.raised)
            waiting.raised = error
            _escaped.args = ()
    return waiting.raised


def _add_context(error: BaseException, first: BaseException) -> None:
    """Makes ``first`` the context of ``error``, as it was raised earlier."""
    while error is not first:
        if error.__context__ is None:
            error.__context__ = first
        error = error.__context__


def new_report() -> Report:
    """Makes a report that :func:`copy` fills in."""
    report: Report = ffi.new("sc_report *")
    return report


def look_at_directories(src_dir: int, dst_dir: int) -> Directories:
    """Two open directories for :func:`copy`, which then takes names in them."""
    directories: Directories = ffi.new("sc_directories *", (src_dir, dst_dir))
    lib.sc_look_at_directories(directories)
    return directories


def new_batch() -> Batch:
    """Makes what :func:`copy_names` fills in."""
    batch: Batch = ffi.new("sc_batch *")
    return batch


def copy(
    src: Union[str, bytes],
    dst: Union[str, bytes],
    flags: int,
    progress: Optional[Progress],
    report: Optional[Report],
) -> int:
    """Makes one copy and returns the result of ``sc_copy``.

    If ``progress`` or a signal handler has raised, that exception is raised here.
    """
    return call(sc_copy, progress, src, dst, flags, report or NULL)


def copy_names(
    directories: Directories,
    names: list[bytes],
    flags: int,
    progress: Optional[Progress],
    batch: Batch,
) -> int:
    """Copies files of one directory to another, as :func:`copy` does, up to one that fails."""
    joined = b"\0".join(names)
    return call(lib.sc_copy_names, progress, directories, joined, len(names), flags, batch)


def call(function: Callable[..., int], progress: Optional[Progress], *arguments: object) -> int:
    """Calls a function of C that copies, and raises what ``sc_tick`` has kept."""
    waiting = _Caller(progress)
    handle = ffi.new_handle(waiting)
    try:
        result = function(handle, *arguments)
        if result == _STOPPED:
            first = _stopped(waiting, handle)
            raise KeyboardInterrupt if first is None else first  # noqa: TRY301 (caught below)
    except BaseException as error:
        first = _stopped(waiting, handle)
        if first is not None:
            _add_context(error, first)  # a second signal, during the clean-up in C or here
        raise
    finally:
        waiting.raised = None  # its traceback refers to this frame: a cycle
    return result
