"""An exception, taken apart so that two of them can be compared."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Optional


@dataclass(frozen=True)
class Failure:
    """The fields of an exception that a copy has raised."""

    kind: type[BaseException]
    text: str
    args: tuple[Any, ...] = ()
    cause: Optional[type[BaseException]] = None
    errno: Optional[int] = None
    strerror: Optional[str] = None
    filename: Any = None
    filename2: Any = None

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Takes an exception apart.

        On Windows ours has the system's words and shutil's has the C library's; the latter are
        put in place of the former.
        """
        kind, cause = type(error), type(error.__cause__) if error.__cause__ else None
        if isinstance(error, OSError) and error.errno and getattr(error, "winerror", None):
            names = error.filename, error.filename2
            error = OSError(error.errno, os.strerror(error.errno), names[0])
            if names[1] is not None:
                error.filename2 = names[1]
        named = {
            name: getattr(error, name, None)
            for name in ("errno", "strerror", "filename", "filename2")
        }
        return cls(kind, str(error), error.args, cause, **named)
