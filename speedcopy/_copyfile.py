"""copyfile() and transfer(): one native call, or the standard library."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Optional

import speedcopy
from speedcopy import _interpreter, _plain, _report, _stand_ins, _switches

if TYPE_CHECKING:
    from speedcopy._native import Report
    from speedcopy._types import Path, PathT, Progress, Reflink

_native = None
#: Why there is no native layer, as Transfer.declined tells it; empty if there is no need to say.
_without = ""

if not _interpreter.is_main():
    _without = "subinterpreter"
else:
    try:
        from speedcopy import _boundary
    except ModuleNotFoundError as missing:
        # One that is there and does not load is an error.
        if missing.name != "speedcopy._native":
            raise
        _without = _interpreter.without_native()
    else:
        _native = _boundary

stdlib_copyfile = _stand_ins.standard_copyfile()
_KEEP_HOLES = _switches.from_environment("SPEEDCOPY_SPARSE", default=True)
_DEFAULT_FLAGS = _native.KEEP_HOLES if _native and _KEEP_HOLES else 0

# The flags that the standard library's open() tells an audit hook of.
_READING = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC"))
_WRITING = _READING | os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def copyfile(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies the data of ``src`` to ``dst`` as :func:`shutil.copyfile` does, and returns ``dst``.

    ``progress(copied, total)`` is called with bytes: at most every 50 ms, never for a copy that
    ends sooner, and once at the end with ``copied == total``. One that takes long is called less
    often. To cancel, raise in it. Whatever it or a signal handler raises (KeyboardInterrupt) stops
    the copy and comes out of here.

    When the copy fails or is stopped, a ``dst`` that it created is gone, and one that existed is
    cut to what had been copied. A copy that is left to the standard library calls ``progress``
    at the end only, and leaves what the standard library leaves.

    Audit hooks hear ``shutil.copyfile`` and an ``open`` for each file before anything is done,
    and whatever they raise refuses the copy.

    Raises what :func:`shutil.copyfile` of the running Python raises: ``shutil.SameFileError``,
    ``shutil.SpecialFileError`` for a named pipe, and for a character device as ``src`` other
    than the null device, OSError and its subclasses with the names as given, ValueError for a
    name with a NUL in it.
    """
    if speedcopy.SPEEDCOPY_DEBUG:
        transfer(src, dst, follow_symlinks=follow_symlinks, progress=progress)
        return dst
    if not _copy_natively(src, dst, follow_symlinks, _DEFAULT_FLAGS, progress, None):
        _copy_in_python(src, dst, follow_symlinks, progress, plainly=not _KEEP_HOLES)
    return dst


def transfer(
    src: Path,
    dst: Path,
    *,
    follow_symlinks: bool = True,
    reflink: Reflink = "auto",
    sparse: bool = True,
    progress: Optional[Progress] = None,
) -> speedcopy.Transfer:
    """Copies as :func:`copyfile` does and says how.

    ``reflink="always"`` shares the extents of ``src`` or raises OSError(EOPNOTSUPP) with both
    names, where no clone is possible, and leaves no file. ``"never"`` uses no mechanism that may
    share extents, not even by the choice of the file system or the server. Windows does not say
    whether it cloned: there "always" always raises, and "never" reads and writes. ``sparse=False``
    leaves no holes in ``dst``: every byte is written, so nothing is cloned, and nothing is left to
    a server that might. SPEEDCOPY_SPARSE=0 in the environment makes that the default of all copies
    but those with ``reflink="always"``.

    Raises ValueError for another ``reflink``, and for "always" with ``sparse=False``, as a clone
    has the holes of ``src``; and what :func:`copyfile` raises.
    """
    if reflink not in ("auto", "always", "never"):
        msg = f"reflink must be 'auto', 'always' or 'never', not {reflink!r}"
        raise ValueError(msg)
    if reflink == "always" and not sparse:
        msg = "reflink='always' and sparse=False contradict each other: a clone keeps all holes"
        raise ValueError(msg)
    started = time.perf_counter()
    try:
        result = _transfer(src, dst, follow_symlinks, reflink, sparse, progress, started)
    except BaseException as error:
        if speedcopy.SPEEDCOPY_DEBUG:
            _report.log(src, dst, f"failed: {error!r}")
        raise
    if speedcopy.SPEEDCOPY_DEBUG:
        _report.log(src, dst, result)
    return result


def _transfer(
    src: Path,
    dst: Path,
    follow_symlinks: bool,
    reflink: Reflink,
    sparse: bool,
    progress: Optional[Progress],
    started: float,
) -> speedcopy.Transfer:
    keep_holes = reflink == "always" or (sparse and _KEEP_HOLES)
    if _native:
        flags = {"auto": _native.AUTO, "always": _native.ALWAYS, "never": _native.NEVER}[reflink]
        flags |= _native.KEEP_HOLES if keep_holes else 0
        report = _native.new_report()
        if _copy_natively(src, dst, follow_symlinks, flags, progress, report):
            return speedcopy.Transfer(
                _native.mechanism(report),
                report.copied,
                time.perf_counter() - started,
                _native.declined(report),
                _native.offloaded(report),
            )
    if reflink == "always" and (follow_symlinks or not _is_link(src)):
        refusal = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), os.fspath(src))
        refusal.filename2 = os.fspath(dst)  # as an argument it would bring a winerror None along
        raise refusal
    plainly = reflink == "never" or not keep_holes
    mechanism, copied = _copy_in_python(src, dst, follow_symlinks, progress, plainly=plainly)
    declined = {"native": _without} if _without else {}
    return speedcopy.Transfer(mechanism, copied, time.perf_counter() - started, declined)


def _copy_natively(
    src: Path,
    dst: Path,
    follow_symlinks: bool,
    flags: int,
    progress: Optional[Progress],
    report: Optional[Report],
) -> bool:
    """Returns False, with nothing done, for what only the standard library can do or refuse."""
    if progress is not None and not callable(progress):
        msg = f"progress must be callable, not {type(progress).__name__}"
        raise TypeError(msg)
    if _native is None or speedcopy.SPEEDCOPY_DISABLE or _stand_ins.are_there():
        return False
    try:
        src_name, dst_name = os.fspath(src), os.fspath(dst)
        src_path, dst_path = _native.encode(src_name), _native.encode(dst_name)
    except Exception:  # noqa: BLE001 (whatever a caller's __fspath__ raises: shutil asks again)
        return False
    if _native.NUL in src_path or _native.NUL in dst_path:
        return False
    if not follow_symlinks and os.path.islink(src_path):
        return False
    sys.audit("shutil.copyfile", src, dst)
    # The standard library tells of dst only when src is open. A hook that refuses it does so here
    # all the same: afterwards it would be too late.
    sys.audit("open", src_name, "r", _READING)
    sys.audit("open", dst_name, "w", _WRITING)
    result = _native.copy(src_path, dst_path, flags, progress, report)
    if result:
        code = _native.fail(result, src, dst, flags, report)
        copied = _plain.copy(src, dst, progress, code)
        if report is not None:
            report.copied = copied
    return True


def _copy_in_python(
    src: Path, dst: Path, follow_symlinks: bool, progress: Optional[Progress], *, plainly: bool
) -> tuple[str, int]:
    """Copies by the standard library; returns what has copied, and bytes: 0 for a symbolic link.

    With ``plainly``, dst shares no extents with src and has no holes. As the standard library of
    Python 3.14 may have the file system clone, it is read and written then, unless a test has
    put something of its own under the standard library.
    """
    if plainly and not _stand_ins.are_there() and (follow_symlinks or not _is_link(src)):
        sys.audit("shutil.copyfile", src, dst)
        return "read/write", _plain.copy(src, dst, progress, 0)
    expected = _size_of(src) if isinstance(dst, int) else 0
    stdlib_copyfile(src, dst, follow_symlinks=follow_symlinks)
    linked = not follow_symlinks and _is_link(src)
    copied = 0 if linked else _size_of(dst, unknown=expected)
    if progress is not None:
        progress(copied, copied)
    return _report.FALLBACK, copied


# The standard library takes open descriptors too, as either file, and these two do not mind.


def _is_link(path: Path) -> bool:
    try:
        return os.path.islink(path)
    except TypeError:
        return False


def _size_of(path: Path, unknown: int = 0) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, TypeError, ValueError):
        return unknown
