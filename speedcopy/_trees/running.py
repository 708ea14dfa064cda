"""The tasks of a tree that have begun and not ended."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, Callable, Optional

from speedcopy._trees.tasks import TICK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Executor

    from speedcopy._trees.tasks import Task


class Running:
    """Starts tasks, and says which have ended."""

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._serial = 0

    def __len__(self) -> int:
        return len(self._tasks)

    def tasks(self) -> list[Task]:
        """All of them."""
        return [*self._tasks.values()]

    def start(
        self, task: Task, executor: Executor, function: Callable[..., object], *arguments: object
    ) -> None:
        """Has an executor call a function."""
        self._serial = serial = self._serial + 1
        self._tasks[serial] = task
        task.future = executor.submit(function, *arguments)
        # A Future that is done calls back at once, and swallows what a signal handler raises there.
        if task.future.done():
            self._ended.put(serial)
        else:
            task.future.add_done_callback(lambda _: self._ended.put(serial))

    def ended(self) -> Iterator[Task]:
        """Waits for a task to end. Each that has ended is forgotten when the next one is asked."""
        serial = self._next(TICK)
        if serial is None:  # the callback of one may have been swallowed
            done = (one for one, task in self._tasks.items() if task.future.done())
            serial = next(done, None)
        while serial is not None:
            if serial in self._tasks:
                yield self._tasks[serial]
                del self._tasks[serial]
            serial = self._next(0)

    def _next(self, timeout: float) -> Optional[int]:
        with contextlib.suppress(queue.Empty):
            return self._ended.get(timeout=timeout)
        return None
