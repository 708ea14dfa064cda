"""What an interrupted copy left of dst, in one word, and tables that count these words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, Optional

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: In the order of the columns of a table.
CLASSES = {
    "old": "all of the old content, or no file where there was none",
    "new": "all of the new content",
    "empty": "a file of no bytes",
    "short": "the beginning of the new content",
    "gaps": "shorter than the new content, with zeros in the place of some of it",
    "zeros": "as long as the new content, with zeros in the place of some or all of it",
    "longer": "longer than the new content, and not the old one",
    "mixed": "anything else: some of the old content, or of neither",
    "gone": "no file where there was one",
}

#: What the project promises never to leave, whatever happened.
BROKEN = ("longer", "mixed", "gone")

_SECTOR = 512


def classify(found: Optional[bytes], old: Optional[bytes], new: bytes) -> str:
    """Returns one of CLASSES; None stands for no file."""
    if found is None or found == old:
        return "old" if found == old else "gone"
    if not found or len(found) > len(new):
        return "longer" if found else "empty"
    if new.startswith(found):
        return "new" if len(found) == len(new) else "short"
    for start in range(0, len(found), _SECTOR):
        sector = found[start : start + _SECTOR]
        if any(sector) and not new.startswith(sector, start):
            return "mixed"
    return "zeros" if len(found) == len(new) else "gaps"


def contents(path: Path) -> Optional[bytes]:
    """The bytes of a file, None where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


class Row(NamedTuple):
    """Whose copies a row of a table is about."""

    place: str
    case: str
    tool: str

    @property
    def is_ours(self) -> bool:
        """Says whether a copy of this project is counted."""
        return self.tool.startswith("speedcopy")


Table = dict[Row, Counter[str]]


def format_table(table: Table) -> str:
    """The counts, a line each, and a line for each place and tool."""
    totals: Table = {}
    for row, counts in table.items():
        totals.setdefault(Row(row.place, "all", row.tool), Counter()).update(counts)
    return "\n".join(_lines({**table, **totals}))


def _lines(table: Table) -> Iterable[str]:
    labels = [("place", "case", "tool"), *table]
    widths = [max(len(label[column]) for label in labels) for column in range(3)]

    def line(label: Iterable[str], cells: Iterable[object]) -> str:
        left = (text.ljust(width) for text, width in zip(label, widths))
        return "  ".join((*left, *(f"{cell:>6}" for cell in cells)))

    yield line(labels[0], CLASSES)
    for row, counts in table.items():
        yield line(row, (counts[name] or "." for name in CLASSES))


def broken(table: Table) -> Table:
    """The rows of our own copies that broke the promise."""
    return {
        row: counts
        for row, counts in table.items()
        if row.is_ours and any(counts[name] for name in BROKEN)
    }
