"""Which mounts of the lab a run is about, and what came of its tests on each."""

from __future__ import annotations

import re
import time
from collections import Counter
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from support.lab_mounts import ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest
    from support.fuse_contract import Counts


def chosen(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that one of the patterns means, which commas separate."""
    patterns = wanted.split(",")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def words_of(nodeid: str) -> list[str]:
    """What stands in the brackets of a test's name."""
    inside = re.search(r"\[(.*)\]$", nodeid, re.DOTALL)
    return re.split(r"[- ]", inside[1]) if inside else []


def is_on(item: pytest.Item, names: Collection[str]) -> bool:
    """Whether a test copies on, or from, one of these mounts."""
    return next((word in names for word in words_of(item.nodeid) if word in ALL), False)


def dealt(items: Iterable[pytest.Item], every: int) -> set[pytest.Item]:
    """Of the tests that get their mount from --mounts, one of so many, and another on each."""
    kept = set()
    seen: dict[str, int] = {}
    for item in items:
        if "base" not in getattr(item, "fixturenames", ()):
            kept.add(item)
            continue
        name = next(word for word in words_of(item.nodeid) if word in ALL)
        number = seen[name] = seen.get(name, ALL.index(name)) + 1
        if number % every == 0:
            kept.add(item)
    return kept


class Tally:
    """A pytest plug-in: one line per mount at the end, with what came of its tests."""

    def __init__(self, names: Iterable[str]) -> None:
        """Counts the tests whose parameters name one of the mounts."""
        self._counts: dict[str, dict[str, int]] = {name: {} for name in names}
        self._seconds = dict.fromkeys(self._counts, 0.0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Counts an outcome once, where it was decided."""
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
    """A pytest plug-in: one line per mount at the end, with the copies compared on it."""

    def __init__(self, title: str) -> None:
        """Stays silent as long as nothing is added."""
        self._title = title
        self._rows: dict[str, Counter[str]] = {}
        self._seconds: dict[str, float] = {}
        self._skipped: dict[str, str] = {}

    def note(self, mount: str, counts: Counts, started: float) -> None:
        """Adds copies that have been made since ``started``, by time.monotonic()."""
        row = self._rows.setdefault(mount, Counter())
        row["copies"] += counts.copies
        row["wrong"] += counts.wrong
        row["failed by shutil"] += counts.failed
        row["wrong by shutil"] += counts.lost
        row["by both"] += counts.lost_too
        self._seconds[mount] = self._seconds.get(mount, 0) + time.monotonic() - started

    def skip(self, mount: str, reason: str) -> None:
        """Says why there are none on a mount."""
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
