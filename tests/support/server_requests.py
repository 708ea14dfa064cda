"""What was asked of a file server, as the client in the kernel has counted it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

STATS = Path("/proc/fs/cifs/Stats")


class Counts(NamedTuple):
    """Requests of one share, by kind."""

    total: int
    kinds: dict[str, int]


def forget_requests() -> None:
    """Starts to count at 0."""
    STATS.write_text("0")


def requests(share: str) -> Counts:
    """What one SMB share was asked since."""
    # "3) \\10.0.2.2\smb_xfs", then its counters, up to the next share
    parts = re.split(r"^\d+\) ", STATS.read_text(), flags=re.MULTILINE)[1:]
    (part,) = (part for part in parts if part.split("\n", 1)[0].strip().endswith(share.lower()))
    total = re.search(r"^SMBs: (\d+)", part, re.MULTILINE)
    assert total
    kinds = re.findall(r"^(\w+): (\d+) (?:total|sent)", part, re.MULTILINE)
    return Counts(int(total[1]), {kind: int(number) for kind, number in kinds if number != "0"})


def operations(mount: Path) -> dict[str, int]:
    """What an NFS mount has asked its server, by operation: /proc/self/mountstats."""
    parts = re.split(r"^device ", Path("/proc/self/mountstats").read_text(), flags=re.MULTILINE)
    (part,) = (part for part in parts if f" mounted on {mount} with " in part)
    rows = re.findall(r"^\s+([A-Z_]+): (\d+) \d+ \d+", part, re.MULTILINE)
    return {name: int(number) for name, number in rows}


class Table:
    """A pytest plug-in: the counts of a run, one row a copy and one column a tool."""

    def __init__(self, title: str) -> None:
        """Stays silent as long as nothing is added."""
        self._title = title
        self._rows: dict[str, dict[str, str]] = {}

    def add(self, row: str, tool: str, counts: Counts) -> None:
        """Notes what a tool has asked."""
        kinds = ", ".join(f"{number} {kind}" for kind, number in counts.kinds.items())
        told = f"{counts.total} ({kinds})" if tool == "speedcopy" else str(counts.total)
        self._rows.setdefault(row, {})[tool] = told

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Prints the table."""
        if not self._rows:
            return
        terminalreporter.section(self._title)
        tools = list(dict.fromkeys(tool for row in self._rows.values() for tool in row))
        lines = [["", *tools]]
        lines += [
            [name, *(row.get(tool, "") for tool in tools)] for name, row in self._rows.items()
        ]
        for line in aligned(lines):
            terminalreporter.write_line(line)


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines whose columns stand below each other."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]
