"""The copies of a benchmark, on the clock; the tools take turns."""

from __future__ import annotations

import filecmp
import itertools
import os
import statistics
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Callable, TypeVar

from bench.errors import BenchmarkError, WrongCopyError
from bench.progress import Progress
from bench.rows import Plan, Row, Timing, size_mb
from bench.scratch import write_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bench.copiers import Copier, Transferring

    _Jobs = Sequence[tuple[str, Sequence[str]]]

T = TypeVar("T")

#: A short round is tried several times, and the fastest try counts, as timeit does it. So other
#: work of the machine matters less.
_MOST_TRIES = 9
_TRIES_SECONDS = 1.0


def turns(tools: Iterable[T]) -> Iterator[Sequence[T]]:
    """The order of the tools, round by round.

    In as many rounds as there are tools, each tool is the first once. In the next as many, the
    order is reversed. So no tool always follows the same one.
    """
    order = deque(tools)
    while True:
        for _ in range(len(order)):
            yield tuple(order)
            order.rotate(-1)
        order.reverse()


def run(plan: Plan, copiers: Sequence[Copier], transfer: Transferring, folder: Path) -> list[Row]:
    """Make all copies of ``plan`` in ``folder``: a row for each size.

    ``transfer`` reports which mechanism speedcopy, one of ``copiers``, uses.
    """
    steps = len(plan.sizes) * (len(copiers) * plan.workers + plan.repeats)
    with closing(Progress(steps)) as progress:
        session = _Session(plan, copiers, transfer, folder, progress)
        return [session.row(size) for size in plan.sizes]


@dataclass
class _Session:
    """A run: every copy gets a name that was never there before."""

    _plan: Plan
    _copiers: Sequence[Copier]
    _transfer: Transferring
    _folder: Path
    _progress: Progress

    def __post_init__(self) -> None:
        self._turns = turns(self._copiers)
        self._serial = itertools.count()

    def row(self, size: int) -> Row:
        """Measure one size."""
        sources = [self._folder / f"source-{number}" for number in range(self._plan.workers)]
        for source in sources:
            write_source(source, size)
        # Comparing reads every source: all tools find them in the page cache, if there is one.
        pace = max(self._compared(copier, sources) for copier in self._copiers)
        (copy,) = self._names(1)
        report = self._transfer(str(sources[0]), copy)
        os.unlink(copy)
        tries = max(1, min(_MOST_TRIES, int(_TRIES_SECONDS / pace)))
        samples = self._samples(sources, tries)
        for source in sources:
            source.unlink()
        timings = {
            name: Timing(size, self._plan.copies, _seconds_of_row(self._plan, seconds), seconds)
            for name, seconds in samples.items()
        }
        return Row(size, timings, report.mechanism, report.declined)

    def _compared(self, copier: Copier, sources: Sequence[Path]) -> float:
        """Compare a copy of each source; returns about how many seconds a round takes."""
        seconds = 0.0
        for source in sources:
            size = source.stat().st_size
            self._progress.step(f"comparing a copy by {copier.name}, {size_mb(size)} MB")
            names = self._names(1)
            seconds += _span(copier, str(source), names)
            if not filecmp.cmp(source, names[0], shallow=False):
                text = f"{copier.name}: the copy of a file of {size} bytes differs"
                raise WrongCopyError(text)
            os.unlink(names[0])
        return seconds / len(sources) * self._plan.copies_per_round

    def _samples(self, sources: Sequence[Path], tries: int) -> dict[str, tuple[float, ...]]:
        """The seconds of every tool: one sample for each repeat, the fastest of its tries."""
        samples: dict[str, tuple[float, ...]] = {copier.name: () for copier in self._copiers}
        size = size_mb(sources[0].stat().st_size)
        for repeat in range(self._plan.repeats):
            self._progress.step(f"timing {size} MB, repeat {repeat + 1}")
            spans: dict[str, list[float]] = {name: [] for name in samples}
            for _ in range(tries):
                for copier in next(self._turns):
                    spans[copier.name].append(self._round(copier, sources))
            for name, seconds in spans.items():
                samples[name] += (min(seconds),)
        return samples

    def _round(self, copier: Copier, sources: Sequence[Path]) -> float:
        """Seconds of one turn; removing the copies is not in them."""
        each = self._plan.copies_per_worker if self._plan.threaded else 1
        jobs = [(str(source), self._names(each)) for source in sources]
        seconds = _side_by_side(copier, jobs) if self._plan.threaded else _span(copier, *jobs[0])
        for _, copies in jobs:
            for copy in copies:
                os.unlink(copy)
        return seconds

    def _names(self, count: int) -> list[str]:
        return [str(self._folder / f"copy-{next(self._serial):08}") for _ in range(count)]


def _seconds_of_row(plan: Plan, samples: Sequence[float]) -> float:
    """With one worker the sum of the samples, with threads their median."""
    return statistics.median(samples) if plan.threaded else sum(samples)


def _span(copier: Copier, source: str, copies: Sequence[str]) -> float:
    started = time.perf_counter()
    for copy in copies:
        copier.copy(source, copy)
    return time.perf_counter() - started


def _side_by_side(copier: Copier, jobs: _Jobs) -> float:
    """Seconds from the first start to the last end, a thread for each job, without their start."""
    barrier = threading.Barrier(len(jobs))
    stop = threading.Event()

    def work(source: str, copies: Sequence[str]) -> tuple[float, float]:
        barrier.wait()
        started = time.perf_counter()
        for copy in copies:
            if stop.is_set():
                break
            copier.copy(source, copy)
        return started, time.perf_counter()

    with ThreadPoolExecutor(len(jobs)) as pool:
        try:
            futures = _submitted(pool, work, jobs)
            spans = [future.result() for future in futures]
        except BaseException:
            stop.set()
            barrier.abort()
            raise
    return max(ended for _, ended in spans) - min(started for started, _ in spans)


def _submitted(pool: ThreadPoolExecutor, work: Callable[..., T], jobs: _Jobs) -> list[Future[T]]:
    try:
        return [pool.submit(work, *job) for job in jobs]
    except RuntimeError as error:
        text = f"{len(jobs)} threads are too many here: {error}"
        raise BenchmarkError(text) from error
