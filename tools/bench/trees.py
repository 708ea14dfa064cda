"""``measure.py trees``: speedcopy against shutil.copytree, cp and a C program."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import statistics
import sys
import tempfile
import time
from argparse import Namespace
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.programs import output

from bench import arguments, report, requests
from bench.floor import build
from bench.scratch import scratch

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterator

DESCRIPTION = """\
Copy a tree in PATH with speedcopy, shutil, cp and a C program that makes only the necessary calls.

Tools take turns, the next round beginning with another one. Figures are medians of the rounds, per
file: wall time, CPU time of all threads, and on SMB and NFS the requests to the server. With
--fresh each copy is made on a new file system of this kind, in an image file in PATH (as root): a
file system that has deleted files is slower for a while. --calls counts system calls instead.
"""
OURS, SINGLE, SHUTIL = "speedcopy", "speedcopy, 1 worker", "shutil.copytree"
TIMES, DATA = "speedcopy, times", "speedcopy, data and mode"
CP, CP_ALL, FLOOR, FLOORS = "cp -r", "cp -a", "floor (C)", "floor (C), 2 threads"

#: Copies argv[2] to argv[3] and prints seconds of wall and of CPU time. A first copy of an empty
#: tree imports what is needed.
SCRIPT = """
import json, os, shutil, sys, tempfile, time
import speedcopy
how = json.loads(sys.argv[1])
module = sys.modules[how.pop("module")]
copytree = module.copytree
if "copy_function" in how:
    how["copy_function"] = getattr(module, how["copy_function"])
with tempfile.TemporaryDirectory() as empty:
    os.mkdir(empty + "/src")
    copytree(empty + "/src", empty + "/dst", **how)
wall, cpu = time.perf_counter(), time.process_time()
copytree(sys.argv[2], sys.argv[3], **how)
print(time.perf_counter() - wall, time.process_time() - cpu)
"""

#: How a new file system of a kind is made.
MAKERS = {
    "ext4": ("mkfs.ext4", "-q", "-F"),
    "xfs": ("mkfs.xfs", "-q", "-f", "-m", "reflink=1"),
    "btrfs": ("mkfs.btrfs", "-q", "-f"),
}


class Cost(NamedTuple):
    """What one copy of the tree took: seconds, and requests of a file server."""

    wall: float
    cpu: float
    requests: int


@dataclass
class Tool:
    """A command that copies the tree, and what its copies took."""

    command: tuple[str, ...]
    in_python: bool = False
    costs: list[Cost] = field(default_factory=list)

    def per_file(self, what: str, files: int) -> float:
        """The median of a kind of cost."""
        return float(statistics.median(getattr(cost, what) for cost in self.costs)) / files

    def run(self, src: Path, dst: Path) -> Cost:
        """Copies ``src`` to ``dst``, which is not there."""
        before = requests.count(src)
        children, started = _cpu_of_children(), time.perf_counter()
        printed = output((*self.command, str(src), str(dst)))
        wall, cpu = time.perf_counter() - started, _cpu_of_children() - children
        if self.in_python:
            wall, cpu = map(float, printed.split())
        return Cost(wall, cpu, requests.count(src) - before)

    def calls(self, src: Path, dst: Path, log: Path) -> int:
        """Counts the system calls of a copy."""
        strace = ("strace", "-f", "-qq", "-o", str(log), *self.command, str(src), str(dst))
        output(strace)
        with log.open(errors="replace") as lines:
            return sum("(" in line and "resumed>" not in line for line in lines)


def _python(module: str, **how: object) -> Tool:
    return Tool(
        (sys.executable, "-c", SCRIPT, json.dumps({"module": module, **how})), in_python=True
    )


def tools(floor: Path, workers: int | None) -> dict[str, Tool]:
    """By name, ours first."""
    return {
        OURS: _python("speedcopy", workers=workers),
        TIMES: _python("speedcopy", workers=workers, metadata="times"),
        DATA: _python("speedcopy", workers=workers, copy_function="copy"),
        SINGLE: _python("speedcopy", workers=1),
        SHUTIL: _python("shutil"),
        CP: Tool(("cp", "-r")),
        CP_ALL: Tool(("cp", "-a")),
        FLOOR: Tool((str(floor),)),
        FLOORS: Tool((str(floor), "-t", "2")),
    }


def add_arguments(parser: ArgumentParser) -> None:
    """The arguments."""
    arguments.add_path(parser)
    add, positive = parser.add_argument, arguments.positive
    add("--files", type=positive, default=10_000, metavar="N", help="default: 10000")
    add("--size", type=int, default=4096, metavar="BYTES", help="of each file: 4096")
    add("--directories", type=positive, default=1, metavar="N", help="over so many: 1")
    add("--rounds", type=positive, default=3, metavar="N", help="copies by each tool: 3")
    add("--workers", type=positive, metavar="N", help="of speedcopy; default: its own choice")
    add("--only", action="append", metavar="TOOL", help="leave out the other tools")
    add("--fresh", choices=(*MAKERS, "tmpfs"), help="a new file system for each copy")
    add("--calls", action="store_true", help="count system calls (strace), one round")


def write_tree(folder: Path, options: Namespace) -> None:
    """Makes the tree that is copied."""
    data = os.urandom(options.size)
    for number in range(options.directories):
        (folder / f"{number:04}").mkdir(parents=True)
    for number in range(options.files):
        place = folder / f"{number % options.directories:04}" / f"frame.{number:06}.exr"
        place.write_bytes(data)
    os.sync()


@contextlib.contextmanager
def place(options: Namespace, folder: Path) -> Iterator[Path]:
    """Where a copy is made: ``folder``, or a new file system mounted in it."""
    if not options.fresh:
        yield folder
        return
    image, mounted = folder / "image", folder / "mounted"
    mounted.mkdir(exist_ok=True)
    size = 3 * options.files * (options.size + 8192) + (512 << 20)
    how = ["-t", "tmpfs", "-o", f"size={size}", "none"]
    if options.fresh != "tmpfs":
        with image.open("wb") as file:
            file.truncate(size)
        output((*MAKERS[options.fresh], str(image)))
        how = ["-o", "loop", str(image)]
    output(("mount", *how, str(mounted)))
    try:
        yield mounted
    finally:
        output(("umount", str(mounted)))
        image.unlink(missing_ok=True)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(options: Namespace) -> None:
    """Measures and prints."""
    folder = arguments.directory(options.path)
    with scratch(Path(tempfile.gettempdir())) as apart, scratch(folder) as made:
        found = tools(build(apart, "trees").program, options.workers)
        if options.only:
            found = {name: tool for name, tool in found.items() if name in options.only}
        if options.calls:
            _print_calls(options, found, made, apart)
            return
        for number in range(options.rounds):
            names = list(found)
            turn = number % len(names)
            for name in (*names[turn:], *names[:turn]):
                _copy(options, found[name], made)
    print(table(found, options.files))


def _copy(options: Namespace, tool: Tool, folder: Path) -> None:
    with place(options, folder) as at:
        src, dst = at / "src", at / "dst"
        if not src.exists():
            write_tree(src, options)
        tool.costs.append(tool.run(src, dst))
        if not options.fresh:
            shutil.rmtree(dst)


def _print_calls(options: Namespace, found: dict[str, Tool], folder: Path, apart: Path) -> None:
    empty = Namespace(**{**vars(options), "files": 0})
    write_tree(folder / "empty", empty)
    write_tree(folder / "src", options)
    rows = []
    for name, tool in found.items():
        without = tool.calls(folder / "empty", folder / "none", apart / "log")
        calls = tool.calls(folder / "src", folder / "dst", apart / "log")
        rows.append([name, f"{(calls - without) / options.files:.2f}"])
        shutil.rmtree(folder / "none")
        shutil.rmtree(folder / "dst")
    print(report.markdown(["", "system calls a file"], rows, ("left", "right")))


def table(found: dict[str, Tool], files: int) -> str:
    """The figures, and each as a multiple of ours."""
    headers = ["", "wall (us)", "CPU (us)", "requests", "wall / ours", "CPU / ours", "CPU / floor"]
    ours = found.get(OURS) or next(iter(found.values()))
    floor = found.get(FLOOR)
    rows = []
    for name, tool in found.items():
        wall, cpu = tool.per_file("wall", files), tool.per_file("cpu", files)
        asked = tool.per_file("requests", files)
        rows.append(
            [
                *(name, f"{wall * 1e6:.1f}", f"{cpu * 1e6:.1f}", f"{asked:.2f}" if asked else "-"),
                f"{wall / ours.per_file('wall', files):.2f}",
                f"{cpu / ours.per_file('cpu', files):.2f}",
                f"{cpu / floor.per_file('cpu', files):.2f}" if floor else "-",
            ]
        )
    return report.markdown(headers, rows, ("left", *["right"] * 6))
