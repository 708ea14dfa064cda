"""Asking one mechanism of the native table, and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from speedcopy import _boundary
from speedcopy._native import lib

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speedcopy._types import Progress

MECHANISMS = _boundary.MECHANISMS

#: The flag that leaves out row 0 of the table, and shifted by a number the row of that number.
_SKIP_ROW: int = getattr(lib, "SC_SKIP_ROW", 0)


def ask(name: str, src: str, dst: str) -> Optional[str]:
    """Copies by one mechanism; empty if it works, None if it was not asked.

    Otherwise what a report has for a mechanism that declined: the name of the errno, or "no data".
    ``dst`` is a name that nobody uses, and may exist afterwards.
    """
    row = MECHANISMS.index(name)
    for flags, progress in _ways(row):
        report = _boundary.new_report()
        src_path, dst_path = _boundary.encode(src), _boundary.encode(dst)
        _boundary.copy(src_path, dst_path, flags | _boundary.KEEP_HOLES, progress, report)
        if report.mechanism == row:
            return ""
        refusals = _boundary.declined(report)
        if name in refusals:
            return refusals[name]
    return None


def _ways(row: int) -> Iterator[tuple[int, Optional[Progress]]]:
    """Flags and callbacks of copies by which a row may be reached.

    The last row is in all of them: what every other has declined is copied by it.
    """
    last = len(MECHANISMS) - 1
    if _SKIP_ROW:
        yield sum(_SKIP_ROW << other for other in range(last) if other != row), None
        return
    yield _boundary.AUTO, None
    yield _boundary.AUTO, _ignore
    yield _boundary.ALWAYS, None
    yield _boundary.NEVER, None


def _ignore(_copied: int, _total: int) -> None:
    """For a copy that has to be made in rounds."""
