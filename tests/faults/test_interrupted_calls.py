"""Signals in each system call: the call is made again, or Ctrl-C is raised at once."""

from __future__ import annotations

import errno
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Optional

import pytest
from faults.files import LARGE, LENGTHS, PATIENCE, SMALL, STORM, Files
from faults.mechanisms import (
    FASTEST,
    FICLONE,
    MOVED_BY,
    READ_WRITE,
    ROWS,
    Kind,
    declined_before,
    reaching,
    require,
)
from support.interpose import Rule, Worker, fail, on_disk, signalled
from support.sizes import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

require(READ_WRITE)


@pytest.mark.parametrize("number", [0, getattr(signal, "SIGUSR1", 0)], ids=["bare", "signal"])
@pytest.mark.parametrize(
    ("call", "mechanism", "where"),
    [
        *((call, FASTEST, where) for call in ("open", "stat", "fstat") for where in ("src", "dst")),
        *((call, mechanism, "") for call, mechanism in MOVED_BY.items()),
    ],
)
def test_interrupted(
    worker: Worker, folder: Path, call: str, mechanism: str, where: str, number: int
) -> None:
    """A call that a signal interrupts is made again, by the same mechanism."""
    how = ("signal", number) if number else ("fail", errno.EINTR)
    storm = Rule(call, *how, times=STORM, where=where)
    answered = (storm, Rule(call, "serve")) if ROWS[mechanism].kind is Kind.WHOLE_FILE else (storm,)
    result = Files.make(folder, LARGE, "longer").copied(worker, *answered, *reaching(mechanism))
    assert result.mechanism == mechanism
    assert result.declined == declined_before(mechanism)
    assert result.calls.count(call) > STORM


@pytest.mark.parametrize("length", LENGTHS)
def test_interrupted_close(worker: Worker, folder: Path, length: str) -> None:
    """Nobody knows what an interrupted close has written, so the copy fails, as shutil's does."""
    closed = fail("close", errno.EINTR, where="dst", times=1)
    Files.make(folder, SMALL, length).failed(worker, (closed,), errno.EINTR, 0)


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_interrupted_undo(worker: Worker, folder: Path, code: str) -> None:
    """What this copy has created is removed, whatever interrupts that."""
    files = Files.make(folder, SMALL)
    full = fail("write", getattr(errno, code))
    storm = fail("stat", errno.EINTR, times=STORM, where="dst")
    files.failed(worker, (full, storm, *reaching(READ_WRITE)), getattr(errno, code))


@pytest.mark.parametrize("call", [call for call in MOVED_BY if not ROWS[MOVED_BY[call]].smb])
@pytest.mark.parametrize("round_", [0, 1], ids=["first round", "second round"])
@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
def test_interrupted_call(
    worker: Worker, folder: Path, call: str, round_: int, old: Optional[bytes]
) -> None:
    """Ctrl-C in a call that it interrupts is raised at once, and not taken for a refusal."""
    files = Files.make(folder, 3 * MIB)._replace(old=old)
    files.reset()
    mechanism = MOVED_BY[call]
    number = 0 if ROWS[mechanism].kind is Kind.WHOLE_FILE else round_
    rules = (signalled(call, signal.SIGINT, skip=number), *reaching(mechanism), *on_disk())
    result = worker.copy(files.src, files.dst, *rules)
    files.stopped(result, MIB * (number > 0))
    assert result.calls.count(call) == number + 1
    files.copied(worker)  # nothing is left over for the next one


@pytest.mark.parametrize("size", [0, 10_007])
@pytest.mark.parametrize("cloning", ["copied", *(["cloned"] if FICLONE in ROWS else [])])
@pytest.mark.parametrize(
    ("where", "number", "old"),
    [
        *(("src", 0, None), ("src", 0, b"old")),
        *(("dst", 0, None), ("dst", 0, b"old"), ("dst", 1, b"old")),
    ],
)
def test_interrupted_open(
    worker: Worker,
    folder: Path,
    where: str,
    number: int,
    old: Optional[bytes],
    size: int,
    cloning: str,
) -> None:
    """Ctrl-C while a file is being opened is not forgotten, however well the rest would go."""
    files = Files.make(folder, size)._replace(old=old)
    files.reset()
    clone = (Rule(FICLONE, "serve"),) if cloning == "cloned" else ()
    rules = (signalled("open", signal.SIGINT, skip=number, where=where), *clone, *on_disk())
    files.stopped(worker.copy(files.src, files.dst, *rules))


@pytest.mark.parametrize("call", ["fstat", "stat"])
def test_interrupted_look(worker: Worker, folder: Path, call: str) -> None:
    """Ctrl-C while a file is being looked at leaves no new dst either."""
    files = Files.make(folder, SMALL)
    where = "dst" if call == "fstat" else "src"
    rules = (signalled(call, signal.SIGINT, where=where), *on_disk())
    files.stopped(worker.copy(files.src, files.dst, *rules))


#: Holds a lease, as Samba and the NFS server do, and gives it back after so many seconds.
HOLDER = """
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
def give_back(number, frame):
    os.write(1, b"asked\\n")
    time.sleep(float(sys.argv[2]))
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.write(1, b"given back\\n")
signal.signal(signal.SIGIO, give_back)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
os.write(1, b"held\\n")
time.sleep(60)
"""


@contextmanager
def lease(path: Path, seconds: float) -> Iterator[IO[bytes]]:
    """Another process's lease of a file, and what that process says; skips where there is none."""
    with subprocess.Popen(
        (sys.executable, "-c", HOLDER, str(path), str(seconds)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as holder:
        assert holder.stdout
        try:
            if holder.stdout.readline() != b"held\n":
                pytest.skip("no leases here")
            yield holder.stdout
        finally:
            holder.kill()


@pytest.mark.parametrize("name", ["src", "dst"])
def test_waits(worker: Worker, folder: Path, name: str) -> None:
    """The copy waits until a lease has been given back, as the standard library does."""
    files = Files.make(folder, SMALL, "longer")
    with lease(folder / name, 0.2) as said:
        files.copied(worker)
        assert [said.readline(), said.readline()] == [b"asked\n", b"given back\n"]


@pytest.mark.parametrize("name", ["src", "dst"])
def test_waiting_for_a_lease(worker: Worker, folder: Path, name: str) -> None:
    """Ctrl-C ends the wait for a lease that somebody does not give back."""
    files = Files.make(folder, 3 * MIB, "shorter")
    with lease(folder / name, 60) as said:
        worker.start_copy(files.src, files.dst)
        worker.wait_until(lambda: bool(select.select([said], [], [], 0)[0]))
        time.sleep(0.1)
        pressed = time.monotonic()
        worker.signal(signal.SIGINT)
        result = worker.result()
    files.stopped(result)
    assert worker.ended - pressed < PATIENCE
