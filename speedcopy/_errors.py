"""The exceptions that ``shutil.copyfile`` raises, made without it and without the native layer."""

from __future__ import annotations

import errno
import os
import sys
from shutil import SameFileError, SpecialFileError
from typing import TYPE_CHECKING, NoReturn, Optional, Union

if TYPE_CHECKING:
    from speedcopy._types import Path

    Name = Union[str, bytes, int]

#: Where two names share a number, the one that the kernel's manual pages use.
_NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EAGAIN: "EAGAIN"}


def same_file(src: Path, dst: Path) -> SameFileError:
    """For two names of one file."""
    return SameFileError(f"{src!r} and {dst!r} are the same file")


def special_file(path: Path, kind: str) -> SpecialFileError:
    """For what is no file to copy: "named pipe" or "character device"."""
    shown = path.path if isinstance(path, os.DirEntry) else path
    return SpecialFileError(f"`{shown!s}` is a {kind}")


def one(code: int, path: Path) -> OSError:
    """The OSError of an errno that concerns one of the files."""
    return _error(code, _name(path))


def raise_opening(error: OSError, dst: Path) -> NoReturn:
    """Raises an error of opening one of the files, or another one that the library has for it."""
    # a missing directory with a slash behind it: python/cpython#87385
    if (
        isinstance(error, IsADirectoryError)
        and error.filename == _name(dst)
        and not os.path.exists(dst)
    ):
        msg = f"Directory does not exist: {dst!s}"
        raise FileNotFoundError(msg) from error
    raise error


def both(code: int, src: Path, dst: Path) -> OSError:
    """The OSError of an errno that concerns both files."""
    return _error(code, _name(src), _name(dst))


def _name(path: Path) -> Name:
    """As the standard library puts it into an error; a caller may hand in a descriptor."""
    return path if isinstance(path, int) else os.fspath(path)


def with_code(error: OSError, code: int, src: Path, dst: Path) -> OSError:
    """An error of the standard library's, with the Win32 code if that means the same.

    "The process cannot access the file because it is being used by another process" is more
    than "Permission denied". An error without a name gets both.
    """
    if error.errno is None:
        return error  # no system call's: a signal handler's TimeoutError, say
    if error.filename is None:
        error.filename, error.filename2 = _name(src), _name(dst)
    if not code:
        return error
    windows = _error(code, error.filename, error.filename2)
    return windows if windows.errno == error.errno else error


if sys.platform == "win32":

    def _error(code: int, name: Name, other: Optional[Name] = None) -> OSError:
        """Of a Win32 code: Python knows the errno and the class."""
        from speedcopy._native import ffi  # noqa: PLC0415 (only the native layer has such codes)

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
        return _NAMES.get(code, str(code))
