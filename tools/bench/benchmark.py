"""Arguments and output of ``python tools/benchmark.py``."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common import command

from bench import arguments, copiers, needs, plot, report
from bench.environment import environment
from bench.errors import BenchmarkError
from bench.rows import Plan
from bench.scratch import scratch, workplace
from bench.turns import run

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from bench.copiers import Copier, Ours
    from bench.environment import Environment
    from bench.rows import Row

PROGRAM = "benchmark.py"
DESCRIPTION = """\
Copy files in PATH with shutil and with speedcopy, in turn, and show which is faster.

Every copy gets a name of its own. The sources are random data, on the disk and in the page
cache before the clock starts. One copy by each tool is compared with its source, byte for byte.
Seconds are for all copies of a size: --repeats of them, or with threads N x --copies-per-worker
(then the median of --repeats). Where a copy is short, each repeat is the fastest of up to 9
tries, as timeit does it. A MB is 1,048,576 bytes.
"""
EPILOG = f"""\
{arguments.PEERS}.
The time of cp includes starting it; a release of speedcopy is fetched with pip.
exit codes: 0, 1 a tool made a wrong copy, 2 the run cannot be done, 128 + signal.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = parser().parse_args(argv)
    return command.exit_code(PROGRAM, partial(_benchmark, options))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = command.parser(PROGRAM, DESCRIPTION, epilog=EPILOG)
    add = result.add_argument
    arguments.add_path(result)
    arguments.add_plan(result)
    help_ = "copies of each thread in a repeat (default: 2)"
    add("--copies-per-worker", type=arguments.positive, default=2, metavar="N", help=help_)
    help_ = "threads that copy side by side (default: 1)"
    add("--workers", type=arguments.threads, default=1, metavar="N", help=help_)
    arguments.add_against(result)
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    arguments.add_plot(result)
    return result


def _benchmark(options: argparse.Namespace) -> None:
    folder = arguments.directory(options.path)
    _prepare(options)
    plan = Plan(options.sizes, options.repeats, options.workers, options.copies_per_worker)
    needs.room(folder, plan.space)
    ours = copiers.ours()
    with scratch(Path(tempfile.gettempdir())) if options.against else nullcontext(folder) as apart:
        where, rows = measured(folder, plan, ours, copiers.peers(options.against, apart))
    if options.json:
        options.json.write_text(report.as_json(where, plan, rows), encoding="utf-8")
    if options.plot:
        plot.draw(options.plot, where, rows)


def measured(
    folder: Path, plan: Plan, ours: Ours, peers: Sequence[Copier]
) -> tuple[Environment, list[Row]]:
    """Make the copies in a new folder below ``folder``, and print the results."""
    where, names = environment(folder, ours.version), [peer.name for peer in peers]
    print(report.heading(where, plan), flush=True)
    with workplace(folder, plan.space) as made:
        rows = run(plan, [copiers.standard_library(), ours, *peers], ours.transfer, made)
    print(report.table(rows, names))
    print(report.summary(where, rows, names), flush=True)
    return where, rows


def _prepare(options: argparse.Namespace) -> None:
    """Fail before the run, not after it, if its results cannot be written."""
    needs.modules(options)
    if options.plot:
        plot.require(options.plot)
    for option, file in (("--json", options.json), ("--plot", options.plot)):
        if file and not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            text = f"{option} {file}: cannot be written to"
            raise BenchmarkError(text)
