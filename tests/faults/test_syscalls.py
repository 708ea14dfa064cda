"""How many system calls a copy costs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Optional

import pytest
from faults.mechanisms import MOVED_BY
from support.sizes import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = (MIB, 4096, 1, 0)

#: What makes the copies, in a process of its own; each stands between two marks.
SCRIPT = """
import os, sys
import speedcopy
os.chdir(sys.argv[1])
sizes = [int(size) for size in sys.argv[2:]]
for size in sizes:
    with open(f"src{size}", "wb") as src:
        src.write(b"x" * size)
here = os.getcwd()
speedcopy.copyfile(f"{here}/src{sizes[0]}", f"{here}/warm")
for size in sizes:
    for what in "new", "over":
        os.access(f"begin {what} {size}", os.F_OK)
        speedcopy.copyfile(f"{here}/src{size}", f"{here}/dst{size}")
        os.access("end", os.F_OK)
"""

#: The interpreter's own: memory, locks, signals, clocks.
NOT_OURS = re.compile(
    r"brk|mmap2?|munmap|mremap|madvise|mprotect|futex|rt_sig.*|sched_yield|getpid|gettid"
    r"|clock_gettime.*|gettimeofday|membarrier|rseq|getrandom"
)

LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|\?)")

#: Other names of the same thing, by architecture and C library.
KINDS = {
    "openat": "open",
    "stat64": "stat",
    "fstat64": "fstat",
    "ftruncate64": "ftruncate",
    "fstatfs64": "fstatfs",
    "sendfile64": "sendfile",
}


class Call(NamedTuple):
    """A system call as strace prints it."""

    name: str
    arguments: str
    result: str

    @property
    def kind(self) -> str:
        """What it is, whatever the architecture calls it; an ioctl by its request."""
        if self.name == "ioctl":
            return "FICLONE" if "FICLONE" in self.arguments else "ioctl"
        if self.name in ("newfstatat", "fstatat64", "statx"):
            return "fstat" if "AT_EMPTY_PATH" in self.arguments else "stat"
        return KINDS.get(self.name, self.name)


class Trace:
    """The system calls of one copy."""

    def __init__(self, calls: list[Call]) -> None:
        """Takes them in order."""
        self.calls = calls
        self.kinds = [call.kind for call in calls]

    def __repr__(self) -> str:
        """What a failed test prints."""
        return "".join(f"\n{call.name}({call.arguments}) = {call.result}" for call in self.calls)

    def count(self, *kinds: str) -> int:
        """How many calls are of these kinds."""
        return sum(kind in kinds for kind in self.kinds)


def can_trace() -> bool:
    """Whether strace is there and may trace."""
    try:
        return not subprocess.run(("strace", "-o", os.devnull, "true"), check=False).returncode
    except FileNotFoundError:
        return False


@pytest.fixture(scope="module")
def place(base: Optional[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on the file system under test."""
    made = tempfile.mkdtemp(prefix="speedcopy-", dir=base or tmp_path_factory.mktemp("target"))
    yield Path(made)
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def traces(place: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Trace]:
    """By what is copied over what, and size: the calls of a copy."""
    if not can_trace():
        pytest.skip("strace cannot trace here")
    pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
    log = tmp_path_factory.mktemp("strace") / "log"
    strace = ("strace", "-f", "-qq", "-s", "300", "-e", "signal=none", "-o", str(log))
    script = (sys.executable, "-c", SCRIPT, str(place), *map(str, SIZES))
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": path, "SPEEDCOPY_DEBUG": ""}
    subprocess.run((*strace, *script), check=True, env=environment)
    found: dict[tuple[str, int], list[Call]] = {}
    calls: list[Call] = []
    for line in log.read_text(errors="replace").splitlines():
        match = LINE.match(line)
        if not match:
            continue
        call = Call(*match.groups())
        begin = re.search(r'"begin (\w+) (\d+)"', call.arguments)
        if begin:
            calls = found[begin[1], int(begin[2])] = []
        elif '"end"' in call.arguments:
            calls = []
        elif not NOT_OURS.fullmatch(call.name):
            calls.append(call)
    return {key: Trace(calls) for key, calls in found.items()}


@pytest.fixture(params=SIZES)
def new(request: pytest.FixtureRequest, traces: dict[tuple[str, int], Trace]) -> Trace:
    """The calls of a copy to a new file."""
    return traces["new", request.param]


@pytest.fixture(params=SIZES)
def over(request: pytest.FixtureRequest, traces: dict[tuple[str, int], Trace]) -> Trace:
    """The calls of a copy over a file of the same size."""
    return traces["over", request.param]


def moves(trace: Trace, opening: list[str], place: Path) -> None:
    """Checks the order: look and open, then few calls that do nothing but move bytes, then close.

    A read that finds the end is one of them, and a look at src or dst after a whole file.
    """
    # what may be a share is asked for its kind, and has earlier errors of writing reported
    hints = {"ioctl", "fstatfs", "sync_file_range"} if os.major(place.stat().st_dev) == 0 else set()
    kinds = [kind for kind in trace.kinds if kind not in hints]
    assert kinds[: len(opening)] == opening, trace
    assert kinds[-2:] == ["close", "close"], trace
    middle = kinds[len(opening) : -2]
    moving = {"ioctl", *MOVED_BY}
    assert set(middle) <= moving | {"fstat"}, trace
    for kind in ("FICLONE", "fstat"):
        assert middle.count(kind) <= 1, trace
    for kind in hints:
        assert trace.kinds.count(kind) <= 1, trace
    # what moved the bytes, and what declined before it
    worked = [call for call in trace.calls if call.kind in moving and call.result != "-1"]
    assert sum(call.kind not in ("FICLONE", "read", "write") for call in worked) <= 1, trace
    assert trace.count("read", "write") <= 3, trace
    assert len(middle) <= 5, trace


def test_new(new: Trace, place: Path) -> None:
    """To a new file: look at src, open and look at both, a clone probe, the copy, close, close."""
    moves(new, ["stat", "open", "fstat", "open", "fstat"], place)


def test_over(over: Trace, place: Path) -> None:
    """Over a file: a look at dst and an open more."""
    moves(over, ["stat", "open", "fstat", "open", "stat", "open", "fstat"], place)


@pytest.mark.parametrize("what", ["new", "over"])
@pytest.mark.parametrize("size", SIZES)
def test_expensive_calls(traces: dict[tuple[str, int], Trace], what: str, size: int) -> None:
    """Nothing that makes a server or a disk work for no gain."""
    trace = traces[what, size]
    assert trace.calls, trace
    emptied = [call for call in trace.calls if "O_TRUNC" in call.arguments]
    assert len(emptied) == (what == "over"), trace
    unwanted = {"fsync", "fdatasync", "fallocate", "ftruncate", "fchmod", "uname", "getcwd"}
    assert not (unwanted | {"lseek"}) & set(trace.kinds), trace
    assert all("O_CLOEXEC" in call.arguments for call in trace.calls if call.kind == "open"), trace


def test_created_exclusively(traces: dict[tuple[str, int], Trace]) -> None:
    """A file that appears in the meantime is looked at before it is written to."""
    for (_what, size), trace in traces.items():
        opened = [call for call in trace.calls if f'/dst{size}"' in call.arguments]
        assert "O_CREAT|O_EXCL" in opened[0].arguments, trace


def test_empty_file_is_not_cloned(traces: dict[tuple[str, int], Trace]) -> None:
    """Of an empty src it is asked once whether it really is."""
    for what in ("new", "over"):
        trace = traces[what, 0]
        assert trace.count("read") == 1, trace
        assert not ({"ioctl", *MOVED_BY} - {"read"}) & set(trace.kinds)
