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

# The flags in the "open" audit events of the standard library.
_READING = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC"))
_WRITING = _READING | os.O_WRONLY | os.O_CREAT | os.O_TRUNC


class Options:
    """The options of one copy, from the public signature to the flags of ``sc_copy``.

    ``flags`` is 0 without a native layer. The other ways of copying use two more: with
    ``clones_only`` the copy is a clone or fails; with ``writes_all`` every byte is written and no
    extent shared.
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
        """Raises ValueError or TypeError for arguments that :func:`transfer` does not accept."""
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


#: For calls without keywords. Made once: an Options costs as much as the rest of such a call.
_DEFAULT = Options()


def copyfile(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies the data of ``src`` to ``dst`` as :func:`shutil.copyfile` does, and returns ``dst``.

    ``progress(copied, total)`` is called with numbers of bytes: during the copy at most every
    50 ms, and once at the end with ``copied == total``. If ``progress`` is slow, it is called less
    often. An exception in ``progress`` or in a signal handler (KeyboardInterrupt) stops the copy
    and is raised here; so ``progress`` can cancel a copy.

    If the copy fails or is stopped, a ``dst`` that it created is removed, and an existing ``dst``
    is truncated to the bytes that had been copied. If the copy is left to the standard library,
    ``progress`` is called at the end only, and ``dst`` stays as the standard library leaves it.

    Audit hooks receive ``shutil.copyfile``, and an ``open`` for each file before it is opened. If
    a hook raises, nothing is copied.

    Raises what :func:`shutil.copyfile` of the running Python raises: ``shutil.SameFileError``;
    ``shutil.SpecialFileError`` for a named pipe, and for a character device as ``src`` other
    than the null device; OSError and its subclasses with the names as given; ValueError for a
    name that contains a NUL.
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
    """Copies as :func:`copyfile` does, and returns how the copy was made.

    ``reflink="always"`` shares the extents of ``src``. If no clone is possible, it raises
    OSError(EOPNOTSUPP) with both names and creates no file. ``"never"`` uses no mechanism with
    which the file system or the server may share extents. Windows does not report clones: there
    "always" always raises, and "never" reads and writes.

    ``sparse=False`` leaves no holes in ``dst``: every byte is written. So nothing is cloned, and
    no server copies, as it might clone. SPEEDCOPY_SPARSE=0 in the environment has the same effect
    on all copies, except with ``reflink="always"``.

    Raises what :func:`copyfile` raises. Also raises ValueError for another ``reflink``, and for
    "always" with ``sparse=False``, because a clone has the holes of ``src``.
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
        refusal.filename2 = os.fspath(dst)  # as an argument, it follows a winerror
        raise refusal
    mechanism, copied = _fallback.copy(src, dst, options)
    declined = {"native": _loader.why_not} if _loader.why_not else {}
    return speedcopy.Transfer(mechanism, copied, time.perf_counter() - started, declined)


def _copy_natively(src: Path, dst: Path, options: Options, report: Optional[Report]) -> bool:
    """Returns False, without any effect, if the standard library has to make the copy or refuse."""
    if _native is None or speedcopy.SPEEDCOPY_DISABLE or _stand_ins.are_there():
        return False
    try:
        src_name, dst_name = os.fspath(src), os.fspath(dst)
        src_path, dst_path = _native.encode(src_name), _native.encode(dst_name)
    except Exception:  # noqa: BLE001 (from a caller's __fspath__: shutil calls it again)
        return False
    if _native.NUL in src_path or _native.NUL in dst_path:
        return False
    if not options.follow_symlinks and os.path.islink(src_path):
        return False
    sys.audit("shutil.copyfile", src, dst)
    # The standard library raises the event for dst only once src is open. Here a hook must be able
    # to refuse dst before the native call, which opens both.
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
