"""``speedcopy bench``: how long a copy takes here, beside the standard library's."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any

import speedcopy
from speedcopy._cli.messages import quoted, reason
from speedcopy._cli.parser import Parser
from speedcopy._fallback import stdlib_copyfile
from speedcopy._probe.scratch import Scratch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

_HEAD = f"{'size':>7}  {'speedcopy':>10}  {'shutil':>10}  {'faster':>6}  mechanism"


def _sizes(text: str) -> list[int]:
    """Bytes, as in 4K,1M,32M."""
    found: list[int] = []
    for size in text.upper().split(","):
        unit = size[-1:] if size[-1:] in _UNITS else ""
        found.append(int(size.removesuffix(unit)) * _UNITS[unit])
    if min(found) < 1:
        raise ValueError
    return found


def _repeats(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str]) -> int:
    """Prints the figures; the exit code is 1 if there are none."""
    parser = Parser(
        prog="speedcopy bench",
        usage="%(prog)s [DIR] [--sizes SIZES] [--repeats N] [--json]",
        description="Copy files of some sizes in DIR (or here) to new ones, by speedcopy and by "
        "shutil.copyfile in turn, and print the medians. All of it is removed.",
    )
    add = parser.add_argument
    add("operands", nargs="*", metavar="DIR", help="where copies are made")
    add("--sizes", type=_sizes, default="4K,1M,32M", help="such as 4K,1M,32M (the default)")
    add("--repeats", type=_repeats, default=7, metavar="N", help="copies of each size (default: 7)")
    add("--json", action="store_true", help="print an object for each size")
    options = parser.parse(arguments)
    directory, *extra = options.operands or ["."]
    if extra:
        parser.error(f"extra operand {quoted(extra[0])}")
    if not options.json:
        _print(_HEAD)
    try:
        for figures in _measure(directory, options.sizes, options.repeats):
            _print(json.dumps(figures) if options.json else _row(figures))
    except OSError as error:
        sys.stderr.write(f"{parser.prog}: cannot use {quoted(directory)}: {reason(error)}\n")
        return 1
    return 0


def _measure(directory: str, sizes: list[int], repeats: int) -> Iterator[dict[str, Any]]:
    """The figures for each size."""
    for size in sizes:
        with Scratch() as scratch:
            src = scratch.new(directory)
            with open(src, "xb") as new:
                block = os.urandom(min(size, 1 << 20))
                new.writelines(block[: size - begin] for begin in range(0, size, len(block)))
                new.flush()
                os.fsync(new.fileno())
            # One copy beforehand says the mechanism and warms up.
            told = speedcopy.transfer(src, scratch.new(directory))
            seconds: dict[Any, list[float]] = {speedcopy.copyfile: [], stdlib_copyfile: []}
            for turn in range(repeats):
                for copy in list(seconds)[:: 1 if turn % 2 else -1]:
                    seconds[copy].append(_timed(copy, src, scratch.new(directory)))
        ours, theirs = (statistics.median(each) for each in seconds.values())
        yield {
            "size": size,
            "speedcopy": ours,
            "shutil": theirs,
            "ratio": theirs / ours,
            "mechanism": told.mechanism,
        }


def _timed(copy: Callable[[str, str], object], src: str, dst: str) -> float:
    """Seconds of a copy to a new file, which is removed."""
    started = time.perf_counter()
    copy(src, dst)
    taken = time.perf_counter() - started
    os.unlink(dst)
    return taken


def _row(figures: dict[str, Any]) -> str:
    size, unit = figures["size"], "B"
    for larger in ("KiB", "MiB", "GiB"):
        if size >= 1024:  # noqa: PLR2004
            size, unit = size / 1024, larger
    ours, theirs = (f"{figures[name] * 1000:.2f} ms" for name in ("speedcopy", "shutil"))
    ratio = f"{figures['ratio']:.3g}x"
    return f"{size:>3.3g} {unit:>3}  {ours:>10}  {theirs:>10}  {ratio:>6}  {figures['mechanism']}"


def _print(line: str) -> None:
    """Prints a line at once, cut where a terminal ends."""
    width = shutil.get_terminal_size().columns - 1 if sys.stdout.isatty() else None
    sys.stdout.write(f"{line[:width]}\n")
    sys.stdout.flush()
