"""``measure.py ratios``: speedcopy against the C program and the others."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench import arguments, copiers, floor, needs, report
from bench.batches import FEWEST, Case, measured, python_batch
from bench.environment import environment
from bench.progress import Progress
from bench.scratch import scratch, workplace

if TYPE_CHECKING:
    import argparse

    from common.command import Parser

    from bench.batches import Batch, Figure

DESCRIPTION = """\
Copy small and large files in PATH, new and over existing ones, with speedcopy, with shutil and
with a C program that makes only the necessary calls, and print how many times as long each takes.

Batches of copies take turns; each round begins with another tool. A time is that of one copy, the
mean of a batch; the median and the least of all batches are printed. New files have the same names
for all tools. Over existing files, each tool has a file of its own, which is on the disk before a
batch starts.
"""
FLOOR, SHUTIL, OURS, REFLINK_COPY = "floor (C)", "shutil", "speedcopy", "reflink-copy"


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

    def met(self, ratio: float) -> bool:
        """Whether ``ratio`` is good enough."""
        return ratio <= self.bound if self.below else ratio >= self.bound


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


def add_arguments(parser: Parser) -> None:
    """The arguments."""
    arguments.add_path(parser)
    help_ = "batches of each (default: 21)"
    parser.add_argument("--rounds", type=arguments.positive, default=21, metavar="N", help=help_)
    arguments.add_against(parser)


def measure(options: argparse.Namespace) -> None:
    """Measure and print."""
    folder = arguments.directory(options.path)
    needs.modules(options)
    ours = copiers.ours()
    with scratch(Path(tempfile.gettempdir())) as apart:
        tools: dict[str, Batch] = {FLOOR: floor.build(apart).nanoseconds}
        peers = copiers.peers(options.against, apart)
        for copier in (ours, copiers.standard_library(), *peers):
            tools[copier.name] = partial(python_batch, copier)
        where = environment(folder, ours.version)
        print(where, end="\n\n", flush=True)
        figures = _all_cases(tools, folder, options.rounds)
    print(_table(figures))
    print(_verdicts(figures, where.file_system.kind))


def _all_cases(tools: dict[str, Batch], folder: Path, rounds: int) -> dict[str, dict[str, Figure]]:
    steps = len(CASES) * len(tools) * rounds
    space = max(case.size for case in CASES) * (1 + len(tools) + FEWEST)
    needs.room(folder, space)
    with closing(Progress(steps)) as progress, workplace(folder, space) as made:
        return {
            case.label: measured(case, _able(case, tools), made, rounds, progress) for case in CASES
        }


def _able(case: Case, tools: dict[str, Batch]) -> dict[str, Batch]:
    """Those that can: reflink-copy does not replace a file."""
    return {name: tool for name, tool in tools.items() if not (case.over and name == REFLINK_COPY)}


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
        lines.append(
            f"{target.case}: {target.tool} / {target.other} "
            f"{'at most' if target.below else 'at least'} {target.bound:g}: "
            f"{'met' if target.met(median) else 'MISSED'}, {median:.2f} (least batches {least:.2f})"
        )
    return "\n".join(lines)
