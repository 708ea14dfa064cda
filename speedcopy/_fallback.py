"""Copies without the native layer."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from typing import TYPE_CHECKING, Callable, Optional

from speedcopy import _errors, _plain, _results, _stand_ins

if TYPE_CHECKING:
    from speedcopy._copyfile import Options
    from speedcopy._types import Path

stdlib_copyfile = _stand_ins.standard("copyfile")
_stdlib_copy2 = _stand_ins.standard("copy2")

#: The audit event of each kind of metadata.
EVENTS = {
    "mode": "shutil.copymode",
    "strict": "shutil.copystat",
    "best-effort": "shutil.copystat",
    "times": "shutil.copystat",
}


def copy(src: Path, dst: Path, options: Options) -> tuple[str, int, dict[str, str]]:
    """Copies by the standard library.

    Returns what has copied, bytes, and the metadata that was refused, as in a Transfer.
    """
    if sys.platform == "win32" and options.metadata == "strict" and not os.path.isdir(dst):
        _stdlib_copy2(src, dst, follow_symlinks=options.follow_symlinks)
        return "shutil.copy2", _call_progress(src, dst, options), {}
    mechanism, copied = _copy_data(src, dst, options)
    refused = copy_metadata(src, dst, options.metadata, follow_symlinks=options.follow_symlinks)
    if options.as_cp and options.metadata:
        drop_rights(src, dst)
    return mechanism, copied, refused


def copy_metadata(
    src: Path, dst: Path, metadata: Optional[str], *, follow_symlinks: bool = True
) -> dict[str, str]:
    """Copies metadata by the standard library; returns what was refused, as in a Transfer."""
    if metadata == "mode":
        shutil.copymode(src, dst, follow_symlinks=follow_symlinks)
    elif metadata == "strict":
        shutil.copystat(src, dst, follow_symlinks=follow_symlinks)
    elif metadata:
        return _as_far_as_possible(src, dst, metadata, follow_symlinks=follow_symlinks)
    return {}


def drop_rights(src: Path, dst: Path) -> None:
    """Takes setuid and setgid away from dst if its owner is not that of src."""
    src_st, dst_st = os.stat(src), os.stat(dst)
    mode = stat.S_IMODE(dst_st.st_mode)
    owners = (src_st.st_uid, src_st.st_gid), (dst_st.st_uid, dst_st.st_gid)
    if owners[0] != owners[1] and mode & (stat.S_ISUID | stat.S_ISGID):
        os.chmod(dst, mode & ~(stat.S_ISUID | stat.S_ISGID))


def _as_far_as_possible(
    src: Path, dst: Path, metadata: str, *, follow_symlinks: bool
) -> dict[str, str]:
    """Copies metadata piece by piece; returns what was refused, and the names of the errnos."""
    if not follow_symlinks and is_link(src):
        code = _code_of(lambda: shutil.copystat(src, dst, follow_symlinks=False))
        return {"times": _errors.name_of(code)} if code else {}
    sys.audit(EVENTS[metadata], src, dst)
    st = os.stat(src)
    copy_xattrs: Callable[[Path, Path], None] = vars(shutil)["_copyxattr"]
    steps = (
        lambda: os.utime(dst, ns=(st.st_atime_ns, st.st_mtime_ns)),
        lambda: copy_xattrs(src, dst) if metadata == "best-effort" else None,
        lambda: os.chmod(dst, stat.S_IMODE(st.st_mode)),
    )
    codes = map(_code_of, steps)
    return {name: _errors.name_of(code) for name, code in zip(_results.ATTRIBUTES, codes) if code}


def _code_of(step: Callable[[], None]) -> int:
    """The code with which it fails, or 0."""
    try:
        step()
    except OSError as error:
        return getattr(error, "winerror", None) or error.errno or 0
    return 0


def _copy_data(src: Path, dst: Path, options: Options) -> tuple[str, int]:
    """Returns what has copied, and bytes: 0 for a symbolic link.

    If every byte must be written, :mod:`speedcopy._plain` copies instead, because the standard
    library of Python 3.14 may clone. So it is as GNU cp creates files, with a mode. If a test has
    replaced what ``shutil.copyfile`` calls, the standard library copies nevertheless.
    """
    if (
        (options.writes_all or options.as_cp)
        and not _stand_ins.are_there()
        and (options.follow_symlinks or not is_link(src))
    ):
        sys.audit("shutil.copyfile", src, dst)
        return "read/write", _plain.copy(
            src, dst, options.progress, 0, mode=options.mode_of_new(src)
        )
    expected = _size_of(src) if isinstance(dst, int) else 0
    stdlib_copyfile(src, dst, follow_symlinks=options.follow_symlinks)
    return _results.FALLBACK, _call_progress(src, dst, options, expected)


def _call_progress(src: Path, dst: Path, options: Options, expected: int = 0) -> int:
    """Calls ``progress`` after the standard library has copied; returns the bytes."""
    linked = not options.follow_symlinks and is_link(src)
    copied = 0 if linked else _size_of(dst, unknown=expected)
    if options.progress is not None:
        options.progress(copied, copied)
    return copied


# The standard library also accepts open descriptors as src or dst. So do these two functions.


def is_link(path: Path) -> bool:
    """Whether ``path`` is the name of a symbolic link."""
    try:
        return os.path.islink(path)
    except TypeError:
        return False


def _size_of(path: Path, unknown: int = 0) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, TypeError, ValueError):
        return unknown
