"""When progress is called, and with what."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest
from faults.files import make
from faults.mechanisms import (
    COPY_FILE_RANGE,
    FASTEST,
    FICLONE,
    MOVING,
    READ_WRITE,
    reaching,
    require,
    runnable,
    slow_disk,
)
from support.interpose import (
    Rule,
    Worker,
    calls,
    fail,
    on_disk,
    short,
    slow,
)
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

require(READ_WRITE)


#: Calls of progress are this far apart, in seconds.
TICK = 0.05


@pytest.mark.parametrize("mechanism", MOVING)
def test_progress(worker: Worker, folder: Path, mechanism: str) -> None:
    """Progress never goes back, is at least 50 ms apart, and once tells the end."""
    src, dst = make(folder, 24 * MIB + 1)
    told = worker.call(copy_telling, slow_disk(48 * MIB, mechanism), src, dst)
    times, copied, totals = zip(*told["calls"])
    assert len(told["calls"]) >= 4
    assert set(totals) == {24 * MIB + 1}
    assert list(copied) == sorted(copied)
    assert copied[0] > 0
    assert [n for n in copied if n == 24 * MIB + 1] == [24 * MIB + 1]
    gaps = [later - earlier for earlier, later in zip(times, times[1:-1])]
    assert min(gaps) > TICK * 0.9
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


#: By what moves the bytes.
SHORT: dict[str, tuple[Rule, ...]] = {
    FASTEST: (),
    FICLONE: (Rule(FICLONE, "serve"),),
    READ_WRITE: reaching(READ_WRITE),
    "declined": (short(COPY_FILE_RANGE, 65_535), fail(COPY_FILE_RANGE, errno.EIO, skip=2)),
}


@pytest.mark.parametrize("size", [0, 1, 4096, MIB, MIB + 1])
@pytest.mark.parametrize("mover", runnable(SHORT))
def test_short_copy(worker: Worker, folder: Path, mover: str, size: int) -> None:
    """A copy that ends at once is told of once."""
    src, dst = make(folder, size)
    told = worker.call(copy_telling, (*SHORT[mover], *on_disk()), src, dst)
    assert (told["calls"][-1][1:], told["returned"]) == ((size, size), dst)
    if told["took"] < TICK:
        assert len(told["calls"]) == 1


def test_slow_callback(worker: Worker, folder: Path) -> None:
    """The time of a callback is not the round's: rounds do not become the shorter for it."""
    src, dst = make(folder, 64 * MIB)
    rules = (slow(MOVING[FASTEST], 512 * MIB), *on_disk())
    calls = worker.call(copy_telling_slowly, rules, src, dst)
    assert calls <= 64  # rounds of a MiB; it would be 1024 of the shortest ones
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


def test_src_that_shrinks(worker: Worker, folder: Path) -> None:
    """The last call tells the size that dst has got, not the one that src once had."""
    src, dst = make(folder, 3 * MIB)
    rules = (Rule("read", "nothing", skip=1), *reaching(READ_WRITE), *on_disk())
    told = worker.call(copy_telling, rules, src, dst)
    assert told["calls"][-1][1:] == (MIB, MIB)
    assert os.stat(dst).st_size == MIB


# Below: what runs in the worker.


def copy_telling(src: str, dst: str) -> dict[str, object]:
    """A copy, and what it told progress, and when."""
    told: list[tuple[float, int, int]] = []

    def progress(copied: int, total: int) -> None:
        told.append((time.monotonic(), copied, total))

    started = time.monotonic()
    returned = speedcopy.copyfile(src, dst, progress=progress)
    return {"calls": told, "took": time.monotonic() - started, "returned": returned}


def copy_telling_slowly(src: str, dst: str) -> int:
    """A copy with a callback that takes 250 ms; returns how many calls have moved the bytes."""
    speedcopy.copyfile(src, dst, progress=lambda _copied, _total: time.sleep(0.25))
    return calls().count(MOVING[FASTEST])
