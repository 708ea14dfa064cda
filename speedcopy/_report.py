"""What happened to a copy, and saying so."""

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
    """What happened: how a copy was made, and why it was not made faster.

    ``mechanism`` is what moved the last byte: a row of the platform's table ("FICLONE",
    "CIFS_IOC_COPYCHUNK_FILE", "copy_file_range", "sendfile", "read/write"; "CopyFile2"), or
    "shutil.copyfile" where the standard library did it all. ``copied`` is in bytes,
    ``seconds`` is wall time. ``declined`` has the mechanisms that were asked before and could
    not, in the order tried, each with the name of its errno (on Windows "WinError" and its
    number), or "no data" if the call succeeded and moved nothing. Where none could be asked, it
    has "native": "not built", as the extension is missing, or "subinterpreter". ``offloaded`` is
    whether a server or a storage device moved the bytes without this machine, None where the
    system does not say: all but Windows.
    """

    mechanism: str
    copied: int
    seconds: float
    declined: dict[str, str] = field(default_factory=dict)
    offloaded: Optional[bool] = None

    def __str__(self) -> str:
        """One line for a log."""
        text = f"{self.mechanism}, {self.copied} bytes in {self.seconds:.6f} s"
        if self.offloaded:
            text += ", offloaded"
        if self.declined:
            reasons = ", ".join(f"{name} ({why})" for name, why in self.declined.items())
            text += f"; declined: {reasons}"
        return text


def log(src: Path, dst: Path, outcome: object) -> None:
    """Logs one line about a copy for SPEEDCOPY_DEBUG.

    Goes to the logger ``speedcopy`` whatever its level, as somebody has asked for it; and to
    stderr when nobody has configured logging.
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
