"""copyfile() and transfer(): one native call, or the standard library."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Optional

import speedcopy
from speedcopy import _fallback, _loader, _plain, _report, _results, _stand_ins, _switches

if TYPE_CHECKING:
    from speedcopy._native import Report
    from speedcopy._types import Path, PathT, Progress, Reflink

_native = _loader.native
_KEEP_HOLES = _switches.from_environment("SPEEDCOPY_SPARSE", default=True)

# The flags of open() that the standard library's audit events have.
_READING = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC"))
_WRITING = _READING | os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Options:
    """What the caller of one copy wants, from the public signature to the flags of ``sc_copy``.

    ``flags`` is 0 without a native layer. ``clones_only`` and ``writes_all`` are what the other
    ways of copying have to know: a clone or an error; every byte written, nothing shared.
    """

    __slots__ = ("clones_only", "flags", "follow_symlinks", "progress", "writes_all")

    def __init__(
        self,
        *,
        follow_symlinks: bool = True,
        progress: Optional[Progress] = None,
        reflink: Reflink = "auto",
        sparse: bool = True,
    ) -> None:
        """Raises ValueError or TypeError for what :func:`transfer` does not take."""
        if reflink not in ("auto", "always", "never"):
            msg = f"reflink must be 'auto', 'always' or 'never', not {reflink!r}"
            raise ValueError(msg)
        if reflink == "always" and not sparse:
            msg = "reflink='always' and sparse=False contradict each other: a clone keeps all holes"
            raise ValueError(msg)
        if progress is not None and not callable(progress):
            msg = f"progress must be callable, not {type(progress).__name__}"
            raise TypeError(msg)
        self.follow_symlinks = follow_symlinks
        self.progress = progress
        self.clones_only = reflink == "always"
        keeps_holes = self.clones_only or (sparse and _KEEP_HOLES)
        self.writes_all = reflink == "never" or not keeps_holes
        self.flags = 0
        if _native:
            lib = _native.lib
            self.flags |= lib.SC_REFLINK_ALWAYS if self.clones_only else 0
            self.flags |= lib.SC_REFLINK_NEVER if reflink == "never" else 0
            self.flags |= lib.SC_KEEP_HOLES if keeps_holes else 0
            self.flags |= lib.SC_TELL_END if progress is not None else 0


#: Of a call without keywords: made once, as it costs as much as the rest of such a call.
_DEFAULT = Options()


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
    options = _DEFAULT
    if progress is not None or not follow_symlinks:
        options = Options(follow_symlinks=follow_symlinks, progress=progress)
    if not _copy_natively(src, dst, options, None):
        _fallback.copy(src, dst, options)
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
    options = Options(
        follow_symlinks=follow_symlinks, progress=progress, reflink=reflink, sparse=sparse
    )
    try:
        result = _transfer(src, dst, options)
    except BaseException as error:
        if speedcopy.SPEEDCOPY_DEBUG:
            _report.log(src, dst, f"failed: {error!r}")
        raise
    if speedcopy.SPEEDCOPY_DEBUG:
        _report.log(src, dst, result)
    return result


def _transfer(src: Path, dst: Path, options: Options) -> speedcopy.Transfer:
    started = time.perf_counter()
    if _native:
        report = _native.new_report()
        if _copy_natively(src, dst, options, report):
            return speedcopy.Transfer(
                _results.mechanism(report),
                report.copied,
                time.perf_counter() - started,
                _results.declined(report),
                _results.offloaded(report),
            )
    if options.clones_only and (options.follow_symlinks or not _fallback.is_link(src)):
        refusal = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), os.fspath(src))
        refusal.filename2 = os.fspath(dst)  # as an argument it would bring a winerror None along
        raise refusal
    mechanism, copied = _fallback.copy(src, dst, options)
    declined = {"native": _loader.why_not} if _loader.why_not else {}
    return speedcopy.Transfer(mechanism, copied, time.perf_counter() - started, declined)


def _copy_natively(src: Path, dst: Path, options: Options, report: Optional[Report]) -> bool:
    """Returns False, with nothing done, for what only the standard library can do or refuse."""
    if _native is None or speedcopy.SPEEDCOPY_DISABLE or _stand_ins.are_there():
        return False
    try:
        src_name, dst_name = os.fspath(src), os.fspath(dst)
        src_path, dst_path = _native.encode(src_name), _native.encode(dst_name)
    except Exception:  # noqa: BLE001 (whatever a caller's __fspath__ raises: shutil asks again)
        return False
    if _native.NUL in src_path or _native.NUL in dst_path:
        return False
    if not options.follow_symlinks and os.path.islink(src_path):
        return False
    sys.audit("shutil.copyfile", src, dst)
    # The standard library reports the open of dst only when src is open. A hook that refuses dst
    # does so here all the same: afterwards it would be too late.
    sys.audit("open", src_name, "r", _READING)
    sys.audit("open", dst_name, "w", _WRITING)
    result = _native.copy(src_path, dst_path, options.flags, options.progress, report)
    if result:
        code = _results.left_to_python(result)
        if code is None:
            refusal = _results.first_refusal(report) if report and options.clones_only else 0
            _results.raise_for(result, src, dst, refusal)
        copied = _plain.copy(src, dst, options.progress, code)
        if report is not None:
            report.copied = copied
    return True
