"""Which tests a run in the lab consists of: what ``--mounts`` and ``--deal`` choose."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from support.lab_mounts import ALL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    import pytest


def chosen(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that match one of the patterns; ``wanted`` has them separated by commas."""
    patterns = wanted.split(",")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def words_of(nodeid: str) -> list[str]:
    """The words in the brackets of a test's id."""
    inside = re.search(r"\[(.*)\]$", nodeid, re.DOTALL)
    return re.split(r"[- ]", inside[1]) if inside else []


def is_on(item: pytest.Item, names: Collection[str]) -> bool:
    """Whether a test copies on, or from, one of these mounts."""
    return next((word in names for word in words_of(item.nodeid) if word in ALL), False)


def dealt(items: Iterable[pytest.Item], every: int) -> set[pytest.Item]:
    """Of the tests with the fixture ``folder``, each Nth; on each mount another one is first."""
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
