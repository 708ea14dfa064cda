"""A copy by each tool, new and over an existing file: ``pytest tests/benchmarks``.

They inform and gate nothing: the default run leaves this folder out. The files go where pytest's
temporary files go, or into the directory given with --target.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any, Callable

import pytest
from bench import copiers, floor
from bench.errors import BenchmarkError
from bench.scratch import write_source
from common.errors import ToolError

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"0 B": 0, "4 KiB": 4 << 10, "1 MiB": 1 << 20, "32 MiB": 32 << 20}
ROUNDS = {"0 B": 300, "4 KiB": 300, "1 MiB": 50, "32 MiB": 9}
FLOOR_ROUNDS = 15
PEERS = ("cp", "reflink-copy", "speedcopy==2.2.1")
TOOLS = ("speedcopy", "shutil", *PEERS)
MODES = ("new", "over")

Copy = Callable[[str, str], object]


class FloorClock:
    """A clock that only moves while the C program copies, by what that program measured.

    A program that copies once and ends is never warm: a round is many copies, and counts as one
    of their average length.
    """

    def __init__(self) -> None:
        """Start at zero seconds."""
        self.seconds = 0.0
        self.copies = 1
        self.program: floor.Floor | None = None

    def __call__(self) -> float:
        """The time, for pytest-benchmark."""
        return self.seconds

    def copy(self, src: str, dst: str) -> None:
        """Copy to ``dst`` many times: over it if it is there, else new every time."""
        assert self.program is not None
        dsts = [dst] * self.copies
        new = not os.path.exists(dst)
        self.seconds += self.program.nanoseconds(src, dsts, unlink=new) / 1e9
        if new:
            self.program.nanoseconds(src, [dst])


CLOCK = FloorClock()


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is built or fetched goes here, not where it is measured."""
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="module", params=TOOLS)
def tool(request: pytest.FixtureRequest, apart: Path) -> copiers.Copier:
    """Each tool that is here, or can be fetched."""
    named = {"speedcopy": copiers.ours, "shutil": copiers.standard_library}
    try:
        found = named.get(request.param)
        return found() if found else copiers.peer(request.param, apart)
    except BenchmarkError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def program(apart: Path) -> floor.Floor:
    """The C program."""
    try:
        return floor.build(apart)
    except ToolError as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
def test_copy(benchmark: Any, folder: Path, tool: copiers.Copier, mode: str, size: str) -> None:
    """Time a copy by each tool."""
    if mode == "over" and tool.name == "reflink-copy":
        pytest.skip("reflink-copy does not replace a file")
    measure(benchmark, folder, tool.copy, mode, size, ROUNDS[size])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.benchmark(timer=CLOCK)
def test_floor(benchmark: Any, folder: Path, program: floor.Floor, mode: str, size: str) -> None:
    """Time a copy by the C program."""
    CLOCK.program = program
    CLOCK.copies = ROUNDS[size]
    measure(benchmark, folder, CLOCK.copy, mode, size, FLOOR_ROUNDS)


def measure(benchmark: Any, folder: Path, copy: Copy, mode: str, size: str, rounds: int) -> None:
    """Time ``copy``, which makes a file whole or fails the test; removing files is free."""
    source, over = folder / "source", folder / "over"
    write_source(source, SIZES[size])
    write_source(over, SIZES[size])
    numbers = itertools.count()
    dst = over

    def fresh() -> tuple[tuple[str, str], dict[str, object]]:
        nonlocal dst
        if mode == "new":
            dst.unlink()
            dst = folder / f"new-{next(numbers):06}"
        return (str(source), str(dst)), {}

    benchmark.group = f"{size}, {mode}"
    benchmark.pedantic(copy, setup=fresh, rounds=rounds, warmup_rounds=1)
    assert dst.read_bytes() == source.read_bytes()
