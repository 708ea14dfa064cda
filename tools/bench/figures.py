"""Arguments and output of ``python tools/figures.py``: the benchmark on several directories."""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import copiers, needs, plot, report
from bench.cli import directory, measured, peer, positive, sizes
from bench.environment import environment
from bench.errors import exit_code
from bench.measure import Plan, overall_gain, size_mb
from bench.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Row

PROGRAM = "figures.py"
DESCRIPTION = """\
Run the benchmark on each PATH, single-threaded and with threads, with all tools in turn, and put
side by side how much faster speedcopy is: than shutil, and than each peer.
"""
THREADS = 4


class Run(NamedTuple):
    """One benchmark: where, with how many threads, what came of it."""

    name: str
    workers: int
    rows: list[Row]

    @property
    def mode(self) -> str:
        """As a table says it."""
        return "single" if self.workers == 1 else f"{self.workers} threads"

    def gains(self, over: str) -> list[str]:
        """How many times faster than ``over``, by size and overall."""
        every = [*(row.gain(over) for row in self.rows), overall_gain(self.rows, over)]
        return [report.times(gain) for gain in every]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and tell; the exit code."""
    options = parser().parse_args(argv)
    return exit_code(PROGRAM, partial(_figures, options))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=f"peers for --against: {copiers.PEERS}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add("paths", nargs="+", metavar="PATH", help="the directories to measure")
    add("--sizes-mb", type=sizes, default=sizes("1,2,4,8,16,32"), metavar="MB,MB,...", dest="sizes")
    add("--repeats", type=positive, default=3, metavar="N", help="(default: 3)")
    add("--against", type=peer, action="append", default=[], metavar="PEER")
    add("--plot", type=Path, metavar="FILE", help="draw a picture (needs matplotlib)")
    return result


def gains(runs: Sequence[Run], over: str) -> str:
    """A line for each run: how many times faster than ``over``, by size and overall."""
    headers = ["", "", *(f"{size_mb(row.size)} MB" for row in runs[0].rows), "overall"]
    lines = [[run.name, run.mode, *run.gains(over)] for run in runs]
    aligned = ["left", "left", *["right"] * (len(headers) - 2)]
    return f"speedcopy against {over}\n\n{report.markdown(headers, lines, aligned)}\n"


def _figures(options: argparse.Namespace) -> None:
    needs.modules(options)
    if options.plot:
        plot.require(options.plot)
    folders = [directory(path) for path in options.paths]
    plans = [Plan(options.sizes, options.repeats, workers, 2) for workers in (1, THREADS)]
    for folder in folders:
        needs.room(folder, plans[-1].space)
    ours = copiers.ours()
    runs = []
    with scratch(Path(tempfile.gettempdir())) as fetched:
        peers = copiers.peers(options.against, fetched)
        tools = [copiers.standard_library(), ours, *peers]
        for folder in folders:
            where = environment(folder, ours.version)
            for plan in plans:
                print(report.heading(where, plan), flush=True)
                rows = measured(plan, tools, ours, folder)
                names = [tool.name for tool in peers]
                print(report.table(rows, names))
                print(report.summary(where, rows, names), end="\n\n", flush=True)
                runs.append(Run(folder.name, plan.workers, rows))
    for other in ("shutil", *(tool.name for tool in peers)):
        print(gains(runs, other))
    if options.plot:
        plot.draw_gains(options.plot, [(f"{run.name}, {run.mode}", run.rows) for run in runs])
