"""A folder that is gone afterwards, whatever ends the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
import uuid
from typing import TYPE_CHECKING

from bench.progress import show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

PREFIX = "speedcopy-benchmark-"
_BLOCK = 1 << 20
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.2
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """A signal asked the run to end."""

    def __init__(self, signum: int) -> None:
        """Keep the number, for the exit code."""
        super().__init__(signum)
        self.signum = signum


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise :class:`Stopped` on the first signal that asks to end, and ignore the ones after it.

    So cleaning up is never interrupted a second time. A signal that was ignored stays ignored.
    """
    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    ours = [number for number in _SIGNALS if previous[number] is not signal.SIG_IGN]

    def stop(signum: int, _frame: FrameType | None) -> None:
        for number in ours:
            signal.signal(number, signal.SIG_IGN)
        raise Stopped(signum)

    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, previous[number])


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Make a new folder in ``parent`` and remove it with all it holds."""
    folder = parent / f"{PREFIX}{uuid.uuid4().hex[:8]}"
    # The name exists before the folder, and a signal that cuts the first removal short leaves
    # the second one undisturbed: no moment is uncovered.
    try:
        try:
            folder.mkdir()
            yield folder
            show(f"removing {folder}")
        except Stopped:
            print(f"removing {folder}", file=sys.stderr, flush=True)
            raise
        finally:
            _remove(folder)
            show("")
    finally:
        _remove(folder)


def write_source(path: Path, size: int) -> None:
    """Write ``size`` bytes that do not compress, and leave nothing of them to be written later."""
    with path.open("xb") as file:
        for offset in range(0, size, _BLOCK):
            file.write(os.urandom(min(_BLOCK, size - offset)))
        file.flush()
        os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    """Remove ``folder``; network clients may need a moment for a file that was just open."""
    failure = _removal(folder)
    for _ in range(_ATTEMPTS):
        if failure is None:
            return
        time.sleep(_PAUSE_SECONDS)
        failure = _removal(folder)
    print(f"{folder}: not removed: {failure}", file=sys.stderr, flush=True)


def _removal(folder: Path) -> OSError | None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None
