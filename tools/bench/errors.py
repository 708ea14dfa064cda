"""Errors that end a run with one line, and their exit codes."""

from __future__ import annotations

import errno

from common.errors import ToolError

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: ENOENT: /proc has no room for new names.
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT})


class BenchmarkError(ToolError):
    """The run cannot be done as asked."""


class WrongCopyError(BenchmarkError):
    """A tool returned without an error, but its copy differs from the source."""

    exit_code = 1


class UnusableError(BenchmarkError):
    """Files cannot be created, written or read in the directory."""

    def __init__(self, folder: str, error: OSError, space: int) -> None:
        """The message is one line; ``space`` is how many bytes the files need."""
        if error.errno in _FULL:
            cause = f"not enough space for {space >> 20} MB of files ({error.strerror})"
        elif error.errno in _CLOSED:
            cause = f"cannot be written to ({error.strerror})"
        else:
            cause = str(error)
        super().__init__(f"{folder}: {cause}")
