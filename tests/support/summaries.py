"""What is printed at the end of a run: each class here is a pytest plug-in for one section."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from support.lab_mounts import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pytest
    from support.fuse_contract import Comparisons
    from support.server_requests import RequestCounts


class Tally:
    """One line per mount of the lab: how many tests have passed there, failed and so on."""

    def __init__(self, names: Iterable[str]) -> None:
        """Counts the tests whose parameters name one of the mounts."""
        self._counts: dict[str, dict[str, int]] = {name: {} for name in names}
        self._seconds = dict.fromkeys(self._counts, 0.0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts each test once, in the phase that decided its outcome."""
        words = words_of(report.nodeid)
        for name in self._counts:
            if name in words:
                self._seconds[name] += report.duration
                if report.when == "call" or report.outcome != "passed":
                    counts = self._counts[name]
                    counts[report.outcome] = counts.get(report.outcome, 0) + 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Prints the lines."""
        terminalreporter.section("mounts")
        for name, counts in self._counts.items():
            told = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counts.items()))
            terminalreporter.write_line(
                f"{name:17} {told or 'no tests'} in {self._seconds[name]:.0f} s"
            )


class Ledger:
    """One line per FUSE mount: how many copies were compared with shutil's there."""

    def __init__(self, title: str) -> None:
        """Prints nothing unless something is added."""
        self._title = title
        self._rows: dict[str, Counter[str]] = {}
        self._seconds: dict[str, float] = {}
        self._skipped: dict[str, str] = {}

    def note(self, mount: str, counts: Comparisons, started: float) -> None:
        """Adds copies that have been made since ``started``, by time.monotonic()."""
        row = self._rows.setdefault(mount, Counter())
        row["copies"] += counts.copies
        row["wrong"] += counts.wrong
        row["failed by shutil"] += counts.failed
        row["wrong by shutil"] += counts.lost
        row["by both"] += counts.lost_too
        self._seconds[mount] = self._seconds.get(mount, 0) + time.monotonic() - started

    def skip(self, mount: str, reason: str) -> None:
        """Notes why a mount is missing."""
        self._skipped[mount] = reason

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Prints the lines."""
        if self._rows or self._skipped:
            terminalreporter.section(self._title)
        for mount, row in self._rows.items():
            told = ", ".join(f"{number} {what}" for what, number in row.items())
            terminalreporter.write_line(f"{mount:17} {told} in {self._seconds[mount]:.1f} s")
        for mount, reason in self._skipped.items():
            terminalreporter.write_line(f"{mount:17} skipped: {reason}")


class Table:
    """The requests to a file server, one row per copy and one column per tool."""

    def __init__(self, title: str) -> None:
        """Prints nothing unless something is added."""
        self._title = title
        self._rows: dict[str, dict[str, str]] = {}

    def add(self, row: str, tool: str, counts: RequestCounts) -> None:
        """Adds the requests of a tool."""
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
    """Lines with aligned columns."""
    widths = [max(map(len, column)) for column in zip(*lines)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines
    ]
