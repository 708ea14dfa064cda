"""Cuts the power at every moment of a copy and afterwards, and counts what is left of dst.

Beside speedcopy's copies are those of shutil and of cp, made in the same way. As root, with
/dev/fuse, in a quarter of an hour or more:

    python3 tools/dev.py python tests/faults/power_cuts.py

``--seed N`` varies the moments and the order of the writes, ``--cuts 10000`` takes every moment.
``--only ext4`` leaves the other file systems out, ``--tool "in place"`` adds what must not be done.
The exit code says whether a copy of ours broke the promise (remains.BROKEN), or left zeros where
neither shutil nor cp does. test_power_cuts.py takes a sample.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults.logged_disk import Replay, duplicate, logged
from faults.remains import Row, Table, broken, classify, contents, format_table
from support.filesystems import mount_privately, run, unmount
from support.layout import pattern
from support.sizes import KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

#: linux/btrfs.h
START_SYNC, WAIT_SYNC = 0x80089418, 0x40089416

SYNC_FILE_RANGE_WRITE = 2


class System(NamedTuple):
    """A file system that is under test: how it is made, and how mounted."""

    make: tuple[str, ...]
    options: str


_AT_ONCE = "lazy_itable_init=0,lazy_journal_init=0"

#: The commit intervals are short so that a test need not wait. XFS has no such option.
SYSTEMS = {
    "ext4": System(("mkfs.ext4", "-q", "-F", "-E", _AT_ONCE), "loop,commit=1"),
    "xfs": System(("mkfs.xfs", "-q", "-m", "reflink=1"), "loop,nouuid"),
    "btrfs": System(("mkfs.btrfs", "-q"), "loop,commit=1"),
}


def copy_in_place(src: Path, dst: Path) -> None:
    """Overwrites dst without emptying it first."""
    with src.open("rb") as new, open(os.open(dst, os.O_WRONLY | os.O_CREAT, 0o666), "wb") as old:
        shutil.copyfileobj(new, old)
        old.truncate()


def _copy_by_cp(src: Path, dst: Path) -> None:
    subprocess.run(["cp", src, dst], check=True)


def _copy_without_clones(src: Path, dst: Path) -> None:
    speedcopy.transfer(src, dst, reflink="never")


TOOLS: dict[str, Callable[[Path, Path], Any]] = {
    "speedcopy": speedcopy.copyfile,
    "speedcopy, never": _copy_without_clones,
    "shutil": shutil.copyfile,
    "cp": _copy_by_cp,
}

#: These show that the tests see what must not be done.
CONTROLS = {"in place": copy_in_place}


@dataclass
class Copy:
    """One of the copies that are made on a disk, and the records of the log when it began."""

    name: str
    size: int
    before: Optional[int]
    begun: int = 0

    @property
    def new(self) -> bytes:
        """The bytes of src."""
        return pattern(self.size, "src")

    @property
    def old(self) -> Optional[bytes]:
        """The bytes of dst before."""
        return None if self.before is None else pattern(self.before, self.name)


def copies(large: int) -> list[Copy]:
    """A small and a large src to every kind of dst."""
    return [
        Copy(f"{label} {state}", size, before)
        for label, size in (("4 KiB", 4 * KIB), (f"{large // MIB} MiB", large))
        for state, before in (
            ("new", None),
            ("over shorter", size // 4),
            ("over equal", size),
            ("over longer", size + size // 2),
        )
    ]


def sync(folder: Path) -> None:
    """Writes everything back, on this file system only."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        assert ctypes.CDLL(None).syncfs(fd) == 0
    finally:
        os.close(fd)


def commit(folder: Path) -> None:
    """Has the journal committed, as any program may at any time, and no data written back."""
    import fcntl

    with (folder / "other").open("ab") as other:
        other.write(b"x")
        other.flush()
        try:  # fsync of one file of btrfs commits nothing else
            started = fcntl.ioctl(other, START_SYNC, bytes(8))
            fcntl.ioctl(other, WAIT_SYNC, started)
        except OSError:
            os.fsync(other.fileno())


def write_back(path: Path, chance: random.Random) -> None:
    """Writes a part of a file back, as the kernel may at any time."""
    write = ctypes.CDLL(None).sync_file_range
    write.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    part, length = chance.random(), chance.choice((4 * KIB, 256 * KIB, 0))
    with suppress(FileNotFoundError), path.open("rb") as opened:
        start = int(part * os.fstat(opened.fileno()).st_size)
        write(opened.fileno(), start, length, SYNC_FILE_RANGE_WRITE)


@contextmanager
def commits_beside(folder: Path) -> Iterator[None]:
    """Has the journal committed again and again while something else goes on."""
    ended = threading.Event()

    def commit_until_ended() -> None:
        while not ended.wait(0.002):
            commit(folder)

    thread = threading.Thread(target=commit_until_ended)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


class Plan(NamedTuple):
    """What happens beside the copies, and how long the kernel has afterwards."""

    busy: bool
    seconds: float


#: The kernel writes back by itself after 30 s or a little more.
PLANS = (Plan(busy=True, seconds=0), Plan(busy=False, seconds=1.2), Plan(busy=False, seconds=37))


def make_copies(
    folder: Path, made: list[Copy], tool: str, plan: Plan, chance: random.Random
) -> Iterator[Copy]:
    """Makes the copies in any order, yields each before it begins, and lets time pass."""
    for one in chance.sample(made, len(made)):
        yield one
        beside = plan.busy and chance.random() < 0.5
        with commits_beside(folder) if beside else nullcontext():
            {**TOOLS, **CONTROLS}[tool](folder / f"src {one.size}", folder / one.name)
        for _ in range(chance.randrange(3)):
            time.sleep(chance.choice((0, 0.01, 0.1)))
            if plan.busy:
                disturb(folder, made, chance)
    time.sleep(plan.seconds)
    for _ in range(20 if plan.busy else 0):
        disturb(folder, made, chance)


def disturb(folder: Path, made: list[Copy], chance: random.Random) -> None:
    """What the rest of the machine may do after a copy: part of it is written, or a commit."""
    if chance.random() < 0.5:
        write_back(folder / chance.choice(made).name, chance)
    else:
        commit(folder)


@contextmanager
def mounted_image(name: str, device: Path, folder: Path) -> Iterator[Path]:
    """A mounted disk, for a ``with`` block."""
    run("mount", "-o", SYSTEMS[name].options, str(device), str(folder))
    try:
        yield folder
    finally:
        unmount(folder)


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder in memory, gone afterwards: the host's disk would take long to flush."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        run("mount", "-t", "tmpfs", "none", name)
        stack.callback(unmount, folder)
        yield folder


class Image(NamedTuple):
    """A file with a file system in it."""

    system: str
    path: Path


@contextmanager
def prepared(name: str, large: int) -> Iterator[Image]:
    """An image of a file system with the files of :func:`copies`, in a folder of its own.

    Raises UnavailableError.
    """
    with workshop() as folder:
        before, inside = folder / "before", folder / "mounted"
        inside.mkdir()
        with before.open("wb") as new:
            new.truncate(320 * MIB)
        run(*SYSTEMS[name].make, str(before))
        with mounted_image(name, before, inside):
            for one in copies(large):
                (inside / f"src {one.size}").write_bytes(one.new)
                if one.old is not None:
                    (inside / one.name).write_bytes(one.old)
        yield Image(name, before)


class Run(NamedTuple):
    """Whose copies are cut off, with what beside them, and how often."""

    tool: str
    plan: Plan
    large: int
    most: int
    seed: str


def count_cuts(before: Image, wanted: Run, table: Table) -> None:
    """Has one tool make its copies, cuts the power at many moments, and counts what was left.

    Raises UnavailableError.
    """
    chance = random.Random(wanted.seed)  # noqa: S311
    made = copies(wanted.large)
    system, folder = before.system, before.path.parent
    start, image, inside = folder / "start", folder / "image", folder / "mounted"
    for path in start, image:
        duplicate(before.path, path)
    with logged(image, folder) as disk, mounted_image(system, disk.device, inside):
        for one in make_copies(inside, made, wanted.tool, wanted.plan, chance):
            one.begun = disk.position()
        sync(inside)
    with closing(Replay(start, disk.log)) as replay:
        for one in made:
            one.begun = replay.count(one.begun)
        for count, lose in moments(replay, min(one.begun for one in made), wanted.most, chance):
            replay.cut(count, image, lose)
            with mounted_image(system, image, inside):
                for one in made:
                    if one.begun <= count:
                        left = classify(contents(inside / one.name), one.old, one.new)
                        table[Row(system, one.name, wanted.tool)][left] += 1


def moments(
    replay: Replay, first: int, most: int, chance: random.Random
) -> list[tuple[int, Optional[random.Random]]]:
    """When to cut the power: after so many records, and with what chance for those not flushed."""
    counts = range(first, len(replay.records) + 1)
    every = [(count, lose) for count in counts for lose in (None, chance)]
    return sorted(chance.sample(every, min(most, len(every))), key=lambda one: one[0])


def main(arguments: list[str]) -> int:
    """Prints the table; the exit code says whether the promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cuts", type=int, default=300, help="at most so many of each log")
    parser.add_argument("--only", action="append", choices=SYSTEMS, help="this file system")
    parser.add_argument("--tool", action="append", choices=(*TOOLS, *CONTROLS), help="this tool")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    mount_privately()
    table: Table = defaultdict(Counter)
    try:
        for name in options.only or SYSTEMS:
            with prepared(name, 8 * MIB) as before:
                for (number, plan), tool in product(enumerate(PLANS), options.tool or TOOLS):
                    started = time.monotonic()
                    seed = f"{options.seed} {number}"
                    count_cuts(before, Run(tool, plan, 8 * MIB, options.cuts, seed), table)
                    took = time.monotonic() - started
                    print(f"{name}, {tool}, plan {number}: {took:.0f} s", file=sys.stderr)  # noqa: T201
    finally:
        print(format_table(table))  # noqa: T201
    return 1 if broken(table) or more_zeros(table) else 0


def more_zeros(table: Table) -> list[str]:
    """The file systems where only copies of ours are left full of zeros."""
    seen = {
        ours: {
            row.place for row, counts in table.items() if counts["zeros"] and row.is_ours == ours
        }
        for ours in (True, False)
    }
    return sorted(seen[True] - seen[False])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
