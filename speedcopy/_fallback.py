"""Copies without the native layer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from speedcopy import _plain, _results, _stand_ins

if TYPE_CHECKING:
    from speedcopy._copyfile import Options
    from speedcopy._types import Path

stdlib_copyfile = _stand_ins.standard_copyfile()


def copy(src: Path, dst: Path, options: Options) -> tuple[str, int]:
    """Copies by the standard library. Returns mechanism and bytes: 0 bytes for a symbolic link.

    If every byte must be written, :mod:`speedcopy._plain` copies instead, because the standard
    library of Python 3.14 may clone. If a test has replaced what ``shutil.copyfile`` calls, the
    standard library copies nevertheless.
    """
    if (
        options.writes_all
        and not _stand_ins.are_there()
        and (options.follow_symlinks or not is_link(src))
    ):
        sys.audit("shutil.copyfile", src, dst)
        return "read/write", _plain.copy(src, dst, options.progress, 0)
    expected = _size_of(src) if isinstance(dst, int) else 0
    stdlib_copyfile(src, dst, follow_symlinks=options.follow_symlinks)
    linked = not options.follow_symlinks and is_link(src)
    copied = 0 if linked else _size_of(dst, unknown=expected)
    if options.progress is not None:
        options.progress(copied, copied)
    return _results.FALLBACK, copied


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
