"""Maps of files, in docstrings and in pages: which names they list."""

from __future__ import annotations

import re

#: A line of a docstring: a name, two spaces or more, what is there.
_LINE = re.compile(r"([\w./-]+) {2,}\S.*")
#: A row of a Markdown table: names in backticks in the first cell.
_ROW = re.compile(r"\|([^|]*`[^|]*)\|.*")
_QUOTED = re.compile(r"`([^`]+)`")


def listed(text: str) -> set[str]:
    """The names that the maps in ``text`` list, as they are written there."""
    found: set[str] = set()
    for line in text.splitlines():
        if row := _ROW.fullmatch(line):
            found.update(_QUOTED.findall(row[1]))
        elif entry := _LINE.fullmatch(line):
            found.add(entry[1])
    return found
