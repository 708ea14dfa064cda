"""What stops a slow copy, or runs beside it: Ctrl-C, callbacks, timers, threads."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable, NoReturn, Optional

import pytest
from faults.files import PATIENCE, make, make_huge
from faults.mechanisms import FASTEST, MOVING, slow_disk
from support.cancelling import Stop
from support.interpose import Worker, on_disk, on_nfs, slow
from support.sizes import GIB, MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType


#: By name: bytes a second, and how many calls a cache takes at once before.
SPEEDS = {
    "4 MiB a second": (4 * MIB, 0),
    "200 MiB a second": (200 * MIB, 0),
    "32 MiB a second behind a cache": (32 * MIB, 4),
}


@pytest.mark.parametrize(
    ("mechanism", "speed", "progress"),
    [
        *((mechanism, speed, False) for mechanism in MOVING for speed in SPEEDS),
        *((mechanism, "200 MiB a second", True) for mechanism in MOVING),
    ],
)
def test_ctrl_c(
    worker: Worker, folder: Path, mechanism: str, speed: str, *, progress: bool
) -> None:
    """Ctrl-C stops a copy of 2 GiB within a second, and the new dst is gone."""
    bytes_per_second, cached = SPEEDS[speed]
    src, dst = make_huge(folder)
    disk = slow_disk(bytes_per_second, mechanism, cached)
    worker.start_copy(src, dst, *disk, progress=ignore if progress else None)
    worker.wait_until(lambda: os.path.exists(dst) and os.stat(dst).st_size >= MIB)
    time.sleep(0.1)
    pressed = time.monotonic()
    worker.signal(signal.SIGINT)
    result = worker.result()
    assert result.failure.kind is KeyboardInterrupt
    assert worker.ended - pressed < PATIENCE
    assert not os.path.exists(dst)
    assert os.stat(src).st_size == 2 * GIB


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("mechanism", MOVING)
def test_raising_progress(worker: Worker, folder: Path, mechanism: str, speed: str) -> None:
    """What progress raises stops a copy of 2 GiB and comes out, the very same object."""
    src, dst = make_huge(folder)
    bytes_per_second, cached = SPEEDS[speed]
    disk = slow_disk(bytes_per_second, mechanism, cached)
    stopped = worker.call(copy_until_raised, disk, src, dst, 0.2)
    assert stopped["same"]
    assert stopped["began"] < PATIENCE
    assert stopped["took"] < PATIENCE
    assert not os.path.exists(dst)


@pytest.mark.parametrize("mechanism", MOVING)
@pytest.mark.parametrize("length", [1, 8 * MIB, 9 * MIB], ids=["shorter", "equal", "longer"])
def test_existing_dst(worker: Worker, folder: Path, mechanism: str, length: int) -> None:
    """Of a dst that was there remains what had been copied."""
    src, dst = make(folder, 8 * MIB)
    (folder / "dst").write_bytes(b"o" * length)
    stopped = worker.call(copy_until_raised, slow_disk(16 * MIB, mechanism), src, dst, 0)
    left = (folder / "dst").read_bytes()
    assert stopped["same"]
    assert 0 < len(left) == stopped["copied"] < 8 * MIB
    assert left == (folder / "src").read_bytes()[: len(left)]


def test_alarm(worker: Worker, folder: Path) -> None:
    """A signal handler that raises stops a copy, and its exception comes out."""
    src, dst = make_huge(folder)
    stopped = worker.call(copy_until_alarm, slow_disk(100 * MIB), src, dst)
    assert stopped["same"]
    assert stopped["took"] < PATIENCE
    assert not os.path.exists(dst)


def test_timer_that_does_not_raise(worker: Worker, folder: Path) -> None:
    """Handlers run while a copy goes on, and it goes on."""
    src, dst = make(folder, 8 * MIB)
    assert worker.call(copy_under_timer, slow_disk(16 * MIB), src, dst) >= 3
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


def test_nested(worker: Worker, folder: Path) -> None:
    """Progress may copy files itself."""
    src, dst = make(folder, 8 * MIB)
    count = worker.call(copy_nested, slow_disk(32 * MIB), src, dst, False)  # noqa: FBT003
    content = (folder / "src").read_bytes()
    assert count["inner"] >= 2
    assert (folder / "dst").read_bytes() == content
    for number in range(count["inner"]):
        assert (folder / f"inner{number}").read_bytes() == content


def test_nested_raising(worker: Worker, folder: Path) -> None:
    """What stops an inner copy stops the outer one, if progress lets it."""
    src, dst = make(folder, 8 * MIB)
    count = worker.call(copy_nested, slow_disk(32 * MIB), src, dst, True)  # noqa: FBT003
    assert count["same"]
    assert count["inner"] == 1
    assert sorted(os.listdir(folder)) == ["src"]


def test_worker_thread(worker: Worker, folder: Path) -> None:
    """Ctrl-C is the main thread's; a copy in another thread goes on."""
    src, dst = make(folder, 16 * MIB)
    worker.start(copy_in_thread, slow_disk(24 * MIB), src, dst)
    worker.wait_until(lambda: os.path.exists(dst) and os.stat(dst).st_size >= MIB)
    pressed = time.monotonic()
    worker.signal(signal.SIGINT)
    ended = worker.result()
    assert ended["main"] == "KeyboardInterrupt"
    assert ended["at"] - pressed < PATIENCE
    assert ended["still_copying"]
    assert ended["copy"] == dst
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


def test_raising_in_threads(worker: Worker, folder: Path) -> None:
    """Each of several copies gets the exception that its own callback raised."""
    src, _dst = make_huge(folder)
    slowly = (slow(MOVING[FASTEST], 100 * MIB), *on_nfs())
    ended = worker.call(raise_in_threads, slowly, src, str(folder))
    assert ended == [True] * 8
    assert os.listdir(folder) == ["src"]


def test_other_threads_run(worker: Worker, folder: Path) -> None:
    """Copies do not wait for each other, nor does Python for them."""
    src, _dst = make(folder, MIB)
    slowly = (slow(MOVING[FASTEST], 2 * MIB), *on_disk())
    ended = worker.call(copy_in_threads, slowly, src, str(folder))
    assert ended["took"] < 1.5  # eight times half a second, one after the other: 4 s
    assert ended["steps"] > 10


# Below: what runs in the worker.


def ignore(_copied: int, _total: int) -> None:
    """A callback that has nothing to say."""


def copy_until_raised(src: str, dst: str, after: float) -> dict[str, object]:
    """A copy whose progress raises, ``after`` seconds from its first call at the earliest."""
    first: list[float] = []
    stop = Stop()
    told: list[int] = []
    raised_at = 0.0

    def progress(copied: int, _total: int) -> None:
        nonlocal raised_at
        first.append(time.monotonic())
        told.append(copied)
        if time.monotonic() >= first[0] + after:
            raised_at = time.monotonic()
            raise stop

    same = False
    started = time.monotonic()
    try:
        speedcopy.transfer(src, dst, progress=progress)
    except BaseException as error:  # noqa: BLE001
        same = error is stop
    took = time.monotonic() - raised_at
    return {"same": same, "began": first[0] - started, "took": took, "copied": told[-1]}


@contextmanager
def alarms(handler: Callable[[int, Optional[FrameType]], None], *seconds: float) -> Iterator[None]:
    """Has a timer call ``handler`` after so many seconds, and again after so many."""
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, *seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def copy_until_alarm(src: str, dst: str) -> dict[str, object]:
    """A copy that the handler of a timer stops after 0.2 s."""
    stop = Stop()

    def handler(_number: int, _frame: Optional[FrameType]) -> None:
        raise stop

    same = False
    with alarms(handler, 0.2):
        raised_at = time.monotonic() + 0.2
        try:
            speedcopy.transfer(src, dst, sparse=False)
        except Stop as error:
            same = error is stop
        return {"same": same, "took": time.monotonic() - raised_at}


def copy_under_timer(src: str, dst: str) -> int:
    """A copy while a timer goes off; returns how often that was."""
    handled: list[int] = []
    with alarms(lambda number, _frame: handled.append(number), 0.01, 0.01):
        speedcopy.copyfile(src, dst)
    return len(handled)


def copy_nested(src: str, dst: str, raising: bool) -> dict[str, object]:
    """A copy whose progress copies src as well, twice at most; or whose inner copy is stopped."""
    stop = Stop()
    inner = 0

    def innermost(_copied: int, _total: int) -> None:
        if raising:
            raise stop

    def progress(_copied: int, _total: int) -> None:
        nonlocal inner
        if inner < 2:
            inner += 1
            name = os.path.join(os.path.dirname(dst), f"inner{inner - 1}")
            speedcopy.copyfile(src, name, progress=innermost)

    same = False
    try:
        speedcopy.copyfile(src, dst, progress=progress)
    except Stop as error:
        same = error is stop
    return {"inner": inner, "same": same}


def copy_in_thread(src: str, dst: str) -> dict[str, object]:
    """A copy in a thread, for which the main thread waits."""
    main = "waited in vain"
    with ThreadPoolExecutor(1) as pool:
        copy = pool.submit(speedcopy.copyfile, src, dst)
        try:
            time.sleep(10)
        except KeyboardInterrupt:
            main = "KeyboardInterrupt"
        at, still_copying = time.monotonic(), not copy.done()
        return {"main": main, "at": at, "still_copying": still_copying, "copy": copy.result()}


def raise_in_threads(src: str, folder: str) -> list[bool]:
    """Eight copies, each with a callback that raises an exception of its own."""
    same: list[bool] = []

    def run(number: int) -> None:
        stop = Stop(number)

        def progress(_copied: int, _total: int) -> NoReturn:
            raise stop

        name = os.path.join(folder, str(number))
        try:
            speedcopy.transfer(src, name, progress=progress)
        except Stop as error:
            same.append(error is stop)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(run, range(8)))
    return same


def copy_in_threads(src: str, folder: str) -> dict[str, object]:
    """Eight copies, while the main thread goes about its business."""
    steps = 0
    with ThreadPoolExecutor(8) as pool:
        started = time.monotonic()
        copies = [pool.submit(speedcopy.copyfile, src, f"{folder}/{number}") for number in range(8)]
        while not all(copy.done() for copy in copies):
            time.sleep(0.005)
            steps += 1
        return {"took": time.monotonic() - started, "steps": steps}
