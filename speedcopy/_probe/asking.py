"""Asking one mechanism of the native table, and no other. Needs the native layer."""

from __future__ import annotations

from typing import Optional

from speedcopy import _boundary, _results
from speedcopy._copyfile import SERVER_COPY
from speedcopy._native import lib

MECHANISMS = _boundary.MECHANISMS


def ask(name: str, src: str, dst: str) -> Optional[str]:
    """Copies by one mechanism; empty if it works, None if it does not apply to these files.

    Otherwise what a report has for a mechanism that declined: the name of the errno, or "no data".
    ``dst`` is a name that nobody uses. It exists afterwards: what the mechanism has declined, the
    last row has copied.
    """
    row = MECHANISMS.index(name)
    others = sum(lib.SC_SKIP_ROW << other for other in range(len(MECHANISMS) - 1) if other != row)
    report = _boundary.new_report()
    src_path, dst_path = _boundary.encode(src), _boundary.encode(dst)
    flags = others | lib.SC_KEEP_HOLES | SERVER_COPY
    _boundary.copy(src_path, dst_path, flags, None, report)
    if report.mechanism == row:
        return ""
    return _results.declined(report).get(name)
