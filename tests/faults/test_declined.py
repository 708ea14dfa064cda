"""Each errno, short copy and empty success of each mechanism, and who goes on from there."""

from __future__ import annotations

import errno
import itertools
import os
import re
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from faults.files import LARGE, LENGTHS, SMALL, Files
from faults.mechanisms import (
    COPY_FILE_RANGE,
    COPYCHUNK,
    DECLINING,
    ENDING,
    FASTEST,
    FICLONE,
    MOVED_BY,
    MOVING,
    NO_DATA,
    PROGRESS,
    READ_WRITE,
    ROWS,
    SENDFILE,
    Answer,
    declined_before,
    following,
    reaching,
    require,
    runnable,
    some,
)
from support.interpose import (
    ROOT,
    Rule,
    Worker,
    fail,
    on_smb,
    short,
    signalled,
)
from support.layout import pattern as noise
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

require(READ_WRITE)

#: What a platform lacks that only reads and writes.
FASTER = "mechanism that can decline"


@pytest.mark.parametrize("mechanism", some((name for name in ROWS if name != READ_WRITE), FASTER))
def test_table_is_complete(mechanism: str) -> None:
    """Each errno that the sources name for a mechanism is tried."""
    native = ROOT / "speedcopy" / "native" / "posix"
    source = "".join(path.read_text() for path in sorted(native.glob(f"{sys.platform}*.c")))
    function = re.search(rf'{{"{mechanism}", (\w+),', source)
    assert function
    comments = re.findall(
        rf"/\*((?:(?!\*/).)*)\*/\s*static int64_t {function[1]}\(", source, re.DOTALL
    )
    assert len(comments) == 1
    named = set(re.findall(r"\bE[A-Z0-9]{2,}\b", comments[0]))
    tested = {row.answer for row in (*DECLINING, *ENDING) if row.mechanism == mechanism}
    assert named
    assert named <= tested
    assert NO_DATA in tested or "nothing copied" not in comments[0]


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("row", some(DECLINING, FASTER), ids=str)
def test_declined(worker: Worker, folder: Path, row: Answer, length: str) -> None:
    """A refusal, at any offset, is followed by the next mechanism from where it stood."""
    result = Files.make(folder, SMALL, length).copied(worker, *row.rules())
    assert result.mechanism == following(row.mechanism)
    expected = {**declined_before(row.mechanism), row.mechanism: row.answer}
    assert list(result.declined.items()) == list(expected.items())
    assert not set(ROWS[row.mechanism].smb) & set(result.calls)


@pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
@pytest.mark.parametrize("row", ENDING, ids=str)
def test_final(worker: Worker, folder: Path, row: Answer, length: str) -> None:
    """A full disk, and whatever read and write say, is the error of the copy."""
    assert row.code
    # what failed has written itself: dst must not stay a mixture
    left = {row.progress, 0} if row.call == "write" else {row.progress}
    files = Files.make(folder, SMALL, length)
    result = files.failed(worker, row.rules(), row.code, *left)
    assert row.mechanism == READ_WRITE or "write" not in result.calls


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mechanism", MOVING)
def test_final_in_a_later_round(worker: Worker, folder: Path, mechanism: str, length: str) -> None:
    """A disk that is full after some rounds leaves of an existing dst what was copied."""
    files = Files.make(folder, LARGE, length)
    full = fail(MOVING[mechanism], errno.ENOSPC, skip=1)
    files.failed(worker, (full, *reaching(mechanism)), errno.ENOSPC, MIB)


@pytest.mark.parametrize("mechanism", MOVING)
def test_short_copies(worker: Worker, folder: Path, mechanism: str) -> None:
    """A mechanism that moves less than it was asked to is asked again, not replaced."""
    cases = ((1, 1), (4097, 1), (SMALL, 511), (65_537, 4095), (LARGE, 65_535), (LARGE, MIB - 1))
    for (size, amount), length in itertools.product(cases, ("new", "longer")):
        files = Files.make(folder, size, length)
        rule = short(MOVING[mechanism], amount)
        result = files.copied(worker, rule, *reaching(mechanism))
        assert result.mechanism == mechanism
        assert list(result.declined.items()) == list(declined_before(mechanism).items())
        assert result.calls.count(MOVING[mechanism]) >= size // amount
        files.dst.unlink()


def test_short_reads(worker: Worker, folder: Path) -> None:
    """A read that ends early, as on a pipe or a share, is no end of the file."""
    files = Files.make(folder, SMALL, "longer")
    result = files.copied(worker, short("read", 97), *reaching(READ_WRITE))
    assert result.calls.count("read") >= SMALL // 97


@pytest.mark.parametrize("progress", [0, PROGRESS])
def test_nothing_at_all(worker: Worker, folder: Path, progress: int) -> None:
    """Fast paths that succeed and move nothing are never the end of the file; read is."""
    fast = [name for name in MOVING if name != READ_WRITE]
    first = [short(MOVING[name], progress, times=1) for name in fast[:1] if progress]
    rules = (*first, *(Rule(MOVING[name], "nothing") for name in fast))
    result = Files.make(folder, SMALL, "longer").copied(worker, *rules)
    assert result.mechanism == READ_WRITE
    assert result.declined == {**declined_before(READ_WRITE), **dict.fromkeys(fast, NO_DATA)}


@pytest.mark.parametrize("length", LENGTHS)
def test_src_that_shrinks(worker: Worker, folder: Path, length: str) -> None:
    """Where src ends earlier than fstat said, dst ends there too."""
    files = Files.make(folder, LARGE, length)
    rules = (Rule("read", "nothing", skip=1), *reaching(READ_WRITE))
    result = worker.copy(files.src, files.dst, *rules)
    assert result.failure is None
    assert result.copied == MIB
    assert files.dst.read_bytes() == files.content[:MIB]


def test_write_that_moves_nothing(worker: Worker, folder: Path) -> None:
    """A write that takes nothing is an error and no endless loop."""
    files = Files.make(folder, SMALL)
    files.failed(worker, (Rule("write", "nothing"), *reaching(READ_WRITE)), errno.EIO)


#: Ways in which a copy comes about, all of which end well.
PATTERNS: dict[str, tuple[Rule, ...]] = {
    "one call": (),
    **{name: reaching(name) for name in MOVING if name != FASTEST},
    "clone": (Rule(FICLONE, "serve"),),
    "refused clone": (Rule(FICLONE, "grow", errno.EOPNOTSUPP),),
    "refused clone, then read/write": (Rule(FICLONE, "grow", errno.EIO), *reaching(READ_WRITE)),
    "half a clone": (Rule(FICLONE, "late", errno.EIO, PROGRESS),),
    "row after row": (
        short(COPY_FILE_RANGE, PROGRESS, times=2),
        fail(COPY_FILE_RANGE, errno.EIO),
        short(SENDFILE, PROGRESS, times=2),
        fail(SENDFILE, errno.EINVAL),
        short("read", PROGRESS, times=2),
        short("write", PROGRESS // 2, times=2),
    ),
    "bytes moved by a call that fails": (
        Rule(COPY_FILE_RANGE, "late", errno.EIO, PROGRESS),
        Rule(SENDFILE, "late", errno.EIO, PROGRESS // 2),
    ),
    "empty success": (Rule(COPY_FILE_RANGE, "nothing"), Rule(SENDFILE, "nothing")),
}


ON_SMB: dict[str, tuple[Rule, ...]] = {
    "copychunk": (Rule(COPYCHUNK, "serve"),),
    "half a copychunk": (Rule(COPYCHUNK, "late", errno.EIO, PROGRESS),),
    "refused clone and copychunk": (
        Rule(FICLONE, "grow", errno.EIO),
        Rule(COPYCHUNK, "grow", errno.EXDEV),
    ),
    "refused clone, then copychunk": (Rule(FICLONE, "grow", errno.EIO), Rule(COPYCHUNK, "serve")),
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("pattern", runnable({**PATTERNS, **ON_SMB}))
def test_no_tail_and_no_gap(worker: Worker, folder: Path, pattern: str, length: str) -> None:
    """However the bytes came, dst is src and no byte more."""
    for size in (1, 4096, SMALL, MIB, MIB + 1, LARGE):
        rules = PATTERNS[pattern] if pattern in PATTERNS else (*ON_SMB[pattern], *on_smb())
        files = Files.make(folder, size, length)
        files.copied(worker, *rules)
        files.dst.unlink()


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("mechanism", MOVING)
def test_new_dst_is_not_cut(worker: Worker, folder: Path, mechanism: str, size: int) -> None:
    """A file that grows to its size costs no request to give it one."""
    result = Files.make(folder, size).copied(worker, *reaching(mechanism))
    assert "ftruncate" not in result.calls


def holey(folder: Path, *extents: int) -> Files:
    """A src of 4 MiB with 64 KiB of data at each of ``extents``."""
    content = bytearray(4 * MIB)
    src = folder / "src"
    with src.open("wb") as file:
        file.truncate(len(content))
        for at in extents:
            content[at : at + 65_536] = noise(65_536, str(at))
            file.seek(at)
            file.write(content[at : at + 65_536])
    return Files(src, folder / "dst", bytes(content), b"o" * (5 * MIB))


HOLES: dict[str, tuple[Rule, ...]] = {
    "plain": (),
    "no holes known": (fail("lseek", errno.EINVAL),),
    "lost": (fail("lseek", errno.EINVAL, skip=4),),
    "end for a moment": (fail("lseek", errno.ENXIO, times=1, where="src"),),
    "too far": (fail("lseek", errno.EINVAL, times=1, where="dst"),),
    "too far later": (fail("lseek", errno.EINVAL, times=1, skip=1, where="dst"),),
    "later": (fail(COPY_FILE_RANGE, errno.EIO, skip=1),),
    "mid-way": (
        short(COPY_FILE_RANGE, PROGRESS, times=3),
        fail(COPY_FILE_RANGE, errno.EXDEV),
    ),
    "empty": (Rule(COPY_FILE_RANGE, "nothing"), Rule(SENDFILE, "nothing", skip=1)),
    "refused clone": (Rule(FICLONE, "grow", errno.EIO), *reaching(READ_WRITE)),
}


@pytest.mark.parametrize("extents", [(), (0,), (MIB, 3 * MIB), (4 * MIB - 65_536,)], ids=str)
@pytest.mark.parametrize("known", runnable(HOLES))
def test_holes(worker: Worker, folder: Path, known: str, extents: tuple[int, ...]) -> None:
    """Between holes, too, the next mechanism goes on from where the last one stood."""
    files = holey(folder, *extents)
    files.reset()
    files.copied(worker, *HOLES[known], sparse=True)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("call", [*MOVING.values(), "read"])
def test_killed(worker: Worker, folder: Path, call: str, length: str) -> None:
    """Killed at any moment of a copy in rounds, dst is what was copied of src and no more."""
    files = Files.make(folder, LARGE, length)
    for number in itertools.count():  # the length of a round, and so their number, is time's
        files.reset()
        kill = signalled(call, signal.SIGKILL, skip=number)
        rules = (kill, *reaching(MOVED_BY[call]))
        killed_by = worker.call(die_copying, rules, files.src, files.dst)
        assert files.src.read_bytes() == files.content
        if not killed_by:
            break
        assert killed_by == signal.SIGKILL
        left = files.dst.read_bytes()
        assert left == files.content[: len(left)]
    assert number > 1
    assert files.dst.read_bytes() == files.content


# Below: what runs in the worker.


def die_copying(src: str, dst: Path) -> int:
    """Copies in a child process, and returns the signal that ended it, 0 if none did."""
    child = os.fork()
    if child == 0:
        try:
            speedcopy.copyfile(src, dst)
        finally:
            os._exit(0)
    return os.WTERMSIG(os.waitpid(child, 0)[1])
