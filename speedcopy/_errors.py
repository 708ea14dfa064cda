"""Makes the exceptions that ``shutil.copyfile`` raises."""

from __future__ import annotations

import errno
import os
import sys
from shutil import SameFileError, SpecialFileError
from typing import TYPE_CHECKING, NoReturn, Optional, Union

if TYPE_CHECKING:
    from speedcopy._types import Path

    Name = Union[str, bytes, int]

#: If a number has two names, the name in the kernel's manual pages.
_NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP", errno.EAGAIN: "EAGAIN"}


class OtherNameError(Exception):
    """Another name may lead to dst, too: it has to be copied alone. Nothing was done."""


def same_file(src: Path, dst: Path) -> SameFileError:
    """The error for two names of the same file."""
    return SameFileError(f"{src!r} and {dst!r} are the same file")


def special_file(path: Path, kind: str) -> SpecialFileError:
    """The error for a path that is a ``kind``: "named pipe" or "character device"."""
    shown = path.path if isinstance(path, os.DirEntry) else path
    return SpecialFileError(f"`{shown!s}` is a {kind}")


def one(code: int, path: Path) -> OSError:
    """The OSError for an errno about one of the files."""
    return _error(code, _name(path))


def raise_opening(error: OSError, dst: Path) -> NoReturn:
    """Raises the error of opening a file, or what the standard library raises in its place."""
    # a missing directory whose name ends with a slash: python/cpython#87385
    if (
        isinstance(error, IsADirectoryError)
        and error.filename == _name(dst)
        and not os.path.exists(dst)
    ):
        msg = f"Directory does not exist: {dst!s}"
        raise FileNotFoundError(msg) from error
    raise error


def both(code: int, src: Path, dst: Path) -> OSError:
    """The OSError for an errno about both files."""
    return _error(code, _name(src), _name(dst))


def _name(path: Path) -> Name:
    """The path as the standard library puts it into an error; it may also be a descriptor."""
    return path if isinstance(path, int) else os.fspath(path)


def with_code(error: OSError, code: int, src: Path, dst: Path) -> OSError:
    """An error of the standard library, with the Win32 code if both have the same errno.

    The text of the code says more: "The process cannot access the file because it is being used
    by another process", not "Permission denied". An error without a name gets both names.
    """
    if error.errno is None:
        return error  # not from a system call: a signal handler's TimeoutError, for example
    if error.filename is None:
        error.filename, error.filename2 = _name(src), _name(dst)
    if not code:
        return error
    windows = _error(code, error.filename, error.filename2)
    return windows if windows.errno == error.errno else error


if sys.platform == "win32":

    def _error(code: int, name: Name, other: Optional[Name] = None) -> OSError:
        """The OSError for a Win32 code; Python finds its errno and class."""
        from speedcopy._native import ffi  # noqa: PLC0415 (only the native layer has such codes)

        text = ffi.getwinerror(code)[1]
        return OSError(0, text.replace("0x%X", f"0x{code:X}"), name, code, other)

    def name_of(code: int) -> str:
        """The name of a Win32 code, or of an HRESULT without such a code, in a report."""
        return f"WinError {code}" if code > 0 else f"HRESULT 0x{code & 0xFFFFFFFF:08X}"

else:

    def _error(code: int, name: Name, other: Optional[Name] = None) -> OSError:
        return OSError(code, os.strerror(code), name, None, other)

    def name_of(code: int) -> str:
        """The name of an errno in a report."""
        return _NAMES.get(code, str(code))
