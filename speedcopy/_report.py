"""The report of a copy, and its line in the log."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from speedcopy._types import Path

_logger = logging.getLogger("speedcopy")


@dataclass(frozen=True)
class Transfer:
    """How a copy was made, and why it was not made faster.

    ``mechanism`` moved the last byte. It is a row of the platform's table ("FICLONE",
    "CIFS_IOC_COPYCHUNK_FILE", "copy_file_range", "sendfile", "read/write"; "fclonefileat",
    "__copyfile"; "CopyFile2"), or "shutil.copyfile" if Python copied as the standard library does.
    ``copied`` is in bytes, ``seconds`` is wall time. ``declined`` has the mechanisms that were
    tried before and declined, in that order, each with the name of its errno (on Windows
    "WinError" and a number), or with "no data" if the call succeeded and moved nothing. If no
    mechanism could be tried, ``declined`` has the key "native" with "not built" (the extension is
    missing), "no cffi" or "subinterpreter". ``offloaded`` says whether a server or a storage device
    moved the bytes without this machine. It is None if the system does not report that; only
    Windows does.
    ``refused`` has the requested metadata that the file system refused: "times", "xattrs" or
    "mode", each with the name of the first errno.
    """

    mechanism: str
    copied: int
    seconds: float
    declined: dict[str, str] = field(default_factory=dict[str, str])
    offloaded: Optional[bool] = None
    refused: dict[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        """One line for a log."""
        text = f"{self.mechanism}, {self.copied} bytes in {self.seconds:.6f} s"
        if self.offloaded:
            text += ", offloaded"
        for title, reasons in (("declined", self.declined), ("refused", self.refused)):
            if reasons:
                listed = ", ".join(f"{name} ({why})" for name, why in reasons.items())
                text += f"; {title}: {listed}"
        return text


def log(src: Path, dst: Path, outcome: object) -> None:
    """Logs one line about a copy for SPEEDCOPY_DEBUG.

    The line goes to the logger ``speedcopy`` whatever its level, because the switch asks for it.
    If logging is not configured, the line goes to stderr.
    """
    where = "(speedcopy)", 0
    record = _logger.makeRecord(
        _logger.name, logging.DEBUG, *where, "%r -> %r: %s", (src, dst, outcome), None
    )
    if _logger.hasHandlers():
        _logger.handle(record)
    else:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        handler.handle(record)
