"""copyfile() and transfer(): one native call, or the standard library."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Optional

import speedcopy
from speedcopy import _report, _stand_ins, _switches

if TYPE_CHECKING:
    from speedcopy._native import Report
    from speedcopy._types import Path, PathT, Progress, Reflink

try:
    from speedcopy import _boundary, _plain
except ModuleNotFoundError as missing:
    # No native layer for this platform. One that is there and does not load is an error.
    if missing.name != "speedcopy._native":
        raise
    _native = None
else:
    _native = _boundary

_stdlib_copyfile = shutil.copyfile
_KEEP_HOLES = _switches.from_environment("SPEEDCOPY_SPARSE", default=True)
_DEFAULT_FLAGS = _native.KEEP_HOLES if _native and _KEEP_HOLES else 0


def copyfile(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies the data of ``src`` to ``dst`` as :func:`shutil.copyfile` does, and returns ``dst``.

    ``progress(copied, total)`` is called with bytes: at most every 50 ms, never for a copy that
    ends sooner, and once at the end with ``copied == total``. To cancel, raise in it. Whatever
    it or a signal handler raises (KeyboardInterrupt) stops the copy and comes out of here.

    When the copy fails or is stopped, a ``dst`` that it created is gone, and one that existed is
    cut to what had been copied.

    Raises what :func:`shutil.copyfile` of the running Python raises: ``shutil.SameFileError``,
    ``shutil.SpecialFileError`` for a named pipe, and for a character device as ``src`` other
    than the null device, OSError and its subclasses with the names as given, ValueError for a
    name with a NUL in it.
    """
    if speedcopy.SPEEDCOPY_DEBUG:
        transfer(src, dst, follow_symlinks=follow_symlinks, progress=progress)
        return dst
    if not _copy_natively(src, dst, follow_symlinks, _DEFAULT_FLAGS, progress, None):
        _copy_by_stdlib(src, dst, follow_symlinks, progress)
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
    does not look for holes in ``src``; SPEEDCOPY_SPARSE=0 in the environment makes that the
    default of all copies.

    Raises ValueError for another ``reflink`` and what :func:`copyfile` raises.
    """
    if reflink not in ("auto", "always", "never"):
        msg = f"reflink must be 'auto', 'always' or 'never', not {reflink!r}"
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
    if _native:
        flags = {"auto": _native.AUTO, "always": _native.ALWAYS, "never": _native.NEVER}[reflink]
        flags |= _native.KEEP_HOLES if sparse and _KEEP_HOLES else 0
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
    copied = _copy_by_stdlib(src, dst, follow_symlinks, progress)
    return speedcopy.Transfer(_report.FALLBACK, copied, time.perf_counter() - started)


def _copy_natively(
    src: Path,
    dst: Path,
    follow_symlinks: bool,
    flags: int,
    progress: Optional[Progress],
    report: Optional[Report],
) -> bool:
    """Returns False, with nothing done, for what only the standard library can do or refuse."""
    if _native is None or speedcopy.SPEEDCOPY_DISABLE or _stand_ins.are_there():
        return False
    try:
        src_path, dst_path = _native.encode(src), _native.encode(dst)
    except (TypeError, UnicodeError):
        return False
    if _native.NUL in src_path or _native.NUL in dst_path:
        return False
    if not follow_symlinks and os.path.islink(src_path):
        return False
    if progress is not None and not callable(progress):
        msg = f"progress must be callable, not {type(progress).__name__}"
        raise TypeError(msg)
    sys.audit("shutil.copyfile", src, dst)
    result = _native.copy(src_path, dst_path, flags, progress, report)
    if result:
        code = _native.fail(result, src, dst, flags, report)
        copied = _plain.copy(src, dst, progress, code)
        if report is not None:
            report.copied = copied
    return True


def _copy_by_stdlib(
    src: Path, dst: Path, follow_symlinks: bool, progress: Optional[Progress]
) -> int:
    """Returns the bytes copied, 0 for a symbolic link."""
    expected = _size_of(src) if isinstance(dst, int) else 0
    _stdlib_copyfile(src, dst, follow_symlinks=follow_symlinks)
    linked = not follow_symlinks and _is_link(src)
    copied = 0 if linked else _size_of(dst, unknown=expected)
    if progress is not None:
        progress(copied, copied)
    return copied


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
