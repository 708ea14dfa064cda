"""Copies a tree by many tasks at once.

The calling thread decides what is next, reads names and keeps the books. Executors do the rest.
"""

from __future__ import annotations

import contextlib
import os
import time
from concurrent.futures import Executor, wait
from typing import TYPE_CHECKING, Optional

from speedcopy._trees.alone import Alone
from speedcopy._trees.batches import Batch, How, audit_batch, copy_batch, link_batch
from speedcopy._trees.entries import Kind, Settings, errors_of
from speedcopy._trees.executors import Inline, Threads, is_elsewhere
from speedcopy._trees.running import Running
from speedcopy._trees.schedule import Schedule
from speedcopy._trees.targets import REMOTE_WORKERS, Target
from speedcopy._trees.tasks import TICK, Task, add_note, open_directory
from speedcopy._types import Done, TreeProgress

if TYPE_CHECKING:
    from speedcopy._trees.directories import Directory


class Parallel:
    """The copy of one tree."""

    def __init__(
        self,
        settings: Settings,
        target: Target,
        executor: Optional[Executor],
        progress: Optional[TreeProgress],
        *,
        mode_only: bool,
    ) -> None:
        self._settings, self._target, self._progress = settings, target, progress
        self._elsewhere = is_elsewhere(executor)
        self._how = How(
            metadata="mode" if mode_only else settings.metadata,
            files=True,
            fresh=False,
            opened=not target.remote,
            nfs=target.nfs,
            elsewhere=self._elsewhere,
            tree=os.urandom(16).hex(),
            skip=0,
            as_cp=settings.as_cp,
        )
        #: What the copies between two places have found useless, as in an Outcome.
        self._skip: dict[tuple[int, str], int] = {}
        most = target.workers if executor is None else min(target.workers, REMOTE_WORKERS)
        self._own: Executor = Threads(most) if most > 1 else Inline()
        self._files = executor or self._own
        self._others = self._own if target.remote else Inline()
        # Enough that no worker waits for the calling thread. More would only be a longer way from
        # the listing to the copy: a server's client forgets after 1 s what a listing has said.
        self._window = target.workers + max(1, target.workers // 2)
        self._running = Running()
        self._alone = Alone()
        self._done, self._next_tick = Done(0, 0), time.perf_counter() + TICK

    def run(self, root: Directory) -> None:
        """Copies all that is in a directory, which is open and made.

        An exception that ends the copy has a note on what was not copied.
        """
        self._schedule = Schedule(root, self._target.workers)
        try:
            while True:
                while len(self._running) < self._window and self._start_next():
                    pass
                if not self._running and not self._start_alone():
                    break
                self._settle()
            self._report(at_the_end=True)
        except BaseException as error:
            self._stop(error)
            raise
        finally:
            self._own.shutdown()

    def _stop(self, error: BaseException) -> None:
        """Begins with nothing more, waits for what is being copied, and notes what is missing."""
        tasks = self._running.tasks()
        for task in tasks:
            task.watch.stopped = True
        wait([task.future for task in tasks if not task.future.cancel()])
        self._own.shutdown()
        for task in tasks:
            with contextlib.suppress(BaseException):
                if task.names:
                    self._done = task.settle(self._done, self._alone, is_given_up=True)
        add_note(error, self._done, tasks, self._schedule.close() + self._alone.left())

    def _start_next(self) -> bool:
        """Goes a step on; returns whether there was one."""
        child = self._schedule.next_to_open()
        if child is not None:
            self._running.start(
                Task(child, self._opened), self._others, open_directory, child, self._settings
            )
            return True
        directory = self._schedule.next_to_read()
        if directory is not None:
            self._draw(directory)
        return directory is not None

    def _draw(self, directory: Directory) -> None:
        """Starts to copy some of the files of a directory, and finds those in it."""
        kinds = (Kind.FILE, Kind.OTHER, Kind.LINK)
        tasks = {kind: Task(directory, self._copied, kind) for kind in kinds}
        at_the_end = False
        for position, name, kind in directory.names:
            if kind is Kind.DIRECTORY:
                directory.unfinished += 1
                directory.pending.append((position, name))
                if self._schedule.must_wait(directory):
                    break
                continue
            if not self._alone.enter(directory, position, name, kind):
                continue
            if tasks[kind].add(position, name) == self._target.batch:
                break
        else:
            at_the_end = True
        self._schedule.drawn(directory, at_the_end=at_the_end)
        for task in tasks.values():
            if task.names:
                self._copy(task)
        if at_the_end:
            self._release(directory)

    def _start_alone(self) -> bool:
        """Nothing is being copied: begins with a name that has to be copied alone, if there is."""
        waiting = self._alone.first()
        if waiting is None:
            return False
        task = Task(waiting.directory, self._copied, waiting.kind)
        task.add(waiting.order[-1], waiting.name)
        self._copy(task, alone=True, heard=waiting.heard)
        self._alone.remove_first()
        return True

    def _copy(self, task: Task, *, alone: bool = False, heard: bool = False) -> None:
        directory = task.directory
        directory.unfinished += 1
        skip = self._skip.get(directory.places, 0)
        how = self._how._replace(files=task.kind is Kind.FILE, fresh=directory.fresh, skip=skip)
        how = how._replace(alone=alone, heard=heard)
        batch = Batch(directory.src_prefix, directory.dst_prefix, task.names, how)
        if task.kind is Kind.LINK:
            # By this process: another one that makes a link again would find it there.
            how = how._replace(metadata=self._settings.metadata)  # as in shutil, all of a link
            self._running.start(task, self._others, link_batch, batch._replace(how=how))
            return
        if self._elsewhere:
            audit_batch(batch)
        watch = [] if self._elsewhere else [task.watch]
        self._running.start(task, self._files, copy_batch, batch, *watch)

    def _settle(self) -> None:
        """Waits for a task to end, and takes what has ended."""
        for task in self._running.ended():
            task.then(task)
        self._report()

    def _report(self, *, at_the_end: bool = False) -> None:
        if self._progress is None or not (at_the_end or time.perf_counter() >= self._next_tick):
            return
        watches = [task.watch for task in self._running.tasks()]
        under_way = sum(max(watch.copied, watch.done) for watch in watches)
        self._progress(Done(self._done.files, self._done.bytes + under_way))
        self._next_tick = time.perf_counter() + TICK

    def _opened(self, task: Task) -> None:
        """A directory is open; without an ignore function, it is made, too."""
        child = task.directory
        try:
            is_wanted = task.future.result()
            if is_wanted and self._settings.ignore is not None:
                child.choose(self._settings.ignore)
        except OSError as why:
            self._refused(child, why)
            return
        if not is_wanted:
            self._refused(child, None)
        elif self._settings.ignore is None:
            self._made(task)
        else:
            self._running.start(Task(child, self._made), self._others, child.make, self._settings)

    def _made(self, task: Task) -> None:
        child = task.directory
        try:
            task.future.result()
        except OSError as why:
            self._refused(child, why)
        else:
            self._schedule.opened(child, _parent(child), is_made=True)

    def _refused(self, child: Directory, why: Optional[OSError]) -> None:
        """A directory is not copied."""
        parent = _parent(child)
        self._schedule.opened(child, parent, is_made=False)
        if why is not None:
            parent.take_over(child, errors_of(why, child.src, child.dst))
        self._release(parent)

    def _copied(self, task: Task) -> None:
        self._done = task.settle(self._done, self._alone)
        if task.skip:
            self._skip[task.directory.places] = task.skip
        self._release(task.directory)

    def _release(self, directory: Directory) -> None:
        """Something in a directory is at its end. Its metadata comes after all that is in it."""
        directory.unfinished -= 1
        if not directory.unfinished:
            task = Task(directory, self._finished)
            self._running.start(task, self._others, directory.finish, self._settings)

    def _finished(self, task: Task) -> None:
        task.future.result()
        directory = task.directory
        if directory.parent is not None:
            directory.parent.take_over(directory, directory.errors())
            self._release(directory.parent)


def _parent(child: Directory) -> Directory:
    assert child.parent is not None  # noqa: S101 (only the first directory has none)
    return child.parent
