"""From what the native layer returns to the exception that ``shutil.copyfile`` would raise."""

from __future__ import annotations

import errno
import os
import sys
from shutil import SameFileError, SpecialFileError
from typing import TYPE_CHECKING, NoReturn, Optional, Union

from speedcopy._native import ffi, lib

if TYPE_CHECKING:
    from speedcopy._types import Path

    Name = Union[str, bytes]

_SPECIAL = {
    lib.SC_NAMED_PIPE: "`%s` is a named pipe",
    lib.SC_CHARACTER_DEVICE: "`%s` is a character device",
}

#: Where two names share a number, the one that the kernel's manual pages use.
_NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EAGAIN: "EAGAIN"}

_PLACE = lib.SC_AT_BOTH
_CODE = lib.SC_AT_SRC - 1


def raise_for(result: int, src: Path, dst: Path, refusal: int = 0) -> NoReturn:
    """Raises what a failed copy comes to.

    ``result`` is what ``sc_copy`` returned, not 0; ``src`` and ``dst`` are as the caller wrote
    them; ``refusal`` is the code with which the only mechanism that was wanted has declined. It
    becomes the cause.

    Raises SameFileError, SpecialFileError or the subclass of OSError that belongs to the errno. As
    in the standard library, an error of opening carries the one name that it is about, any other
    error both.
    """
    code, place = -result & _CODE, -result & _PLACE
    if code == lib.SC_SAME_FILE:
        msg = f"{src!r} and {dst!r} are the same file"
        raise SameFileError(msg)
    name = src if place == lib.SC_AT_SRC else dst
    if code in _SPECIAL:
        raise SpecialFileError(
            _SPECIAL[code] % (name.path if isinstance(name, os.DirEntry) else name)
        )
    if place == lib.SC_AT_BOTH:
        raise both(code, src, dst) from both(refusal, src, dst) if refusal else None
    error = _error(code, os.fspath(name))
    if isinstance(error, IsADirectoryError) and name is dst and not os.path.exists(dst):
        # a missing directory with a slash behind it: python/cpython#87385
        msg = f"Directory does not exist: {dst!s}"
        raise FileNotFoundError(msg) from error
    raise error


def both(code: int, src: Path, dst: Path) -> OSError:
    """The OSError of an errno that concerns both files."""
    return _error(code, os.fspath(src), os.fspath(dst))


def with_code(error: OSError, code: int, src: Path, dst: Path) -> OSError:
    """An error of the standard library's, with the Win32 code if that means the same.

    "The process cannot access the file because it is being used by another process" is more
    than "Permission denied". An error without a name gets both.
    """
    if error.filename is None:
        error.filename, error.filename2 = os.fspath(src), os.fspath(dst)
    windows = _error(code, error.filename, error.filename2)
    return windows if code and windows.errno == error.errno else error


if sys.platform == "win32":

    def _error(code: int, name: Name, other: Optional[Name] = None) -> OSError:
        """Of a Win32 code: Python knows the errno and the class."""
        text = ffi.getwinerror(code)[1]
        return OSError(0, text.replace("0x%X", f"0x{code:X}"), name, code, other)

    def name_of(code: int) -> str:
        """How a report spells the Win32 code, or the HRESULT that is none."""
        return f"WinError {code}" if code > 0 else f"HRESULT 0x{code & 0xFFFFFFFF:08X}"

else:

    def _error(code: int, name: Name, other: Optional[Name] = None) -> OSError:
        return OSError(code, os.strerror(code), name, None, other)

    def name_of(code: int) -> str:
        """How a report spells the errno with which a mechanism declined."""
        if code == lib.SC_NO_DATA:
            return "no data"
        return _NAMES.get(code, str(code))
