"""``measure.py figures``: the benchmark on several directories."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bench import arguments, copiers, needs, plot, report
from bench.benchmark import measured
from bench.rows import Plan, overall_gain, size_mb
from bench.scratch import scratch

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from bench.rows import Row

DESCRIPTION = """\
Run the benchmark on each PATH, single-threaded and with threads, with all tools in turn, and show
side by side how much faster speedcopy is than shutil, and than each peer.
"""
THREADS = 4


class Run(NamedTuple):
    """One benchmark: where, with how many threads, and its results."""

    name: str
    mode: str
    rows: list[Row]


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments."""
    parser.add_argument("paths", nargs="+", metavar="PATH", help="the directories to measure")
    arguments.add_plan(parser)
    arguments.add_against(parser)
    arguments.add_plot(parser)


def gains(runs: Sequence[Run], over: str) -> str:
    """A line for each run: how many times faster than ``over``, by size and overall."""
    headers = ["", "", *(f"{size_mb(row.size)} MB" for row in runs[0].rows), "overall"]
    lines = []
    for name, mode, rows in runs:
        every = [*(row.gain(over) for row in rows), overall_gain(rows, over)]
        lines.append([name, mode, *map(report.times, every)])
    aligned = ["left", "left", *["right"] * (len(headers) - 2)]
    return f"speedcopy against {over}\n\n{report.markdown(headers, lines, aligned)}\n"


def measure(options: Namespace) -> None:
    """Measure and print."""
    needs.modules(options)
    if options.plot:
        plot.require(options.plot)
    folders = [arguments.directory(path) for path in options.paths]
    modes = {"single": 1, f"{THREADS} threads": THREADS}
    plans = {
        mode: Plan(options.sizes, options.repeats, workers, 2) for mode, workers in modes.items()
    }
    for folder in folders:
        needs.room(folder, max(plan.space for plan in plans.values()))
    ours = copiers.ours()
    runs = []
    with scratch(Path(tempfile.gettempdir())) as fetched:
        peers = copiers.peers(options.against, fetched)
        for folder in folders:
            for mode, plan in plans.items():
                _, rows = measured(folder, plan, ours, peers)
                print(flush=True)
                runs.append(Run(folder.name, mode, rows))
    for other in ("shutil", *(peer.name for peer in peers)):
        print(gains(runs, other))
    if options.plot:
        plot.draw_gains(options.plot, [(f"{run.name}, {run.mode}", run.rows) for run in runs])
