"""What ends a run with one clear line instead of a traceback."""

from __future__ import annotations

import errno
import signal
import sys
from typing import TYPE_CHECKING

from bench.scratch import Stopped, stoppable

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_WRONG = 1
EXIT_USAGE = 2

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
#: ENOENT: /proc has no room for new names.
_CLOSED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT})


class BenchmarkError(Exception):
    """The run cannot be done as asked."""

    exit_code = EXIT_USAGE


class WrongCopyError(BenchmarkError):
    """A tool returned without an error and had not copied what it was given."""

    exit_code = EXIT_WRONG


class UnusableError(BenchmarkError):
    """Files cannot be created, written or read in the directory."""

    def __init__(self, folder: str, error: OSError, space: int) -> None:
        """Say it in one line; ``space`` is how many bytes the files need."""
        if error.errno in _FULL:
            cause = f"not enough space for {space >> 20} MB of files ({error.strerror})"
        elif error.errno in _CLOSED:
            cause = f"cannot be written to ({error.strerror})"
        else:
            cause = str(error)
        super().__init__(f"{folder}: {cause}")


def exit_code(program: str, run: Callable[[], None]) -> int:
    """Do ``run()``; 0, or the exit code of what ended it, having said why on stderr.

    A signal is 128 + its number, as of a shell.
    """
    try:
        with stoppable():
            run()
    except BenchmarkError as error:
        code, text = error.exit_code, str(error)
    except OSError as error:
        code, text = EXIT_USAGE, str(error)
    except Stopped as stopped:
        name = signal.Signals(stopped.signum).name
        code, text = 128 + stopped.signum, f"stopped by {name}; everything it made is removed"
    else:
        return 0
    print(f"{program}: {text}", file=sys.stderr, flush=True)
    return code
