"""Progress, and everything that stops a copy: callbacks, Ctrl-C, other signals."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Optional

import pytest
from faults.errnos import COPY_FILE_RANGE, FICLONE, READ_WRITE, SENDFILE, reaching
from support.interpose import (
    Rule,
    Worker,
    calls,
    fail,
    nothing,
    on_disk,
    on_nfs,
    open_files,
    rules_for,
    serve,
    short,
    signalled,
    slow,
    started_worker,
)

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

MIB = 1 << 20
GIB = 1 << 30

#: A user waits this long, in seconds, for a copy to stop.
PATIENCE = 1.0

#: Calls of progress are this far apart, in seconds.
TICK = 0.05

#: The call that moves the bytes.
MOVING = {COPY_FILE_RANGE: COPY_FILE_RANGE, SENDFILE: SENDFILE, READ_WRITE: "write"}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all copies."""
    with started_worker() as process:
        yield process


def slow_disk(
    bytes_per_second: int, mechanism: str = COPY_FILE_RANGE, cached: int = 0
) -> tuple[Rule, ...]:
    """What is written to so fast, by ``mechanism``, after so many calls; clones nothing.

    As on NFS: the target may be a share, where a copy that took it for a disk would leave all that
    it has written to close.
    """
    return (
        slow(MOVING[mechanism], bytes_per_second, where="dst", skip=cached),
        *reaching(mechanism),
        *on_nfs(),
    )


def make_huge(folder: Path, size: int = 2 * GIB) -> tuple[str, str]:
    """A src of zeros that takes no room."""
    with (folder / "src").open("wb") as file:
        file.truncate(size)
    return str(folder / "src"), str(folder / "dst")


def make(folder: Path, size: int) -> tuple[str, str]:
    """A src of ``size`` bytes of noise."""
    (folder / "src").write_bytes(random.Random(size).randbytes(size))  # noqa: S311
    return str(folder / "src"), str(folder / "dst")


def wait_until(worker: Worker, condition: Callable[[], bool]) -> None:
    """Waits for something that a copy does on its way."""
    while not condition():
        assert not worker.has_answered(0.005), worker.result()


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
    worker.start(stopped_copy, src, dst, disk, progress)
    wait_until(worker, lambda: os.path.exists(dst) and os.stat(dst).st_size >= MIB)
    time.sleep(0.1)
    pressed = time.monotonic()
    worker.signal(signal.SIGINT)
    stopped = worker.result()
    assert stopped["kind"] == "KeyboardInterrupt"
    assert stopped["at"] - pressed < PATIENCE
    assert stopped["open"] == 0
    assert not os.path.exists(dst)
    assert os.stat(src).st_size == 2 * GIB


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("mechanism", MOVING)
def test_raising_progress(worker: Worker, folder: Path, mechanism: str, speed: str) -> None:
    """What progress raises stops a copy of 2 GiB and comes out, the very same object."""
    src, dst = make_huge(folder)
    bytes_per_second, cached = SPEEDS[speed]
    disk = slow_disk(bytes_per_second, mechanism, cached)
    stopped = worker.call(copy_until_raised, src, dst, disk, 0.2)
    assert stopped["same"]
    assert stopped["began"] < PATIENCE
    assert stopped["took"] < PATIENCE
    assert stopped["open"] == 0
    assert not os.path.exists(dst)


@pytest.mark.parametrize("mechanism", MOVING)
@pytest.mark.parametrize("length", [1, 8 * MIB, 9 * MIB], ids=["shorter", "equal", "longer"])
def test_existing_dst(worker: Worker, folder: Path, mechanism: str, length: int) -> None:
    """Of a dst that was there remains what had been copied."""
    src, dst = make(folder, 8 * MIB)
    (folder / "dst").write_bytes(b"o" * length)
    stopped = worker.call(copy_until_raised, src, dst, slow_disk(16 * MIB, mechanism), 0)
    left = (folder / "dst").read_bytes()
    assert stopped["same"]
    assert 0 < len(left) == stopped["copied"] < 8 * MIB
    assert left == (folder / "src").read_bytes()[: len(left)]


def test_alarm(worker: Worker, folder: Path) -> None:
    """A signal handler that raises stops a copy, and its exception comes out."""
    src, dst = make_huge(folder)
    stopped = worker.call(copy_until_alarm, src, dst, slow_disk(100 * MIB))
    assert stopped["same"]
    assert stopped["took"] < PATIENCE
    assert stopped["open"] == 0
    assert not os.path.exists(dst)


def test_timer_that_does_not_raise(worker: Worker, folder: Path) -> None:
    """Handlers run while a copy goes on, and it goes on."""
    src, dst = make(folder, 8 * MIB)
    ran = worker.call(copy_under_timer, src, dst, slow_disk(16 * MIB))
    assert ran["handled"] >= 3
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


@pytest.mark.parametrize("call", [FICLONE, COPY_FILE_RANGE, SENDFILE, "read", "write"])
@pytest.mark.parametrize("round_", [0, 1], ids=["first round", "second round"])
@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
def test_interrupted_call(
    worker: Worker, folder: Path, call: str, round_: int, old: Optional[bytes]
) -> None:
    """Ctrl-C in a call that it interrupts is raised at once, and not taken for a refusal."""
    src, dst = make(folder, 3 * MIB)
    if old is not None:
        (folder / "dst").write_bytes(old)
    number = 0 if call == FICLONE else round_
    mechanism = READ_WRITE if call in ("read", "write") else call
    rules = (signalled(call, signal.SIGINT, skip=number), *reaching(mechanism), *on_disk())
    stopped = worker.call(stopped_copy, src, dst, rules, False)  # noqa: FBT003
    assert stopped["kind"] == "KeyboardInterrupt"
    assert stopped["open"] == 0
    assert stopped["calls"].count(call) == number + 1
    if old is None:
        assert not os.path.exists(dst)
    else:
        copied = MIB * (number > 0)
        assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()[:copied]
    assert worker.call(plain_copy, src, dst) == "done"  # nothing is left over for the next one


@pytest.mark.parametrize("size", [0, 10_007])
@pytest.mark.parametrize("cloning", [False, True], ids=["copied", "cloned"])
@pytest.mark.parametrize(
    ("where", "number", "old"),
    [
        ("src", 0, None),
        ("src", 0, b"old"),
        ("dst", 0, None),
        ("dst", 0, b"old"),
        ("dst", 1, b"old"),
    ],
)
def test_interrupted_open(
    worker: Worker,
    folder: Path,
    where: str,
    number: int,
    old: Optional[bytes],
    size: int,
    *,
    cloning: bool,
) -> None:
    """Ctrl-C while a file is being opened is not forgotten, however well the rest would go."""
    src, dst = make(folder, size)
    if old is not None:
        (folder / "dst").write_bytes(old)
    clone = (serve(FICLONE),) if cloning else ()
    rules = (signalled("open", signal.SIGINT, skip=number, where=where), *clone, *on_disk())
    stopped = worker.call(stopped_copy, src, dst, rules, False)  # noqa: FBT003
    assert stopped["kind"] == "KeyboardInterrupt"
    assert stopped["open"] == 0
    if old is None:
        assert not os.path.exists(dst)
    else:
        assert (folder / "dst").read_bytes() == old


@pytest.mark.parametrize("call", ["fstat", "stat"])
def test_interrupted_look(worker: Worker, folder: Path, call: str) -> None:
    """Ctrl-C while a file is being looked at leaves no new dst either."""
    src, dst = make(folder, 10_007)
    where = "dst" if call == "fstat" else "src"
    rules = (signalled(call, signal.SIGINT, where=where), *on_disk())
    stopped = worker.call(stopped_copy, src, dst, rules, False)  # noqa: FBT003
    assert stopped["kind"] == "KeyboardInterrupt"
    assert stopped["open"] == 0
    assert not os.path.exists(dst)


@pytest.mark.parametrize("mechanism", MOVING)
def test_progress(worker: Worker, folder: Path, mechanism: str) -> None:
    """Progress never goes back, is at least 50 ms apart, and once tells the end."""
    src, dst = make(folder, 24 * MIB + 1)
    told = worker.call(copy_telling, src, dst, slow_disk(48 * MIB, mechanism))
    times, copied, totals = zip(*told["calls"])
    assert len(told["calls"]) >= 4
    assert set(totals) == {24 * MIB + 1}
    assert list(copied) == sorted(copied)
    assert copied[0] > 0
    assert [n for n in copied if n == 24 * MIB + 1] == [24 * MIB + 1]
    gaps = [later - earlier for earlier, later in zip(times, times[1:-1])]
    assert min(gaps) > TICK * 0.9
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 4096, MIB, MIB + 1])
@pytest.mark.parametrize(
    "rules",
    [
        (),
        (serve(FICLONE),),
        reaching(READ_WRITE),
        (short(COPY_FILE_RANGE, 65_535), fail(COPY_FILE_RANGE, 5, skip=2)),
    ],
    ids=["copy_file_range", "FICLONE", "read/write", "declined"],
)
def test_short_copy(worker: Worker, folder: Path, rules: tuple[Rule, ...], size: int) -> None:
    """A copy that ends at once is told of once."""
    src, dst = make(folder, size)
    told = worker.call(copy_telling, src, dst, (*rules, *on_disk()))
    assert [told["calls"][-1][1:], told["returned"]] == [[size, size], dst]
    if told["took"] < TICK:
        assert len(told["calls"]) == 1


def test_slow_callback(worker: Worker, folder: Path) -> None:
    """The time of a callback is not the round's: rounds do not become the shorter for it."""
    src, dst = make(folder, 64 * MIB)
    rules = (slow(COPY_FILE_RANGE, 512 * MIB), *on_disk())
    calls = worker.call(copy_telling_slowly, src, dst, rules)
    assert calls <= 64  # rounds of a MiB; it would be 1024 of the shortest ones
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


def test_src_that_shrinks(worker: Worker, folder: Path) -> None:
    """The last call tells the size that dst has got, not the one that src once had."""
    src, dst = make(folder, 3 * MIB)
    rules = (nothing("read", skip=1), *reaching(READ_WRITE), *on_disk())
    told = worker.call(copy_telling, src, dst, rules)
    assert told["calls"][-1][1:] == [MIB, MIB]
    assert os.stat(dst).st_size == MIB


class Stop(Exception):  # noqa: N818
    """What a callback raises."""


@pytest.mark.parametrize("function", [speedcopy.copyfile, speedcopy.transfer])
@pytest.mark.parametrize("size", [0, 1, MIB + 1])
@pytest.mark.parametrize("kind", [Stop, KeyboardInterrupt, SystemExit, GeneratorExit, OSError])
def test_raising_at_the_end(
    folder: Path, kind: type[BaseException], size: int, function: Callable[..., object]
) -> None:
    """What the last call of progress raises, of whatever kind, fails the copy."""
    src, dst = make(folder, size)
    raised = kind("stop")

    def progress(_copied: int, _total: int) -> NoReturn:
        raise raised

    with pytest.raises(kind) as caught:
        function(src, dst, progress=progress)
    assert caught.value is raised
    assert not os.path.exists(dst)
    speedcopy.copyfile(src, dst)
    assert os.stat(dst).st_size == size


def test_raised_exception_is_kept_once(folder: Path) -> None:
    """An exception that stopped one copy has nothing to do with the next failure."""
    src, dst = make(folder, 10)

    def progress(_copied: int, _total: int) -> NoReturn:
        raise Stop

    with pytest.raises(Stop):
        speedcopy.copyfile(src, dst, progress=progress)
    with pytest.raises(FileNotFoundError) as caught:
        speedcopy.copyfile(folder / "missing", dst)
    assert caught.value.__context__ is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_forked(folder: Path, ending: str) -> None:
    """A child that progress forks off stops, and leaves files and copy to its parent."""
    src, dst = make(folder, 10)
    parent = os.getpid()
    statuses = []

    def progress(_copied: int, _total: int) -> None:
        child = os.fork()
        if child:
            statuses.append(os.waitpid(child, 0)[1])
        elif ending == "raises":
            raise Stop

    try:
        speedcopy.copyfile(src, dst, progress=progress)
    except BaseException:  # noqa: BLE001
        if os.getpid() != parent:
            os._exit(7)
    assert os.getpid() == parent
    assert [os.WEXITSTATUS(status) for status in statuses] == [7]
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


@pytest.mark.parametrize("progress", [1, "x", (), 0, False])
@pytest.mark.parametrize("function", [speedcopy.copyfile, speedcopy.transfer])
def test_not_callable(folder: Path, function: Callable[..., object], progress: object) -> None:
    """What cannot be called is refused before anything is touched."""
    src, dst = make(folder, 10)
    with pytest.raises(TypeError, match="progress must be callable"):
        function(src, dst, progress=progress)
    assert not os.path.exists(dst)
    (folder / "dst").write_bytes(b"old")
    with pytest.raises(TypeError):
        function(src, dst, progress=progress)
    assert (folder / "dst").read_bytes() == b"old"


def test_wrong_arguments(folder: Path) -> None:
    """A callback that does not take two numbers fails the copy with its TypeError."""
    src, dst = make(folder, 10)
    with pytest.raises(TypeError):
        speedcopy.copyfile(src, dst, progress=lambda: None)  # type: ignore[misc,arg-type]
    assert not os.path.exists(dst)


def test_nested(worker: Worker, folder: Path) -> None:
    """Progress may copy files itself."""
    src, dst = make(folder, 8 * MIB)
    count = worker.call(copy_nested, src, dst, slow_disk(32 * MIB), False)  # noqa: FBT003
    content = (folder / "src").read_bytes()
    assert count["inner"] >= 2
    assert (folder / "dst").read_bytes() == content
    for number in range(count["inner"]):
        assert (folder / f"inner{number}").read_bytes() == content


def test_nested_raising(worker: Worker, folder: Path) -> None:
    """What stops an inner copy stops the outer one, if progress lets it."""
    src, dst = make(folder, 8 * MIB)
    count = worker.call(copy_nested, src, dst, slow_disk(32 * MIB), True)  # noqa: FBT003
    assert count["same"]
    assert count["inner"] == 1
    assert sorted(os.listdir(folder)) == ["src"]


def test_worker_thread(worker: Worker, folder: Path) -> None:
    """Ctrl-C is the main thread's; a copy in another thread goes on."""
    src, dst = make(folder, 16 * MIB)
    worker.start(copy_in_thread, src, dst, slow_disk(24 * MIB))
    wait_until(worker, lambda: os.path.exists(dst) and os.stat(dst).st_size >= MIB)
    pressed = time.monotonic()
    worker.signal(signal.SIGINT)
    ended = worker.result()
    assert ended["main"] == "KeyboardInterrupt"
    assert ended["at"] - pressed < PATIENCE
    assert ended["still_copying"]
    assert ended["copy"] == "done"
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


def test_raising_in_threads(worker: Worker, folder: Path) -> None:
    """Each of several copies gets the exception that its own callback raised."""
    src, _dst = make_huge(folder)
    ended = worker.call(raise_in_threads, src, str(folder), slow_disk(100 * MIB)[1:])
    assert ended == [True] * 8
    assert os.listdir(folder) == ["src"]


def test_other_threads_run(worker: Worker, folder: Path) -> None:
    """Copies do not wait for each other, nor does Python for them."""
    src, _dst = make(folder, MIB)
    slowly = (slow(COPY_FILE_RANGE, 2 * MIB), *on_disk())
    ended = worker.call(copy_in_threads, src, str(folder), slowly)
    assert ended["took"] < 1.5  # eight times half a second, one after the other: 4 s
    assert ended["steps"] > 10


HOLDER = """
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
signal.signal(signal.SIGIO, lambda number, frame: os.write(1, b"asked\\n"))
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
os.write(1, b"held\\n")
while True:
    time.sleep(30)
"""


@pytest.mark.parametrize("name", ["src", "dst"])
def test_waiting_for_a_lease(worker: Worker, folder: Path, name: str) -> None:
    """Ctrl-C ends the wait for a lease that somebody does not give back."""
    src, dst = make(folder, 3 * MIB)
    (folder / "dst").write_bytes(b"old")
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(folder / name)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout
        try:
            asked = holder.stdout
            if asked.readline() != "held\n":
                pytest.skip("no leases here")
            worker.start(stopped_copy, src, dst, (), False)  # noqa: FBT003
            wait_until(worker, lambda: bool(select.select([asked], [], [], 0)[0]))
            time.sleep(0.1)
            pressed = time.monotonic()
            worker.signal(signal.SIGINT)
            stopped = worker.result()
        finally:
            holder.kill()
    assert stopped["kind"] == "KeyboardInterrupt"
    assert stopped["at"] - pressed < PATIENCE
    assert stopped["open"] == 0
    assert (folder / "dst").read_bytes() == b"old"


# Below: what runs in the worker. Rules arrive as JSON made them: lists.

Rules = list[list[Any]]


def plain_copy(src: str, dst: str) -> str:
    """A copy."""
    speedcopy.copyfile(src, dst)
    return "done"


def stopped_copy(src: str, dst: str, rules: Rules, progress: bool) -> dict[str, object]:
    """A copy that something from outside stops."""
    kind = None
    callback = (lambda _copied, _total: None) if progress else None
    with rules_for(os.path.dirname(dst), rules):
        try:
            speedcopy.transfer(src, dst, progress=callback)
        except BaseException as error:  # noqa: BLE001
            kind = type(error).__name__
        return {"kind": kind, "at": time.monotonic(), "open": open_files(), "calls": calls()}


def copy_until_raised(src: str, dst: str, rules: Rules, after: float) -> dict[str, object]:
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
    with rules_for(os.path.dirname(dst), rules):
        try:
            speedcopy.transfer(src, dst, progress=progress)
        except BaseException as error:  # noqa: BLE001
            same = error is stop
        return {
            "same": same,
            "began": first[0] - started,
            "took": time.monotonic() - raised_at,
            "copied": told[-1],
            "open": open_files(),
        }


def copy_until_alarm(src: str, dst: str, rules: Rules) -> dict[str, object]:
    """A copy that the handler of a timer stops after 0.2 s."""
    stop = Stop()
    raised_at = 0.0

    def handler(_number: int, _frame: Optional[FrameType]) -> None:
        raise stop

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    raised_at = time.monotonic() + 0.2
    same = False
    try:
        with rules_for(os.path.dirname(dst), rules):
            try:
                speedcopy.transfer(src, dst, sparse=False)
            except Stop as error:
                same = error is stop
            return {"same": same, "took": time.monotonic() - raised_at, "open": open_files()}
    finally:
        signal.signal(signal.SIGALRM, before)


def copy_under_timer(src: str, dst: str, rules: Rules) -> dict[str, object]:
    """A copy while a timer goes off."""
    handled = 0

    def handler(_number: int, _frame: Optional[FrameType]) -> None:
        nonlocal handled
        handled += 1

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        with rules_for(os.path.dirname(dst), rules):
            speedcopy.copyfile(src, dst)
        return {"handled": handled}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def copy_telling(src: str, dst: str, rules: Rules) -> dict[str, object]:
    """A copy, and what it told progress, and when."""
    told: list[tuple[float, int, int]] = []

    def progress(copied: int, total: int) -> None:
        told.append((time.monotonic(), copied, total))

    started = time.monotonic()
    with rules_for(os.path.dirname(dst), rules):
        returned = speedcopy.copyfile(src, dst, progress=progress)
    return {"calls": told, "took": time.monotonic() - started, "returned": returned}


def copy_telling_slowly(src: str, dst: str, rules: Rules) -> int:
    """A copy with a callback that takes 250 ms; returns how many calls have moved the bytes."""
    with rules_for(os.path.dirname(dst), rules):
        speedcopy.copyfile(src, dst, progress=lambda _copied, _total: time.sleep(0.25))
        return calls().count(COPY_FILE_RANGE)


def copy_nested(src: str, dst: str, rules: Rules, raising: bool) -> dict[str, object]:
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
    with rules_for(os.path.dirname(dst), rules):
        try:
            speedcopy.copyfile(src, dst, progress=progress)
        except Stop as error:
            same = error is stop
        return {"inner": inner, "same": same}


def copy_in_thread(src: str, dst: str, rules: Rules) -> dict[str, object]:
    """A copy in a thread, for which the main thread waits."""
    ended: list[str] = []

    def run() -> None:
        try:
            speedcopy.copyfile(src, dst)
        except BaseException as error:  # noqa: BLE001
            ended.append(type(error).__name__)
        else:
            ended.append("done")

    thread = threading.Thread(target=run)
    main = "waited in vain"
    with rules_for(os.path.dirname(dst), rules):
        thread.start()
        try:
            for _ in range(1000):
                time.sleep(0.01)
        except KeyboardInterrupt:
            main = "KeyboardInterrupt"
        at, still_copying = time.monotonic(), thread.is_alive()
        thread.join()
    return {"main": main, "at": at, "still_copying": still_copying, "copy": ended[0]}


def raise_in_threads(src: str, folder: str, rules: Rules) -> list[bool]:
    """Eight copies, each with a callback that raises an exception of its own."""
    same: list[bool] = []
    everywhere = [["copy_file_range", "slow", 0, 100 * MIB, 0, -1, ""], *rules]

    def run(number: int) -> None:
        stop = Stop(number)

        def progress(_copied: int, _total: int) -> NoReturn:
            raise stop

        name = os.path.join(folder, str(number))
        try:
            speedcopy.transfer(src, name, progress=progress)
        except Stop as error:
            same.append(error is stop)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    with rules_for(folder, everywhere):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return same


def copy_in_threads(src: str, folder: str, rules: Rules) -> dict[str, object]:
    """Eight copies, while the main thread goes about its business."""
    threads = [
        threading.Thread(target=speedcopy.copyfile, args=(src, os.path.join(folder, str(number))))
        for number in range(8)
    ]
    steps = 0
    with rules_for(folder, rules):
        started = time.monotonic()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.005)
            steps += 1
        return {"took": time.monotonic() - started, "steps": steps}
