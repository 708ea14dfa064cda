"""``measure.py ratios``: speedcopy against the C program and the others."""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from bench import arguments, copiers, floor, needs, report
from bench.environment import environment
from bench.progress import Progress
from bench.scratch import scratch, workplace, write_source
from bench.turns import turns

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from bench.copiers import Copier


DESCRIPTION = """\
Copy small and large files in PATH, new and over existing ones, with speedcopy, with shutil and
with a C program that makes only the necessary calls, and print how many times as long each takes.

Batches of copies take turns; each round begins with another tool. A time is that of one copy, the
mean of a batch; the median and the least of all batches are printed. New files have the same names
for all tools. Over existing files, each tool has a file of its own, which is on the disk before a
batch starts.
"""
FLOOR, SHUTIL, OURS, REFLINK_COPY = "floor (C)", "shutil", "speedcopy", "reflink-copy"

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
        """The batch that was disturbed least."""
        return min(self.batches)


@dataclass(frozen=True)
class Target:
    """The time of ``tool`` divided by that of ``other`` has to be at least ``bound``.

    With ``below``, at most. It counts on file systems of ``kinds`` only.
    """

    case: str
    tool: str
    other: str
    bound: float
    kinds: tuple[str, ...]
    below: bool = False


CASES = (
    Case("4 KiB new", 4 << 10, over=False),
    Case("4 KiB over", 4 << 10, over=True),
    Case("32 MiB new", 32 << 20, over=False),
    Case("32 MiB over", 32 << 20, over=True),
)
CLONING, NFS = ("btrfs", "xfs"), ("nfs4",)
DISKS = ("ext4", "tmpfs", *CLONING)
TARGETS = (
    Target("4 KiB new", OURS, FLOOR, 1.25, DISKS, below=True),
    Target("4 KiB over", OURS, FLOOR, 1.25, DISKS, below=True),
    Target("32 MiB new", OURS, FLOOR, 1.1, DISKS, below=True),
    Target("32 MiB over", OURS, FLOOR, 1.1, DISKS, below=True),
    Target("4 KiB over", SHUTIL, OURS, 1, DISKS),
    Target("32 MiB over", SHUTIL, OURS, 1, DISKS),
    Target("32 MiB new", REFLINK_COPY, OURS, 1, CLONING),
    Target("32 MiB new", SHUTIL, OURS, 1, CLONING),
    Target("32 MiB new", OURS, FLOOR, 1.2, NFS, below=True),
    Target("32 MiB over", OURS, FLOOR, 1.2, NFS, below=True),
)
_BATCH_NS = 20e6
_FEWEST, _MOST = 2, 500


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments."""
    arguments.add_path(parser)
    help_ = "batches of each (default: 21)"
    parser.add_argument("--rounds", type=arguments.positive, default=21, metavar="N", help=help_)
    arguments.add_against(parser)


def measure(options: Namespace) -> None:
    """Measure and print."""
    folder = arguments.directory(options.path)
    needs.modules(options)
    ours = copiers.ours()
    with scratch(Path(tempfile.gettempdir())) as apart:
        tools: dict[str, Batch] = {FLOOR: floor.build(apart).nanoseconds}
        peers = copiers.peers(options.against, apart)
        for copier in (ours, copiers.standard_library(), *peers):
            tools[copier.name] = partial(_python_batch, copier)
        where = environment(folder, ours.version)
        print(where, end="\n\n", flush=True)
        figures = _all_cases(tools, folder, options.rounds)
    print(_table(figures))
    print(_verdicts(figures, where.file_system.kind))


def _all_cases(tools: dict[str, Batch], folder: Path, rounds: int) -> dict[str, dict[str, Figure]]:
    steps = len(CASES) * len(tools) * rounds
    space = max(case.size for case in CASES) * (1 + len(tools) + _FEWEST)
    needs.room(folder, space)
    with closing(Progress(steps)) as progress, workplace(folder, space) as made:
        return {
            case.label: _measured(case, _able(case, tools), made, rounds, progress)
            for case in CASES
        }


def _able(case: Case, tools: dict[str, Batch]) -> dict[str, Batch]:
    """The tools that can do it: reflink-copy does not replace a file."""
    return {name: tool for name, tool in tools.items() if not (case.over and name == REFLINK_COPY)}


def _measured(
    case: Case, tools: dict[str, Batch], folder: Path, rounds: int, progress: Progress
) -> dict[str, Figure]:
    """Run ``rounds`` batches of each tool; tools take turns."""
    source = folder / "source"
    write_source(source, case.size)
    names = {}
    for number, (name, tool) in enumerate(tools.items()):
        over = folder / f"over-{number}"
        write_source(over, case.size)
        few = _names(case, over, _FEWEST)
        fitting = int(_BATCH_NS / tool(str(source), few))
        _settle(case, few)
        names[name] = _names(case, over, max(_FEWEST, min(_MOST, fitting)))
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
    """Remove the copies, or write them back, so that they do not slow down the next tool."""
    if not case.over:
        for copy in copies:
            os.unlink(copy)
        return
    fd = os.open(copies[0], os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _python_batch(copier: Copier, src: str, copies: Sequence[str]) -> float:
    copy = copier.copy
    gc.disable()
    try:
        started = time.perf_counter_ns()
        for dst in copies:
            copy(src, dst)
        return (time.perf_counter_ns() - started) / len(copies)
    finally:
        gc.enable()


def _table(figures: dict[str, dict[str, Figure]]) -> str:
    headers = ["", "", "median(us)", "least(us)", "/ floor", "least", "/ speedcopy", "least"]
    rows = []
    for label, tools in figures.items():
        for name, figure in tools.items():
            first = label if name == FLOOR else ""
            cells = [first, name, f"{figure.median / 1e3:.2f}", f"{figure.least / 1e3:.2f}"]
            for base in (tools[FLOOR], tools[OURS]):
                cells.append(f"{figure.median / base.median:.2f}")
                cells.append(f"{figure.least / base.least:.2f}")
            rows.append(cells)
    aligned = ("left", "left", *["right"] * 6)
    return report.markdown(headers, rows, aligned)


def _verdicts(figures: dict[str, dict[str, Figure]], kind: str) -> str:
    lines = [""]
    for target in TARGETS:
        tools = figures[target.case]
        if kind not in target.kinds or target.tool not in tools:
            continue
        tool, other = tools[target.tool], tools[target.other]
        median, least = tool.median / other.median, tool.least / other.least
        met = median <= target.bound if target.below else median >= target.bound
        lines.append(
            f"{target.case}: {target.tool} / {target.other} "
            f"{'at most' if target.below else 'at least'} {target.bound:g}: "
            f"{'met' if met else 'MISSED'}, {median:.2f} (least batches {least:.2f})"
        )
    return "\n".join(lines)
