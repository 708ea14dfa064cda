"""A sample of what power_cuts.py counts in full, and the disk that it stands on."""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from faults.logged_disk import Replay, duplicate, logged
from faults.power_cuts import (
    PLANS,
    SYSTEMS,
    TOOLS,
    Image,
    Run,
    count_cuts,
    mounted_image,
    prepared,
    sync,
)
from faults.remains import CLASSES, Table, broken, classify, contents, format_table
from support.filesystems import UnavailableError
from support.sizes import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.filesystems import Mounts

LARGE = 2 * MIB


@pytest.fixture(scope="module")
def before(request: pytest.FixtureRequest, mounts: Mounts) -> Iterator[Image]:
    """An image of a file system with files in it; ``mounts`` has it vanish with this process."""
    assert mounts is not None
    try:
        with prepared(request.param, LARGE) as image:
            yield image
    except UnavailableError as error:
        pytest.skip(f"no {request.param} on a disk of our own: {error}")


def on(*names: str) -> pytest.MarkDecorator:
    """Runs a test on file systems."""
    return pytest.mark.parametrize("before", names, indirect=True)


def count(before: Image, *tools: str) -> Table:
    """Counts a sample of the cuts; skips where no such disk is to be had."""
    table: Table = defaultdict(Counter)
    try:
        for tool in tools:
            count_cuts(before, Run(tool, PLANS[0], LARGE, 12, "a sample"), table)
    except UnavailableError as error:
        pytest.skip(f"no disk of our own: {error}")
    print(format_table(table))  # noqa: T201
    return table


def seen(table: Table, tool: str) -> set[str]:
    """What the copies of a tool left, whatever they were."""
    return {word for row, counts in table.items() if row.tool == tool for word in counts}


@on(*SYSTEMS)
def test_never_mixed(before: Image) -> None:
    """No cut leaves a dst of ours that mixes old and new, or that is longer than the truth."""
    table = count(before, *TOOLS)
    assert not broken(table)
    for tool in TOOLS:  # the cuts are from before until after
        assert {"old", "new"} <= seen(table, tool)


@on("ext4")
def test_in_place_is_seen(before: Image) -> None:
    """A copy that overwrites dst in place is found out."""
    assert "mixed" in seen(count(before, "in place"), "in place")


@on(*SYSTEMS)
@pytest.mark.parametrize("lose", [False, True], ids=["all written", "some lost"])
def test_barriers(before: Image, *, lose: bool) -> None:
    """What fsync has returned for survives every later cut, and was not there before it began."""
    folder = before.path.parent
    start, image, inside = folder / "start", folder / "image", folder / "mounted"
    for path in start, image:
        duplicate(before.path, path)
    try:
        with logged(image, folder) as disk, mounted_image(before.system, disk.device, inside):
            sync(inside)
            begun = disk.position()
            with (inside / "synced").open("wb") as new:
                new.write(b"s" * MIB)
                new.flush()
                os.fsync(new.fileno())
            synced = disk.position()
            (inside / "later").write_bytes(b"l" * MIB)
    except UnavailableError as error:
        pytest.skip(f"no disk of our own: {error}")
    chance = random.Random("a sample") if lose else None  # noqa: S311
    with closing(Replay(start, disk.log)) as replay:
        first, later = replay.count(begun), replay.count(synced)
        assert first < later < len(replay.records)
        for number in (first, *range(later, len(replay.records) + 1, 6)):
            replay.cut(number, image, chance)
            with mounted_image(before.system, image, inside):
                left = contents(inside / "synced")
            assert left == (b"s" * MIB if number >= later else None)


OLD, NEW = bytes(range(1, 251)) * 20, bytes(range(250, 0, -1)) * 16


@pytest.mark.parametrize(
    ("found", "old", "word"),
    [
        (OLD, OLD, "old"),
        (None, None, "old"),
        (NEW, OLD, "new"),
        (NEW, NEW, "old"),
        (b"", OLD, "empty"),
        (b"", None, "empty"),
        (NEW[:-1], OLD, "short"),
        (NEW[:512] + bytes(700), OLD, "gaps"),
        (bytes(512) + NEW[512:], OLD, "zeros"),
        (bytes(len(NEW)), None, "zeros"),
        (NEW + b"\0", OLD, "longer"),
        (NEW + OLD[len(NEW) :], OLD, "longer"),
        (NEW[:512] + OLD[512:1024] + NEW[1024:], OLD, "mixed"),
        (OLD[:-1][: len(NEW)], OLD, "mixed"),
        (None, OLD, "gone"),
    ],
)
def test_classify(found: bytes | None, old: bytes | None, word: str) -> None:
    """Each class has a word."""
    assert word in CLASSES
    assert classify(found, old, NEW) == word
