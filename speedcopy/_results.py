"""Translates the results and reports of the native layer into Python's terms.

All error codes but SC_STOPPED (``_boundary``) are decoded here. Without the native layer this
module can be imported, but nothing calls its functions.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn, Optional

from speedcopy import _errors, _loader

if TYPE_CHECKING:
    from speedcopy._native import Report
    from speedcopy._types import Path

#: The mechanism if Python copied as the standard library does.
FALLBACK = "shutil.copyfile"

#: Metadata that a file system may refuse, in the order in which it is copied.
ATTRIBUTES = ("times", "xattrs", "mode")

#: Mechanisms that clone, and the errnos with which they decline all files of two directories.
_CLONING = ("FICLONE", "fclonefileat")
_NEVER_CLONES = (errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV)

if _loader.native:
    lib, MECHANISMS = _loader.native.lib, _loader.native.MECHANISMS
    _PLACE = lib.SC_AT_BOTH
    _CODE = lib.SC_AT_SRC - 1
    _SPECIAL = {lib.SC_NAMED_PIPE: "named pipe", lib.SC_CHARACTER_DEVICE: "character device"}
    _REASONS = {lib.SC_NO_DATA: "no data"}


def raise_for(result: int, src: Path, dst: Path, refusal: int = 0) -> NoReturn:
    """Raises the error of a failed copy.

    ``result`` is what ``sc_copy`` returned, not 0. ``src`` and ``dst`` are the caller's own
    arguments. ``refusal`` is the code with which the only mechanism allowed has declined, or 0;
    its error becomes the cause. Raises SameFileError, SpecialFileError or the subclass of OSError
    for the errno. As in the standard library, an error of opening a file has the name of that
    file, and any other error has both names. One of metadata has the name that the function of
    :mod:`os` puts into it.
    """
    code, place = -result & _CODE, -result & _PLACE
    if code == lib.SC_SAME_FILE:
        raise _errors.same_file(src, dst)
    if code == lib.SC_OTHER_NAME:
        raise _errors.OtherNameError
    path = src if place == lib.SC_AT_SRC else dst
    if code in _SPECIAL:
        raise _errors.special_file(path, _SPECIAL[code])
    if place == lib.SC_AT_NONE and sys.version_info < (3, 13):
        raise OSError(code, os.strerror(code))
    if place == _PLACE:
        cause = _errors.both(refusal, src, dst) if refusal else None
        raise _errors.both(code, src, dst) from cause
    _errors.raise_opening(_errors.one(code, path), dst)


def left_to_python(result: int) -> Optional[int]:
    """Why the native layer left the copy to Python: a code, or 0. None if it did not."""
    return -result & ~lib.SC_LEAVE_IT if -result & lib.SC_LEAVE_IT else None


def first_refusal(report: Report) -> int:
    """The code of the first mechanism that declined, or 0 if none did."""
    return next(filter(None, report.declined), 0)


def mechanism(report: Report) -> str:
    """The name of the mechanism that moved the last byte."""
    return MECHANISMS[report.mechanism] if report.mechanism >= 0 else FALLBACK


def offloaded(report: Report) -> Optional[bool]:
    """Whether the bytes bypassed this machine, or None if the system does not report it."""
    return None if report.offloaded < 0 else bool(report.offloaded)


def declined(report: Report) -> dict[str, str]:
    """The mechanisms that declined, and the names of their errnos."""
    codes = zip(MECHANISMS, report.declined)
    return {name: _REASONS.get(code) or _errors.name_of(code) for name, code in codes if code}


def refused(report: Report) -> dict[str, str]:
    """The metadata that dst could not be given, and the names of the errnos."""
    codes = zip(ATTRIBUTES, report.refused)
    return {name: _errors.name_of(code) for name, code in codes if code}


def useless(report: Report) -> int:
    """The rows, as a mask, that need not be asked about other files of the same two directories."""
    codes = zip(MECHANISMS, report.declined)
    return sum(
        1 << row
        for row, (name, code) in enumerate(codes)
        if name in _CLONING and code in _NEVER_CLONES
    )


def lacks_descriptors(result: int) -> bool:
    """Whether a copy failed because no more files can be opened."""
    return -result & _CODE in (errno.EMFILE, errno.ENFILE)
