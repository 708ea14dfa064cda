"""One copy: by the native layer, or else by the standard library or Python; with a report."""

from __future__ import annotations

import errno
import os
import sys
import time
from typing import TYPE_CHECKING, Optional, Union

import speedcopy
from speedcopy import _fallback, _loader, _plain, _report, _results, _stand_ins

if TYPE_CHECKING:
    from speedcopy._copyfile import Options
    from speedcopy._native import Report
    from speedcopy._types import Path

_native = _loader.native

#: Whether the native layer copies metadata, too.
KEEPS_METADATA = _native is not None and sys.platform != "win32"

# The flags in the "open" audit events of the standard library.
_READING = sum(getattr(os, name, 0) for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC"))
_WRITING = _READING | os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def copy(src: Path, dst: Path, options: Options) -> None:
    """Copies without a report, unless somebody reads the log."""
    if speedcopy.SPEEDCOPY_DEBUG:
        report(src, dst, options)
    elif not copy_natively(src, dst, options, None):
        _fallback.copy(src, dst, options)


def report(src: Path, dst: Path, options: Options) -> speedcopy.Transfer:
    """Copies and says how; logs it if somebody reads the log."""
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
        if copy_natively(src, dst, options, report):
            return speedcopy.Transfer(
                _results.mechanism(report),
                report.copied,
                time.perf_counter() - started,
                _results.declined(report),
                _results.offloaded(report),
                _results.refused(report),
            )
    if options.clones_only and (options.follow_symlinks or not _fallback.is_link(src)):
        refusal = OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP), os.fspath(src))
        refusal.filename2 = os.fspath(dst)  # as an argument, it follows a winerror
        raise refusal
    mechanism, copied, refused = _fallback.copy(src, dst, options)
    declined = {"native": _loader.why_not} if _loader.why_not else {}
    seconds = time.perf_counter() - started
    return speedcopy.Transfer(mechanism, copied, seconds, declined, refused=refused)


def has_native(options: Options) -> bool:
    """Whether the native layer may make such a copy at present."""
    return not (
        _native is None
        or speedcopy.SPEEDCOPY_DISABLE
        or _stand_ins.are_there()
        or (options.metadata and (not KEEPS_METADATA or _stand_ins.are_there_for_metadata()))
    )


def audit(
    src: Path,
    dst: Path,
    src_name: Union[str, bytes],
    dst_name: Union[str, bytes],
    metadata: Optional[str],
) -> None:
    """Raises the audit events of a copy before anything is done.

    The standard library reports the open of dst only when src is open, and the metadata after the
    data. A hook that refuses them does so here all the same: afterwards it would be too late.
    """
    sys.audit("shutil.copyfile", src, dst)
    sys.audit("open", src_name, "r", _READING)
    sys.audit("open", dst_name, "w", _WRITING)
    if metadata:
        sys.audit(_fallback.EVENTS[metadata], src, dst)


def copy_natively(src: Path, dst: Path, options: Options, report: Optional[Report]) -> bool:
    """Returns False, without any effect, if the standard library has to make the copy or refuse."""
    if _native is None or not has_native(options):
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
    audit(src, dst, src_name, dst_name, options.metadata)
    result = _native.copy(src_path, dst_path, options.flags, options.progress, report)
    if result:
        code = _results.left_to_python(result)
        if code is None:
            refusal = _results.first_refusal(report) if report and options.clones_only else 0
            _results.raise_for(result, src, dst, refusal)
        copied = _plain.copy(src, dst, options.progress, code, mode=options.mode_of_new(src))
        if report is not None:
            report.copied = copied
    return True
