"""Asking one mechanism of the native table, and no other. Needs the native layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from speedcopy import _boundary, _results
from speedcopy._native import lib

if TYPE_CHECKING:
    from collections.abc import Iterator

MECHANISMS = _boundary.MECHANISMS

#: The flag that leaves out row 0 of the table, and shifted by a number the row of that number.
SKIP_ROW: int = getattr(lib, "SC_SKIP_ROW", 0)


def ask(name: str, src: str, dst: str) -> Optional[str]:
    """Copies by one mechanism; empty if it works, None if it was not asked.

    Otherwise what a report has for a mechanism that declined: the name of the errno, or "no data".
    ``dst`` is a name that nobody uses, and may exist afterwards.
    """
    row = MECHANISMS.index(name)
    src_path, dst_path = _boundary.encode(src), _boundary.encode(dst)
    for flags in _ways(row):
        report = _boundary.new_report()
        _boundary.copy(src_path, dst_path, flags | lib.SC_KEEP_HOLES, None, report)
        if report.mechanism == row:
            return ""
        refusals = _results.declined(report)
        if name in refusals:
            return refusals[name]
    return None


def _ways(row: int) -> Iterator[int]:
    """Flags of copies by which a row may be reached.

    The last row is in all of them: what every other has declined is copied by it.
    """
    if SKIP_ROW:
        yield sum(SKIP_ROW << other for other in range(len(MECHANISMS) - 1) if other != row)
        return
    yield from (0, lib.SC_TELL_END, lib.SC_REFLINK_ALWAYS, lib.SC_REFLINK_NEVER)
