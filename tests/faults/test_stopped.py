"""What stops a copy, and a second exception at every moment of that: each belongs to this copy."""

from __future__ import annotations

import dis
import itertools
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Optional

import pytest
from faults.mechanisms import FASTEST, MOVING
from support.interpose import Worker, on_disk, signalled, slow

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import CodeType, FrameType

boundary = pytest.importorskip("speedcopy._boundary", reason="no native layer on this platform")


class First(Exception):  # noqa: N818
    """What stops the copy."""

    def __bool__(self) -> bool:
        """Is false: nobody may take it for nothing."""
        return False


class Second(Exception):  # noqa: N818
    """What comes while the copy is being stopped."""


#: Where a second exception may come: in the callback, and around the call into C.
CODES: set[CodeType] = {
    function.__code__
    for function in (boundary.sc_tick, boundary.copy, boundary.call, boundary._stopped)  # noqa: SLF001
}


#: Steps at which neither a signal nor anything else raises, and the compiler relies on that.
QUIET = {"PUSH_EXC_INFO", "COPY", "POP_EXCEPT", "RERAISE"}


def step(frame: FrameType) -> str:
    """The name of the instruction that comes next."""
    return dis.opname[frame.f_code.co_code[max(frame.f_lasti, 0)]]


class Moments:
    """Raises ``error`` at step number ``number`` of the boundary, as a signal handler would."""

    def __init__(self, number: int, error: BaseException) -> None:
        """Counts from 0."""
        self.left = number
        self.error = error
        self.raised = False

    def __call__(self, frame: FrameType, event: str, _argument: object) -> Optional[Moments]:
        """Is what sys.settrace calls."""
        if frame.f_code not in CODES:
            return None
        frame.f_trace_opcodes = True
        if event == "call" or (event == "opcode" and step(frame) not in QUIET):
            self.left -= 1
            if self.left == -1:
                self.raised = True
                raise self.error
        return self


def chain(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An exception and those before it."""
    while error is not None:
        yield error
        error = error.__context__


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
@pytest.mark.parametrize("second", [Second, KeyboardInterrupt])
@pytest.mark.parametrize("first", [First, None], ids=["progress raises", "progress returns"])
def test_every_moment(
    folder: Path, first: Optional[type[First]], second: type[BaseException], old: Optional[bytes]
) -> None:
    """Whenever the second comes, both come out of this copy, and none out of the next."""
    (folder / "src").write_bytes(b"data" * 25)
    for number in itertools.count():
        if old is not None:
            (folder / "dst").write_bytes(old)
        stop, moments = First(), Moments(number, second())
        raised: list[BaseException] = []

        def progress(_copied: int, _total: int, stop: First = stop, raised: Any = raised) -> None:
            if first:
                raised.append(stop)
                raise stop

        caught = None
        sys.settrace(moments)
        try:
            speedcopy.copyfile(folder / "src", folder / "dst", progress=progress)
        except BaseException as error:  # noqa: BLE001
            caught = error
        finally:
            sys.settrace(None)
        if not moments.raised:
            break
        assert {moments.error, *raised} == set(chain(caught)), f"moment {number}"
        content = (folder / "dst").read_bytes() if (folder / "dst").exists() else None
        assert content in (old, b"data" * 25)
        assert content != b"data" * 25 or not raised or old is not None
        with pytest.raises(FileNotFoundError) as later:
            speedcopy.copyfile(folder / "missing", folder / "dst")
        assert list(chain(later.value)) == [later.value]
        assert speedcopy.copyfile(folder / "src", folder / "later") == folder / "later"
        (folder / "dst").unlink(missing_ok=True)
    assert number > 20


@pytest.mark.parametrize("progress", ["none", "returns", "raises"])
def test_two_signals_at_once(worker: Worker, folder: Path, progress: str) -> None:
    """Two handlers that raise, one right after the other: both come out, and no copy is left."""
    (folder / "src").write_bytes(b"\0" * (8 << 20))
    for old in (None, b"old"):
        if old:
            (folder / "dst").write_bytes(old)
        rules = (slow(MOVING[FASTEST], 2 << 20), *on_disk())
        src, dst = folder / "src", folder / "dst"
        assert worker.call(copy_under_signals, rules, src, dst, progress) == []
        assert worker.copy(src, folder / "next").failure is None
        (folder / "next").unlink()
        assert (folder / "dst").exists() == bool(old)


@pytest.mark.parametrize("progress", ["none", "returns"])
def test_after_many_callbacks(worker: Worker, folder: Path, progress: str) -> None:
    """A signal stops a copy, also once a compiler in Python has translated the callback."""
    (folder / "src").write_bytes(b"data" * 25)
    rules = (signalled("open", signal.SIGUSR1, where="dst"), *on_disk())
    src, dst = folder / "src", folder / "dst"
    assert worker.call(copy_after_many_callbacks, rules, src, dst, progress)
    assert os.listdir(folder) == ["src"]


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
@pytest.mark.parametrize("call", ["futimens", "fchmod"])
def test_ctrl_c_in_metadata(worker: Worker, folder: Path, call: str, old: Optional[bytes]) -> None:
    """All data has been copied by then: an existing dst keeps it, a new one is removed."""
    (folder / "src").write_bytes(b"data" * 25)
    (folder / "src").chmod(0o666)
    if old is not None:
        (folder / "dst").write_bytes(old)
    stop = signalled(call, signal.SIGINT, where="dst")
    result = worker.copy(folder / "src", folder / "dst", stop, metadata="strict")
    assert result.failure
    assert result.calls.count(call) == 1
    if old is None:
        assert not (folder / "dst").exists()
    else:
        assert (folder / "dst").read_bytes() == b"data" * 25


def stopped_by(error: BaseException, copy: Callable[[Any], object]) -> bool:
    """Whether just what its progress raises comes out of a copy."""

    def progress(_copied: int, _total: int) -> NoReturn:
        raise error

    try:
        copy(progress)
    except (First, Second) as caught:
        return caught is error
    return False


def test_nested_and_in_threads(folder: Path) -> None:
    """What stops a copy in progress of another, in many threads, stops that one only."""
    (folder / "src").write_bytes(b"data")
    right: list[bool] = []

    def work(number: int) -> None:
        def outer(_copied: int, _total: int) -> None:
            inner = partial(speedcopy.copyfile, folder / "src", folder / f"inner{number}")
            right.append(stopped_by(First(), lambda stop: inner(progress=stop)))
            raise second

        for _ in range(50):
            second = Second()
            try:
                speedcopy.copyfile(folder / "src", folder / f"outer{number}", progress=outer)
            except Second as error:
                right.append(error is second)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert right == [True] * 600
    assert os.listdir(folder) == ["src"]


# Below: what runs in the worker.


def copy_under_signals(src: str, dst: Path, kind: str) -> list[str]:
    """A slow copy, and two signals while it is in C, both of whose handlers raise; what is lost."""
    raised: list[BaseException] = []

    def handler(number: int, _frame: Optional[FrameType]) -> None:
        if copying:
            raised.append(Second(number))
            raise raised[-1]

    def progress(_copied: int, _total: int) -> None:
        if kind == "raises":
            raised.append(First())
            raise raised[-1]

    def send() -> None:
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)

    before = {number: signal.signal(number, handler) for number in (signal.SIGUSR1, signal.SIGUSR2)}
    caught: Optional[BaseException] = None
    copying = True
    sender = threading.Thread(target=send)
    sender.start()
    try:
        callback = None if kind == "none" else progress
        speedcopy.copyfile(src, dst, progress=callback)
    except BaseException as error:  # noqa: BLE001
        caught = error
    copying = False  # a progress that raises may have ended the copy before the signals
    sender.join()
    for number, handled in before.items():
        signal.signal(number, handled)
    return [repr(error) for error in raised if error not in chain(caught)]


def copy_after_many_callbacks(src: str, dst: str, progress: str) -> bool:
    """A copy with a signal in it, after many callbacks; whether the signal stopped the copy."""

    def handler(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise First

    def returns(_copied: int, _total: int) -> None:
        pass

    callback = returns if progress == "returns" else None
    caller = boundary._Caller(callback)  # noqa: SLF001
    handle = boundary.ffi.new_handle(caller)
    for _ in range(50_000):
        boundary.lib.sc_tick(handle, 0, 1)
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        speedcopy.copyfile(src, dst, progress=callback)
    except First:
        return True
    finally:
        signal.signal(signal.SIGUSR1, before)
    return False
