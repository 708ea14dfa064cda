"""The copies of ratios: batches of copies take turns, on the clock."""

from __future__ import annotations

import gc
import os
import statistics
import time
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Callable

from bench.scratch import write_source
from bench.turns import turns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.copiers import Copier
    from bench.progress import Progress

_BATCH_NS = 20e6
FEWEST, _MOST = 2, 500

#: Copies ``src`` to each name and returns ns a copy.
Batch = Callable[[str, "Sequence[str]"], float]


@dataclass(frozen=True)
class Case:
    """A file of ``size`` bytes, copied over an existing one or not."""

    label: str
    size: int
    over: bool


@dataclass(frozen=True)
class Figure:
    """One tool, one case: ns a copy, batch by batch."""

    batches: tuple[float, ...]

    @property
    def median(self) -> float:
        """The usual batch."""
        return statistics.median(self.batches)

    @property
    def least(self) -> float:
        """The batch that nothing came between."""
        return min(self.batches)


def measured(
    case: Case, tools: dict[str, Batch], folder: Path, rounds: int, progress: Progress
) -> dict[str, Figure]:
    """Run ``rounds`` batches of each tool; tools take turns."""
    source = folder / "source"
    write_source(source, case.size)
    names = {}
    for number, (name, tool) in enumerate(tools.items()):
        over = folder / f"over-{number}"
        write_source(over, case.size)
        few = _names(case, over, FEWEST)
        fitting = int(_BATCH_NS / tool(str(source), few))
        _settle(case, few)
        names[name] = _names(case, over, max(FEWEST, min(_MOST, fitting)))
    batches: dict[str, tuple[float, ...]] = dict.fromkeys(tools, ())
    for order in islice(turns(tools), rounds):
        for name in order:
            progress.step(f"{case.label}, {name}")
            batches[name] += (tools[name](str(source), names[name]),)
            _settle(case, names[name])
    for file in folder.iterdir():
        file.unlink()
    return {name: Figure(samples) for name, samples in batches.items()}


def _names(case: Case, over: Path, count: int) -> list[str]:
    """Where a batch of ``count`` copies goes: to ``over`` every time, or to new files."""
    if case.over:
        return [str(over)] * count
    return [str(over.with_name(f"new-{number:04}")) for number in range(count)]


def _settle(case: Case, copies: Sequence[str]) -> None:
    """Leave nothing of a batch for the next tool to pay for."""
    if not case.over:
        for copy in copies:
            os.unlink(copy)
        return
    fd = os.open(copies[0], os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def python_batch(copier: Copier, src: str, copies: Sequence[str]) -> float:
    """Copies ``src`` to each name; ns a copy."""
    copy = copier.copy
    gc.disable()
    try:
        started = time.perf_counter_ns()
        for dst in copies:
            copy(src, dst)
        return (time.perf_counter_ns() - started) / len(copies)
    finally:
        gc.enable()
