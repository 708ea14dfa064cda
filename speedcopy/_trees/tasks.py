"""What the calling thread knows of a task, and what it says when a tree is given up."""

from __future__ import annotations

import contextlib
import itertools
import queue
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Callable, Optional

from speedcopy._trees.batches import Outcome, Watch
from speedcopy._trees.entries import Kind
from speedcopy._types import Done

if TYPE_CHECKING:
    from collections.abc import Iterable

    from speedcopy._trees.alone import Alone
    from speedcopy._trees.directories import Directory
    from speedcopy._trees.entries import Settings

#: Seconds between two calls of progress, as for a single copy.
TICK = 0.05

#: How many names the note on an exception has.
_NAMED = 20


class Task:
    """What an executor does."""

    __slots__ = ("directory", "future", "kind", "names", "positions", "skip", "then", "watch")

    def __init__(
        self, directory: Directory, then: Callable[[Task], None], kind: Kind = Kind.DIRECTORY
    ) -> None:
        self.directory = directory
        #: Of what it copies.
        self.kind = kind
        #: Called on the calling thread when the task has ended.
        self.then = then
        self.future: Future[Any] = Future()
        self.watch = Watch()
        #: What the copies have found useless, as in an Outcome.
        self.skip = 0
        #: What it copies, and the positions of these names.
        self.names: list[str] = []
        self.positions: list[int] = []

    def add(self, position: int, name: str) -> int:
        """Adds a name; returns how many there are."""
        self.positions.append(position)
        self.names.append(name)
        return len(self.names)

    def settle(self, done: Done, alone: Alone) -> Done:
        """Notes the errors of the copies, and adds the others to what is done."""
        outcome: Outcome = self.future.result()
        for index, text in outcome.failed:
            self.directory.fail(self.positions[index], self.names[index], text)
        self.watch = Watch()
        self.skip = outcome.skip
        alone.leave(self)
        for index in outcome.later:
            position, name = self.positions[index], self.names[index]
            alone.wait(self.directory, position, name, self.kind, heard=True)
        self.names = self.names[outcome.tried :]
        files = outcome.tried - len(outcome.failed) - len(outcome.later)
        return Done(done.files + files, done.bytes + outcome.copied)


def open_directory(directory: Directory, settings: Settings) -> bool:
    """Opens src and, unless an ignore function comes first, makes dst.

    Returns False if it must not be copied.
    """
    if not directory.scan(settings):
        return False
    if settings.ignore is None:
        directory.make(settings)
    return True


def next_ended(ended: queue.SimpleQueue[int], timeout: float) -> Optional[int]:
    """The next number in a queue, or None if there is none in time."""
    with contextlib.suppress(queue.Empty):
        return ended.get(timeout=timeout)
    return None


def add_note(error: BaseException, done: Done, tasks: Iterable[Task], left: list[str]) -> None:
    """Has an exception say what was not copied: the names of ``tasks``, and ``left``.

    Its traceback shows that from Python 3.11 on. Before, it is in the attribute alone.
    """
    names = [task.directory.src_prefix + name for task in tasks for name in task.names] + left
    if not names:
        return
    shown = ", ".join(map(repr, itertools.islice(names, _NAMED)))
    more = f", and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    note = f"copytree ended after {done.files} files. Not copied, or only in part: {shown}{more}"
    with contextlib.suppress(AttributeError, TypeError):  # an exception without attributes
        error.__notes__ = [*getattr(error, "__notes__", ()), note]  # type: ignore[attr-defined]
