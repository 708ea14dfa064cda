"""Arguments and output of ``python tools/benchmark.py``."""

from __future__ import annotations

import argparse
import os
import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from bench import copiers, needs, plot, report
from bench.environment import environment
from bench.errors import BenchmarkError, UnusableError, exit_code
from bench.measure import MB, Plan, run
from bench.scratch import scratch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.copiers import Copier, Ours
    from bench.measure import Row

PROGRAM = "benchmark.py"
DESCRIPTION = """\
Copy files in PATH with shutil and with speedcopy, in turn, and say which is faster.

Every copy gets a name of its own. The sources are random data, on the disk and in the page
cache before the clock starts; one copy by each tool is compared with its source, byte for byte.
Seconds are for all copies of a size: --repeats of them, or with threads N x --copies-per-worker
(then the median of --repeats). Where that takes a moment only, each repeat is the fastest of up
to 9 tries, as of timeit. A MB is 1,048,576 bytes.
"""
EPILOG = f"""\
peers for --against: {copiers.PEERS}.
The time of cp includes starting it; a release of speedcopy is fetched with pip.
exit codes: 0, 1 a tool made a wrong copy, 2 the run cannot be done, 128 + signal.
"""
_LARGEST = (1 << 63) - 1


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit code."""
    options = parser().parse_args(argv)
    return exit_code(PROGRAM, lambda: _benchmark(options))


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    result = argparse.ArgumentParser(
        prog=PROGRAM,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = result.add_argument
    add(
        "path",
        nargs="?",
        metavar="PATH",
        help="the directory to measure (default: here, or where temporary files go)",
    )
    add(
        "--sizes-mb",
        type=sizes,
        default=sizes("1,2,4,8,16,32"),
        metavar="MB,MB,...",
        dest="sizes",
        help="sizes of the files (default: 1,2,4,8,16,32)",
    )
    add(
        "--repeats",
        type=positive,
        default=3,
        metavar="N",
        help="times each size is copied by each tool (default: 3)",
    )
    add(
        "--copies-per-worker",
        type=positive,
        default=2,
        metavar="N",
        help="copies of each thread in a repeat (default: 2)",
    )
    add(
        "--workers",
        type=threads,
        default=1,
        metavar="N",
        help="threads that copy side by side (default: 1)",
    )
    add(
        "--against",
        type=peer,
        action="append",
        default=[],
        metavar="PEER",
        help="compare with this one, too; may be repeated",
    )
    add("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    add("--plot", type=Path, metavar="FILE", help="draw a picture (needs matplotlib)")
    return result


def sizes(text: str) -> tuple[int, ...]:
    """Read ``1,2,0.5``, in MB, as bytes."""
    try:
        result = tuple(round(float(size) * MB) for size in text.split(","))
    except (ValueError, OverflowError):  # not a number, or infinite
        result = (0,)
    if min(result) < 1 or max(result) > _LARGEST:
        message = f"a size must be a number of MB, a byte at least and below 8 EiB: {text}"
        raise argparse.ArgumentTypeError(message)
    return result


def positive(text: str) -> int:
    """Read a number of at least 1."""
    return _count(text, most=1_000_000)


def threads(text: str) -> int:
    """Read a number of threads that does not bring down the machine."""
    return _count(text, most=1000)


def _count(text: str, most: int) -> int:
    number = int(text)
    if not 1 <= number <= most:
        message = f"must be 1 at least and {most} at most"
        raise argparse.ArgumentTypeError(message)
    return number


def peer(text: str) -> str:
    """Read the name of a peer."""
    if not copiers.is_peer(text):
        message = f"must be {copiers.PEERS}, not {text}"
        raise argparse.ArgumentTypeError(message)
    return text


def directory(path: str | None) -> Path:
    """The directory to measure, if it is one; without a name, one that can be written to."""
    if path is None:
        here = Path.cwd()
        return here if os.access(here, os.W_OK) else Path(tempfile.gettempdir())
    result = Path(path)
    try:
        result.stat()
    except FileNotFoundError as error:
        text = f"{path}: no such directory"
        raise BenchmarkError(text) from error
    except OSError as error:
        text = f"{path}: {error.strerror}"
        raise BenchmarkError(text) from error
    if not result.is_dir():
        text = f"{path}: not a directory"
        raise BenchmarkError(text)
    return result


def _benchmark(options: argparse.Namespace) -> None:
    folder = directory(options.path)
    _prepare(options)
    plan = Plan(options.sizes, options.repeats, options.workers, options.copies_per_worker)
    needs.room(folder, plan.space)
    ours = copiers.ours()
    with scratch(Path(tempfile.gettempdir())) if options.against else nullcontext(folder) as apart:
        others = copiers.peers(options.against, apart)
        peers = [other.name for other in others]
        where = environment(folder, ours.version)
        print(report.heading(where, plan), flush=True)
        rows = measured(plan, [copiers.standard_library(), ours, *others], ours, folder)
    print(report.table(rows, peers))
    print(report.summary(where, rows, peers))
    if options.json:
        options.json.write_text(report.as_json(where, plan, rows), encoding="utf-8")
    if options.plot:
        plot.draw(options.plot, where, rows)


def _prepare(options: argparse.Namespace) -> None:
    """Fail now rather than after the run, if its outcome could not be told."""
    needs.modules(options)
    if options.plot:
        plot.require(options.plot)
    for option, file in (("--json", options.json), ("--plot", options.plot)):
        if file and not os.access(file if file.exists() else file.absolute().parent, os.W_OK):
            text = f"{option} {file}: cannot be written to"
            raise BenchmarkError(text)


def measured(plan: Plan, tools: Sequence[Copier], ours: Ours, folder: Path) -> list[Row]:
    """Make the copies in a folder of their own below ``folder``, gone afterwards."""
    try:
        with scratch(folder) as made:
            return run(plan, tools, ours.transfer, made)
    except OSError as error:
        raise UnusableError(str(folder), error, plan.space) from error
