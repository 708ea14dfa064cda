"""A sample of what kills.py counts in full."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from faults.kills import CONTROL, KEPT, WAYS, Way, count_kills, place
from support.filesystems import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.filesystems import Mounts


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest, mounts: Mounts) -> Iterator[Path]:
    """A file system in memory; ``mounts`` has it vanish with this process."""
    assert mounts is not None
    try:
        with place(request.param) as made:
            yield made
    except UnavailableError as error:
        pytest.skip(f"no {request.param}: {error}")


def count(folder: Path, way: Way, tool: str, kills: int) -> dict[str, set[str]]:
    """What was left, by case; skips where the way cannot be taken."""
    chance = random.Random(str(way))  # noqa: S311
    try:
        counts = count_kills(folder, way, tool, kills, chance)
    except UnavailableError as error:
        pytest.skip(f"no {way}: {error}")
    print(counts)  # noqa: T201
    return {case: set(counted) for case, counted in counts.items()}


@pytest.mark.parametrize(
    ("folder", "way"), [(way.places[0], way) for way in WAYS], indirect=["folder"], ids=str
)
def test_killed(folder: Path, way: Way) -> None:
    """A killed copy leaves the old file, the new one, or the beginning of the new one."""
    for case, left in count(folder, way, "speedcopy", 4).items():
        assert (case, left - KEPT) == (case, set())


@pytest.mark.parametrize("folder", ["tmpfs"], indirect=True)
def test_in_place_is_seen(folder: Path) -> None:
    """A copy that overwrites dst in place is found out, sooner or later."""
    for _ in range(20):
        if count(folder, CONTROL, "in place", 4)["over equal"] - KEPT:
            return
    pytest.fail("80 copies in place were killed, and none left a mixed file")
