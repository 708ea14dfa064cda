"""Many copies at once, and Python running beside a long one."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from support.descriptors import descriptors
from support.layout import pattern
from support.python import importing
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 64


def in_threads(work: list[tuple[Path, Path]]) -> list[speedcopy.Transfer]:
    """Makes all the copies at the same time."""
    together = threading.Barrier(len(work))

    def copy(pair: tuple[Path, Path]) -> speedcopy.Transfer:
        together.wait()
        return speedcopy.transfer(*pair)

    with ThreadPoolExecutor(len(work)) as pool:
        return list(pool.map(copy, work))


@pytest.mark.parametrize("over", [False, True], ids=["new", "over"])
def test_distinct(over: bool, folder: Path) -> None:
    """64 files of different sizes at once are 64 right copies, and no descriptor is left."""
    sizes = [index * 3333 for index in range(THREADS)]
    for index, size in enumerate(sizes):
        (folder / f"src{index}").write_bytes(pattern(size, f"src{index}"))
        if over:
            (folder / f"dst{index}").write_bytes(pattern(100_001, "dst"))
    before = descriptors()
    told = in_threads([(folder / f"src{i}", folder / f"dst{i}") for i in range(THREADS)])
    assert descriptors() == before
    assert [one.copied for one in told] == sizes
    for index, size in enumerate(sizes):
        assert (folder / f"dst{index}").read_bytes() == pattern(size, f"src{index}")


def test_one_source(folder: Path) -> None:
    """One file copied 64 times at once."""
    size = 2 * MIB + 5
    (folder / "src").write_bytes(pattern(size))
    before = descriptors()
    in_threads([(folder / "src", folder / f"dst{index}") for index in range(THREADS)])
    assert descriptors() == before
    assert all((folder / f"dst{i}").read_bytes() == pattern(size) for i in range(THREADS))


def test_one_destination(folder: Path) -> None:
    """64 copies of one file to one name leave that file."""
    (folder / "src").write_bytes(pattern(MIB))
    in_threads([(folder / "src", folder / "dst")] * THREADS)
    assert (folder / "dst").read_bytes() == pattern(MIB)


def test_failures(folder: Path) -> None:
    """Each thread's errors have its own names, and nothing stays open."""
    (folder / "src").write_bytes(pattern(9))
    before = descriptors()

    def copy(index: int) -> object:
        src = folder / (f"missing{index}" if index % 2 else "src")
        try:
            return speedcopy.copyfile(src, folder / f"dst{index}")
        except FileNotFoundError as error:
            return error.filename

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(copy, range(200)))
    wanted = [folder / f"dst{i}" if i % 2 == 0 else str(folder / f"missing{i}") for i in range(200)]
    assert told == wanted
    assert descriptors() == before


def test_stopped(folder: Path) -> None:
    """An exception of a callback is raised in the thread of its copy and nowhere else."""
    (folder / "src").write_bytes(pattern(1000))

    def copy(index: int) -> str:
        def progress(_copied: int, _total: int) -> None:
            time.sleep(0.001)
            if index % 2:
                raise KeyError(index)

        try:
            speedcopy.copyfile(folder / "src", folder / f"dst{index}", progress=progress)
        except KeyError as error:
            return str(error)
        return "copied"

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(copy, range(100)))
    assert told == [str(index) if index % 2 else "copied" for index in range(100)]
    assert [(folder / f"dst{i}").exists() for i in range(100)] == [i % 2 == 0 for i in range(100)]


# Writing to a full terminal waits for a reader. Here that is a thread of the same Python: if the
# copy held the lock of Python, both would wait for ever.
BESIDE = """
import os, threading, tty, speedcopy
master, slave = os.openpty()
tty.setraw(slave)
copied = []
copy = lambda: copied.append(speedcopy.copyfile("src", os.ttyname(slave)))
thread = threading.Thread(target=copy)
thread.start()
got = b""
while len(got) < os.path.getsize("src"):
    got += os.read(master, 1 << 16)
thread.join()
with open("src", "rb") as src:
    assert got == src.read()
assert copied == [os.ttyname(slave)]
"""


def has_terminals() -> bool:
    """Whether a pseudo terminal can be made here: /dev/pts may not be mounted."""
    try:
        ends = os.openpty()
    except (AttributeError, OSError):
        return False
    for fd in ends:
        os.close(fd)
    return True


@pytest.mark.skipif(not has_terminals(), reason="no pseudo terminals here")
def test_python_runs_beside(folder: Path) -> None:
    """A copy lets the other threads of Python run."""
    (folder / "src").write_bytes(pattern(300_000))
    done = subprocess.run(
        [sys.executable, "-c", BESIDE],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_lock_stays_away() -> None:
    """A Python without the lock (GIL) does not get it back by the import, and prints nothing."""
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has the lock")
    code = "import speedcopy, sys; print(sys._is_gil_enabled())"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        env=importing(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("False", "")
