"""What stops a copy from outside, and how long that may take."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Callable

from support.descriptors import descriptors
from support.interpose import Rule, Worker, calls, rules_for

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterable


#: A user waits this long, in seconds, for a copy to stop.
PATIENCE = 1.0


class Stop(Exception):  # noqa: N818
    """What a callback raises."""


def wait_until(worker: Worker, condition: Callable[[], bool]) -> None:
    """Waits for something that a copy does on its way."""
    while not condition():
        assert not worker.has_answered(0.005), worker.result()


def stopped_copy(src: str, dst: str, rules: Iterable[Rule], progress: bool) -> dict[str, object]:
    """A copy that something from outside stops."""
    kind = None
    callback = (lambda _copied, _total: None) if progress else None
    folder = os.path.dirname(dst)
    with rules_for(folder, rules):
        try:
            speedcopy.transfer(src, dst, progress=callback)
        except BaseException as error:  # noqa: BLE001
            kind = type(error).__name__
        at, left = time.monotonic(), len(descriptors(folder))
        return {"kind": kind, "at": at, "open": left, "calls": calls()}
