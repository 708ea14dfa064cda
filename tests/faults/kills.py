"""Kills copies at random moments, by every mechanism, and counts what is left of dst.

Beside speedcopy's copies are those of shutil and of cp. As root, in some minutes:

    python3 tools/dev.py python tests/faults/kills.py --kills 40

``--seed N`` varies the moments. The exit code says whether a copy of ours left anything but the
old file, the new one or the beginning of the new one. test_kills.py takes a sample.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import platform
import random
import select
import shutil
import signal
import struct
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, NamedTuple, Optional

sys.path.insert(0, str(Path(__file__).parents[1]))
from faults.mechanisms import ROWS, Kind, before
from faults.power_cuts import SYSTEMS, copy_in_place, mounted_image, workshop
from faults.remains import Row, Table, classify, contents, format_table
from support.filesystems import CLONING, UnavailableError, mount_privately, run
from support.layout import pattern
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 4096

#: What a killed copy of ours may leave. All but "new" and "old" are shorter than src.
KEPT = {"old", "new", "empty", "short"}

#: By machine: the system calls that a child may be refused. linux/audit.h, asm/unistd.h
CALLS = {
    "x86_64": {"FICLONE": 16, "copy_file_range": 326, "sendfile": 40},
    "aarch64": {"FICLONE": 29, "copy_file_range": 285, "sendfile": 71},
}
UNAVAILABLE = "UnavailableError: "
FICLONE, FICLONERANGE = 0x40049409, 0x4020940D


class Way(NamedTuple):
    """How the bytes are moved, and on what file systems.

    Where clones are allowed, all of the file systems make them, or none does.
    """

    mechanism: str
    reflink: str
    places: tuple[str, ...]

    @property
    def shares(self) -> bool:
        """Whether dst shares the extents of src."""
        row = ROWS[self.mechanism]
        return row.shares and self.reflink != "never" and self.places[0] in CLONING

    @property
    def refused(self) -> tuple[str, ...]:
        """The calls of faster mechanisms, which must be refused."""
        rows = before(self.mechanism)
        if self.reflink == "never":
            rows = [row for row in rows if not row.shares]
        if self.places[0] not in CLONING:
            rows = [row for row in rows if row.kind is not Kind.WHOLE_FILE]
        return tuple(row.call for row in rows)

    def __str__(self) -> str:
        """An id for pytest and for the table."""
        return f"{self.mechanism} {self.reflink}"


WAYS = (
    Way("FICLONE", "auto", ("btrfs", "xfs")),
    Way("FICLONE", "always", ("xfs", "btrfs")),
    Way("copy_file_range", "auto", ("ext4", "tmpfs")),
    Way("copy_file_range", "auto", ("btrfs", "xfs")),
    Way("sendfile", "never", ("ext4", "tmpfs", "btrfs", "xfs")),
    Way("read/write", "never", ("tmpfs", "btrfs")),
)
#: For a copy in place, which shows that the test sees what must not be done.
CONTROL = Way("read/write", "never", ("tmpfs",))
CASES = [(way, place) for way in WAYS if way.mechanism in ROWS for place in way.places]


def refuse(names: tuple[str, ...]) -> None:
    """Has the kernel answer ENOSYS from now on, as in a container: seccomp(2)."""
    if not names:
        return
    numbers = CALLS.get(platform.machine(), {})
    if not numbers.keys() >= set(names):
        msg = f"the numbers of this machine's system calls are not known here: {', '.join(names)}"
        raise UnavailableError(msg)
    load, equal, answer = 0x20, 0x15, 0x06
    allow, fail = 0x7FFF0000, 0x00050000 | errno.ENOSYS
    filters = []
    for name in names:
        filters.append((load, 0, 0, 0))
        if name == "FICLONE":
            filters.append((equal, 0, 3, numbers[name]))
            filters.append((load, 0, 0, 24))  # the lower half of the second argument
            filters.append((equal, 0, 1, FICLONE))
        else:
            filters.append((equal, 0, 1, numbers[name]))
        filters.append((answer, 0, 0, fail))
    filters.append((answer, 0, 0, allow))
    packed = b"".join(struct.pack("HBBI", *one) for one in filters)
    program = ctypes.create_string_buffer(packed)
    head = struct.pack("HxxxxxxP", len(filters), ctypes.addressof(program))
    libc = ctypes.CDLL(None)
    no_new_privileges, set_seccomp, mode_filter = 38, 22, 2
    libc.prctl(no_new_privileges, 1, 0, 0, 0)
    if libc.prctl(set_seccomp, mode_filter, head, 0, 0):
        msg = "no seccomp here"
        raise UnavailableError(msg)


def copier(way: Way, tool: str) -> Callable[[Path, Path], Optional[str]]:
    """Returns a function that copies and may say by what mechanism; it runs in a child."""

    def by_ours(src: Path, dst: Path) -> str:
        reflink: Any = way.reflink
        refuse(way.refused)
        return speedcopy.transfer(src, dst, reflink=reflink).mechanism

    def by_cp(src: Path, dst: Path) -> None:
        clone = "never" if way.reflink == "never" else "auto"
        refuse(way.refused)
        os.execlp("cp", "cp", f"--reflink={clone}", src, dst)  # noqa: S606

    def by_shutil(src: Path, dst: Path) -> None:
        refuse(way.refused)
        shutil.copyfile(src, dst)

    copiers = {"speedcopy": by_ours, "cp": by_cp, "shutil": by_shutil, "in place": copy_in_place}
    return copiers[tool]


def copy_in_child(
    copy: Callable[[Path, Path], Optional[str]], src: Path, dst: Path, seconds: float = 60
) -> str:
    """Copies in a child process, kills it after so many seconds, and returns what it said."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.set_inheritable(tell, True)  # noqa: FBT003 - cp closes it when it ends
            os.write(tell, (copy(src, dst) or "").encode())
        except Exception as error:  # noqa: BLE001
            os.write(tell, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(tell)
    with open(told, "rb") as pipe:
        select.select([pipe], [], [], seconds)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = pipe.read().decode()
    if said.startswith(UNAVAILABLE):
        raise UnavailableError(said[len(UNAVAILABLE) :])
    return said


def fragment(path: Path, size: int) -> None:
    """Makes a file of which no two blocks lie side by side, so that a clone takes long."""
    import fcntl

    donor = path.with_name("donor")
    donor.write_bytes(pattern(size, "src"))
    blocks = size // BLOCK
    with donor.open("rb") as src, path.open("wb") as dst:
        os.fsync(src.fileno())
        for index in range(blocks):
            part = (src.fileno(), index * 7919 % blocks * BLOCK, BLOCK, index * BLOCK)
            fcntl.ioctl(dst, FICLONERANGE, struct.pack("=qQQQ", *part))
        os.fsync(dst.fileno())


def make_src(folder: Path, way: Way) -> Path:
    """A file whose copy takes some hundredths of a second, made once."""
    src = folder / ("fragmented" if way.shares else "plain")
    if not src.exists():
        if way.shares:
            fragment(src, 16 * MIB)
        else:
            src.write_bytes(pattern(16 * MIB + 1001, "src"))
    return src


def lengths(size: int) -> dict[str, Optional[int]]:
    """How long dst is before, by the name of the case."""
    return {
        "new": None,
        "over shorter": size // 4,
        "over equal": size,
        "over longer": size + size // 2,
    }


@contextmanager
def place(name: str) -> Iterator[Path]:
    """A file system in memory. Raises UnavailableError."""
    with ExitStack() as stack:
        folder = stack.enter_context(workshop())
        if name == "tmpfs":
            yield folder
            return
        image, inside = folder / "image", folder / "mounted"
        inside.mkdir()
        with image.open("wb") as new:
            new.truncate(600 * MIB)
        run(*SYSTEMS[name].make, str(image))
        yield stack.enter_context(mounted_image(name, image, inside))


def count_kills(
    folder: Path, way: Way, tool: str, kills: int, chance: random.Random
) -> dict[str, Counter[str]]:
    """Kills so many copies over each kind of dst, and counts by the name of the case.

    Raises UnavailableError.
    """
    if way.mechanism not in ROWS:
        msg = "not a mechanism of this platform"
        raise UnavailableError(msg)
    src, dst = make_src(folder, way), folder / "dst"
    new, copy = src.read_bytes(), copier(way, tool)
    found: dict[str, Counter[str]] = {}
    for case, length in lengths(len(new)).items():
        old = None if length is None else pattern(length, "old")

        def reset(old: Optional[bytes] = old) -> None:
            dst.unlink(missing_ok=True)
            if old is not None:
                dst.write_bytes(old)

        reset()
        started = time.perf_counter()
        mechanism = copy_in_child(copy, src, dst)
        took = time.perf_counter() - started
        assert mechanism in {"", way.mechanism}
        assert contents(dst) == new
        found[case] = Counter()
        for _ in range(kills):
            reset()
            copy_in_child(copy, src, dst, chance.uniform(0, took))
            found[case][classify(contents(dst), old, new)] += 1
    dst.unlink(missing_ok=True)
    return found


def main(arguments: list[str]) -> int:
    """Prints the table; the exit code says whether the promise was kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="of each tool, for each kind of dst")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    mount_privately()
    table: Table = defaultdict(Counter)
    chance = random.Random(options.seed)  # noqa: S311
    try:
        for way, name in CASES:
            with place(name) as folder:
                for tool in ("speedcopy", "shutil", "cp"):
                    for case, counts in count_kills(
                        folder, way, tool, options.kills, chance
                    ).items():
                        table[Row(name, f"{way} {case}", tool)].update(counts)
            print(f"{way} on {name}: done", file=sys.stderr)  # noqa: T201
    finally:
        print(format_table(table))  # noqa: T201
    return 1 if any(row.is_ours and set(table[row]) - KEPT for row in table) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
