"""Every refusal, short copy and failure of a system call, through the real C code."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple, Optional

import pytest
from faults import errnos
from faults.errnos import (
    COPY_FILE_RANGE,
    COPYCHUNK,
    FICLONE,
    NEXT,
    PROGRESS,
    READ_WRITE,
    SENDFILE,
    Row,
    declined_before,
    reaching,
)
from support.interpose import (
    ROOT,
    Outcome,
    Rule,
    Worker,
    calls,
    fail,
    late,
    nothing,
    on_smb,
    rules_for,
    serve,
    short,
    signalled,
    started_worker,
)

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 1 << 20

#: One round, and not whole blocks.
SMALL = 10_007

#: Several rounds.
LARGE = 3 * MIB + 5

#: The call that moves the bytes.
MOVING = {
    COPY_FILE_RANGE: COPY_FILE_RANGE,
    SENDFILE: SENDFILE,
    READ_WRITE: "write",
}

LENGTHS = ("new", "shorter", "equal", "longer", "much longer")


class Files(NamedTuple):
    """What is copied over what."""

    src: Path
    dst: Path
    content: bytes
    old: Optional[bytes]

    @classmethod
    def make(cls, folder: Path, size: int, length: str = "new") -> Files:
        """Makes ``src`` with ``size`` bytes and ``dst`` with a length relative to that."""
        old_size = {
            "new": None,
            "shorter": size // 2,
            "equal": size,
            "longer": size + 1,
            "much longer": size + 2 * MIB + 3,
        }[length]
        content = random.Random(size).randbytes(size)  # noqa: S311
        old = None if old_size is None else b"o" * old_size
        files = cls(folder / "src", folder / "dst", content, old)
        files.src.write_bytes(content)
        files.reset()
        return files

    def reset(self) -> None:
        """Makes ``dst`` what it was."""
        if self.old is not None:
            self.dst.write_bytes(self.old)
        elif self.dst.exists():
            self.dst.unlink()

    def assert_copied(self, outcome: Outcome) -> None:
        """The copy is one, and has left nothing open."""
        assert outcome.failure is None
        assert self.dst.read_bytes() == self.content
        assert outcome.copied == len(self.content)
        assert self.src.read_bytes() == self.content
        assert outcome.open_files == 0

    def assert_failed(self, outcome: Outcome, code: int, *copied: int) -> None:
        """It has failed as it should; a ``dst`` that existed has one of the lengths ``copied``."""
        failure = outcome.failure
        assert failure
        assert (failure.errno, failure.strerror) == (code, os.strerror(code))
        assert failure.kind == type(OSError(code, "")).__name__
        assert (failure.filename, failure.filename2) == (str(self.src), str(self.dst))
        assert self.src.read_bytes() == self.content
        assert outcome.open_files == 0
        if self.old is None:
            assert not self.dst.exists()
        else:
            left = self.dst.read_bytes()
            assert len(left) in copied
            assert left == self.content[: len(left)]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all copies."""
    with started_worker() as process:
        yield process


@pytest.mark.parametrize("mechanism", [FICLONE, COPYCHUNK, COPY_FILE_RANGE, SENDFILE])
def test_table_is_complete(mechanism: str) -> None:
    """Each errno that linux.c names for a mechanism has a row."""
    source = (ROOT / "speedcopy" / "native" / "posix" / "linux.c").read_text()
    function = re.search(rf'{{"{mechanism}", (\w+),', source)
    assert function
    comments = re.findall(
        rf"/\*((?:(?!\*/).)*)\*/\s*static int64_t {function[1]}\(", source, re.DOTALL
    )
    assert len(comments) == 1
    named = set(re.findall(r"\bE[A-Z0-9]{2,}\b", comments[0]))
    tested = f"{errnos.DECLINED[mechanism]} {errnos.FINAL.get(mechanism, '')}".split()
    assert named
    assert named <= set(tested)
    if "nothing copied" in comments[0]:
        assert Row(mechanism, mechanism, errnos.NO_DATA, 0) in errnos.DECLINED_ROWS


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("row", errnos.DECLINED_ROWS, ids=str)
def test_declined(worker: Worker, folder: Path, row: Row, length: str) -> None:
    """A refusal, at any offset, is followed by the next mechanism from where it stood."""
    files = Files.make(folder, SMALL, length)
    outcome = worker.copy(files.src, files.dst, *row.rules())
    files.assert_copied(outcome)
    assert outcome.mechanism == NEXT[row.mechanism]
    expected = {**declined_before(row.mechanism), row.mechanism: row.answer}
    assert list(outcome.declined.items()) == list(expected.items())
    if row.mechanism == COPYCHUNK:
        assert COPY_FILE_RANGE not in outcome.calls


@pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
@pytest.mark.parametrize("row", errnos.FINAL_ROWS, ids=str)
def test_final(worker: Worker, folder: Path, row: Row, length: str) -> None:
    """A full disk, and whatever read and write say, is the error of the copy."""
    files = Files.make(folder, SMALL, length)
    outcome = worker.copy(files.src, files.dst, *row.rules())
    assert row.code
    if row.progress and row.call == "write":
        # what failed has written itself: dst must not stay a mixture
        files.assert_failed(outcome, row.code, 0, row.progress)
    else:
        files.assert_failed(outcome, row.code, row.progress)
    if row.call in (COPY_FILE_RANGE, SENDFILE):
        assert "write" not in outcome.calls


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mechanism", MOVING)
def test_final_in_a_later_round(worker: Worker, folder: Path, mechanism: str, length: str) -> None:
    """A disk that is full after some rounds leaves of an existing dst what was copied."""
    files = Files.make(folder, LARGE, length)
    full = fail(MOVING[mechanism], errno.ENOSPC, skip=1)
    outcome = worker.copy(files.src, files.dst, full, *reaching(mechanism))
    files.assert_failed(outcome, errno.ENOSPC, MIB)


@pytest.mark.parametrize("mechanism", MOVING)
def test_short_copies(worker: Worker, folder: Path, mechanism: str) -> None:
    """A mechanism that moves less than it was asked to is asked again, not replaced."""
    cases = ((1, 1), (4097, 1), (SMALL, 511), (65_537, 4095), (LARGE, 65_535), (LARGE, MIB - 1))
    for (size, amount), length in itertools.product(cases, ("new", "longer")):
        files = Files.make(folder, size, length)
        rule = short(MOVING[mechanism], amount)
        outcome = worker.copy(files.src, files.dst, rule, *reaching(mechanism))
        files.assert_copied(outcome)
        assert outcome.mechanism == mechanism
        assert list(outcome.declined.items()) == list(declined_before(mechanism).items())
        assert outcome.calls.count(MOVING[mechanism]) >= size // amount
        files.dst.unlink()


def test_short_reads(worker: Worker, folder: Path) -> None:
    """A read that ends early, as on a pipe or a share, is no end of the file."""
    files = Files.make(folder, SMALL, "longer")
    outcome = worker.copy(files.src, files.dst, short("read", 97), *reaching(READ_WRITE))
    files.assert_copied(outcome)
    assert outcome.calls.count("read") >= SMALL // 97


STORM = 7


@pytest.mark.parametrize("number", [0, getattr(signal, "SIGUSR1", 0)], ids=["bare", "signal"])
@pytest.mark.parametrize(
    ("call", "mechanism", "where"),
    [
        ("open", COPY_FILE_RANGE, "src"),
        ("open", COPY_FILE_RANGE, "dst"),
        ("stat", COPY_FILE_RANGE, "src"),
        ("stat", COPY_FILE_RANGE, "dst"),
        ("fstat", COPY_FILE_RANGE, "src"),
        ("fstat", COPY_FILE_RANGE, "dst"),
        (COPY_FILE_RANGE, COPY_FILE_RANGE, ""),
        (SENDFILE, SENDFILE, ""),
        ("read", READ_WRITE, ""),
        ("write", READ_WRITE, ""),
        (FICLONE, FICLONE, ""),
        (COPYCHUNK, COPYCHUNK, ""),
    ],
)
def test_interrupted(
    worker: Worker, folder: Path, call: str, mechanism: str, where: str, number: int
) -> None:
    """A call that a signal interrupts is made again, by the same mechanism."""
    files = Files.make(folder, LARGE, "longer")
    storm = (
        signalled(call, number, times=STORM, where=where)
        if number
        else fail(call, errno.EINTR, times=STORM, where=where)
    )
    answered = (storm, serve(call)) if mechanism in (FICLONE, COPYCHUNK) else (storm,)
    outcome = worker.copy(files.src, files.dst, *answered, *reaching(mechanism))
    files.assert_copied(outcome)
    assert outcome.mechanism == mechanism
    assert outcome.declined == declined_before(mechanism)
    assert outcome.calls.count(call) > STORM


def test_interrupted_cut(worker: Worker, folder: Path) -> None:
    """An interrupted ftruncate is made again; an interrupted close of src is none of dst's."""
    files = Files.make(folder, SMALL, "longer")
    cut = fail("ftruncate", errno.EINTR, times=STORM)
    outcome = worker.copy(
        files.src, files.dst, cut, fail("close", errno.EINTR, where="src"), *on_smb()
    )
    files.assert_copied(outcome)
    assert outcome.calls.count("ftruncate") == STORM + 1
    assert outcome.calls.count("close") == 2


@pytest.mark.parametrize("length", LENGTHS)
def test_interrupted_close(worker: Worker, folder: Path, length: str) -> None:
    """Nobody knows what an interrupted close has written, so the copy fails, as shutil's does."""
    files = Files.make(folder, SMALL, length)
    closed = fail("close", errno.EINTR, where="dst", times=1)
    files.assert_failed(worker.copy(files.src, files.dst, closed), errno.EINTR, 0)


@pytest.mark.parametrize("code", ["ENOSPC", "EIO"])
def test_interrupted_undo(worker: Worker, folder: Path, code: str) -> None:
    """What this copy has created is removed, whatever interrupts that."""
    files = Files.make(folder, SMALL)
    full = fail("write", getattr(errno, code))
    storm = fail("stat", errno.EINTR, times=STORM, where="dst")
    outcome = worker.copy(files.src, files.dst, full, storm, *reaching(READ_WRITE))
    files.assert_failed(outcome, getattr(errno, code))


def test_error_before_the_plain_way(worker: Worker, folder: Path) -> None:
    """A new file that cannot be opened again leaves the error that it was opened again for."""
    files = Files.make(folder, SMALL)
    closed = fail("open", errno.EACCES, skip=1, where="dst")
    full = fail("write", errno.EPERM)
    outcome = worker.copy(files.src, files.dst, closed, full, *reaching(READ_WRITE))
    files.assert_failed(outcome, errno.EPERM)


def test_src_that_cannot_go_back(worker: Worker, folder: Path) -> None:
    """What has been read of a stream is not there for another try: the copy fails."""
    files = Files.make(folder, SMALL)
    rules = (fail("write", errno.EPERM, times=1), fail("lseek", errno.ESPIPE, where="src"))
    outcome = worker.copy(files.src, files.dst, *rules, *reaching(READ_WRITE))
    files.assert_failed(outcome, errno.EPERM)


def test_src_that_is_dst_and_cannot_be_looked_at(worker: Worker, folder: Path) -> None:
    """Src is known by its name, too, and is not emptied as dst."""
    files = Files.make(folder, SMALL)
    os.link(files.src, files.dst)
    outcome = worker.copy(files.src, files.dst, fail("fstat", errno.EIO, where="src"))
    assert outcome.failure
    assert outcome.failure.kind == "SameFileError"
    assert files.src.read_bytes() == files.content


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_stale_size_behind_truncation(worker: Worker, folder: Path, size: int) -> None:
    """A server that has emptied dst may report the old size once more, and refuse to truncate."""
    files = Files.make(folder, size, "longer")
    stale = Rule("fstat", "claim", 0, size + 1, times=1, where="dst")
    outcome = worker.copy(files.src, files.dst, stale, fail("ftruncate", errno.EPERM))
    files.assert_copied(outcome)


@pytest.mark.parametrize("ending", ["copied", "full"])
def test_exclusive_create_ignored(worker: Worker, folder: Path, ending: str) -> None:
    """A server that opens an old file for O_EXCL has not created it: it is emptied, and stays."""
    files = Files.make(folder, SMALL, "longer")
    rules = [Rule("open", "forget", where="dst")]
    if ending == "full":
        full = [fail(call, errno.ENOSPC) for call in (COPY_FILE_RANGE, SENDFILE, "write")]
        files.assert_failed(worker.copy(files.src, files.dst, *rules, *full), errno.ENOSPC, 0)
    else:
        files.assert_copied(worker.copy(files.src, files.dst, *rules))


def test_src_that_cannot_be_flushed(worker: Worker, folder: Path) -> None:
    """What the server has not got of src, it cannot copy."""
    files = Files.make(folder, SMALL)
    rules = (fail("sync_file_range", errno.EIO, where="src"), serve(COPYCHUNK), *on_smb())
    outcome = worker.copy(files.src, files.dst, *rules)
    files.assert_copied(outcome)
    assert outcome.mechanism == SENDFILE
    assert outcome.declined == {FICLONE: "EOPNOTSUPP", COPYCHUNK: "EIO"}


@pytest.mark.parametrize("progress", [0, PROGRESS])
def test_nothing_at_all(worker: Worker, folder: Path, progress: int) -> None:
    """Fast paths that succeed and move nothing are never the end of the file; read is."""
    files = Files.make(folder, SMALL, "longer")
    first = (short(COPY_FILE_RANGE, progress, times=1),) if progress else ()
    rules = (*first, nothing(COPY_FILE_RANGE), nothing(SENDFILE))
    outcome = worker.copy(files.src, files.dst, *rules)
    files.assert_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert outcome.declined == {
        FICLONE: "EOPNOTSUPP",
        COPY_FILE_RANGE: "no data",
        SENDFILE: "no data",
    }


@pytest.mark.parametrize("length", LENGTHS)
def test_src_that_shrinks(worker: Worker, folder: Path, length: str) -> None:
    """Where src ends earlier than fstat said, dst ends there too."""
    files = Files.make(folder, LARGE, length)
    rules = (nothing("read", skip=1), *reaching(READ_WRITE))
    outcome = worker.copy(files.src, files.dst, *rules)
    assert outcome.failure is None
    assert outcome.copied == MIB
    assert files.dst.read_bytes() == files.content[:MIB]


def test_write_that_moves_nothing(worker: Worker, folder: Path) -> None:
    """A write that takes nothing is an error and no endless loop."""
    files = Files.make(folder, SMALL)
    outcome = worker.copy(files.src, files.dst, nothing("write"), *reaching(READ_WRITE))
    files.assert_failed(outcome, errno.EIO)


#: Ways in which a copy comes about, all of which end well.
PATTERNS: dict[str, tuple[Rule, ...]] = {
    "one call": (),
    "sendfile": reaching(SENDFILE),
    "read/write": reaching(READ_WRITE),
    "clone": (serve(FICLONE),),
    "refused clone": (Rule(FICLONE, "grow", errno.EOPNOTSUPP),),
    "refused clone, then read/write": (
        Rule(FICLONE, "grow", errno.EIO),
        *reaching(READ_WRITE),
    ),
    "half a clone": (late(FICLONE, errno.EIO, PROGRESS),),
    "row after row": (
        short(COPY_FILE_RANGE, PROGRESS, times=2),
        fail(COPY_FILE_RANGE, errno.EIO),
        short(SENDFILE, PROGRESS, times=2),
        fail(SENDFILE, errno.EINVAL),
        short("read", PROGRESS, times=2),
        short("write", PROGRESS // 2, times=2),
    ),
    "bytes moved by a call that fails": (
        late(COPY_FILE_RANGE, errno.EIO, PROGRESS),
        late(SENDFILE, errno.EIO, PROGRESS // 2),
    ),
    "empty success": (nothing(COPY_FILE_RANGE), nothing(SENDFILE)),
}

ON_SMB: dict[str, tuple[Rule, ...]] = {
    "copychunk": (serve(COPYCHUNK),),
    "half a copychunk": (late(COPYCHUNK, errno.EIO, PROGRESS),),
    "refused clone and copychunk": (
        Rule(FICLONE, "grow", errno.EIO),
        Rule(COPYCHUNK, "grow", errno.EXDEV),
    ),
    "refused clone, then copychunk": (Rule(FICLONE, "grow", errno.EIO), serve(COPYCHUNK)),
}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("pattern", [*PATTERNS, *ON_SMB])
def test_no_tail_and_no_gap(worker: Worker, folder: Path, pattern: str, length: str) -> None:
    """However the bytes came, dst is src and no byte more."""
    for size in (1, 4096, SMALL, MIB, MIB + 1, LARGE):
        rules = PATTERNS[pattern] if pattern in PATTERNS else (*ON_SMB[pattern], *on_smb())
        files = Files.make(folder, size, length)
        files.assert_copied(worker.copy(files.src, files.dst, *rules))
        files.dst.unlink()


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("mechanism", MOVING)
def test_new_dst_is_not_cut(worker: Worker, folder: Path, mechanism: str, size: int) -> None:
    """A file that grows to its size costs no request to give it one."""
    files = Files.make(folder, size)
    outcome = worker.copy(files.src, files.dst, *reaching(mechanism))
    files.assert_copied(outcome)
    assert "ftruncate" not in outcome.calls


@pytest.mark.parametrize("length", LENGTHS)
def test_empty_src(worker: Worker, folder: Path, length: str) -> None:
    """Nothing over something leaves nothing, and asks for no copy of nothing."""
    files = Files.make(folder, 0, length)
    outcome = worker.copy(files.src, files.dst, *on_smb())
    files.assert_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert not {FICLONE, COPYCHUNK, COPY_FILE_RANGE, SENDFILE} & set(outcome.calls)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("length", LENGTHS)
def test_refused_clone_on_a_full_disk(worker: Worker, folder: Path, length: str, size: int) -> None:
    """Zeros in the size of src, which a refused clone has left, do not pass for a copy."""
    files = Files.make(folder, size, length)
    full = [fail(call, errno.ENOSPC) for call in (COPY_FILE_RANGE, SENDFILE, "write")]
    outcome = worker.copy(files.src, files.dst, Rule(FICLONE, "grow", errno.EIO), *full)
    files.assert_failed(outcome, errno.ENOSPC, 0)


@pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "ESTALE"])
def test_close_that_fails(worker: Worker, folder: Path, code: str, length: str) -> None:
    """The last chance of a server to say that the data did not fit: nobody knows how much did."""
    files = Files.make(folder, SMALL, length)
    number = getattr(errno, code)
    outcome = worker.copy(files.src, files.dst, fail("close", number, where="dst", times=1))
    files.assert_failed(outcome, number, 0)


def test_close_of_src_that_fails(worker: Worker, folder: Path) -> None:
    """Says nothing about the copy."""
    files = Files.make(folder, SMALL)
    outcome = worker.copy(files.src, files.dst, fail("close", errno.EIO, where="src"))
    files.assert_copied(outcome)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("code", ["EIO", "EPERM", "EINVAL", "EROFS"])
def test_cut_that_fails(worker: Worker, folder: Path, code: str, size: int) -> None:
    """A dst on SMB that keeps its tail is no copy: it is opened as the standard library does."""
    files = Files.make(folder, size, "longer")
    rules = (fail("ftruncate", getattr(errno, code)), serve(COPYCHUNK), *on_smb())
    outcome = worker.copy(files.src, files.dst, *rules)
    files.assert_copied(outcome)
    assert outcome.mechanism == READ_WRITE


@pytest.mark.parametrize("code", ["EINVAL", "EPERM", "EOPNOTSUPP", "EIO"])
@pytest.mark.parametrize("call", ["read", "write"])
def test_plain_way_has_the_last_word(worker: Worker, folder: Path, call: str, code: str) -> None:
    """What a file that was created exclusively refuses, one that was opened plainly may allow."""
    files = Files.make(folder, SMALL)
    refused = fail(call, getattr(errno, code), times=1)
    outcome = worker.copy(files.src, files.dst, refused, *reaching(READ_WRITE))
    files.assert_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert outcome.calls.count("open") == 3


@pytest.mark.parametrize("call", ["write", "close"])
def test_name_that_becomes_another_file(worker: Worker, folder: Path, call: str) -> None:
    """A file that is renamed over dst is neither emptied for another try nor removed by undo."""
    files = Files.make(folder, SMALL)
    (folder / "other").write_bytes(b"somebody else's")
    replaced = Rule(call, "replace", errno.EPERM, times=1, where="dst")
    rules = (replaced, *((fail("write", errno.ENOSPC),) if call == "close" else ()))
    worker.copy(files.src, files.dst, *rules, *reaching(READ_WRITE))
    assert files.dst.read_bytes() == b"somebody else's"
    assert not (folder / "other").exists()


@pytest.mark.parametrize("code", ["EINVAL", "EOPNOTSUPP", "ENOSYS", "EPERM"])
@pytest.mark.parametrize("length", ["new", "longer"])
def test_exclusive_create_refused(worker: Worker, folder: Path, length: str, code: str) -> None:
    """A server that creates no file exclusively is asked to create it plainly."""
    files = Files.make(folder, SMALL, length)
    refused = fail("open", getattr(errno, code), times=1, where="dst")
    files.assert_copied(worker.copy(files.src, files.dst, refused))


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("name", ["src", "dst"])
@pytest.mark.parametrize("code", ["EACCES", "EMFILE", "EROFS", "EIO", "ESTALE", "ENOSPC", "ELOOP"])
def test_open_that_fails(worker: Worker, folder: Path, code: str, name: str, length: str) -> None:
    """An error of opening carries one name, and no harm is done."""
    files = Files.make(folder, SMALL, length)
    number = getattr(errno, code)
    outcome = worker.copy(files.src, files.dst, fail("open", number, where=name))
    assert outcome.failure
    assert outcome.failure.errno == number
    assert outcome.failure.kind == type(OSError(number, "")).__name__
    assert (outcome.failure.filename, outcome.failure.filename2) == (str(folder / name), None)
    assert outcome.open_files == 0
    assert files.src.read_bytes() == files.content
    assert files.old is None or files.dst.read_bytes() == files.old
    assert files.dst.exists() == (length != "new")


@pytest.mark.parametrize("code", ["ENOENT", "EIO"])
def test_open_and_stat_that_fail(worker: Worker, folder: Path, code: str) -> None:
    """A dst that could not be seen, and not be opened, is nobody's to remove."""
    files = Files.make(folder, SMALL, "equal")
    blind = fail("stat", getattr(errno, code), times=1, where="dst")
    outcome = worker.copy(files.src, files.dst, blind, fail("open", errno.EMFILE, where="dst"))
    assert outcome.failure
    assert outcome.failure.errno == errno.EMFILE
    assert files.dst.read_bytes() == files.old


def test_name_of_src_on_smb(worker: Worker, folder: Path) -> None:
    """A dst that turns out to be src only after it has been opened is not touched."""
    files = Files.make(folder, SMALL)
    os.link(files.src, files.dst)
    os.utime(files.src, (1, 1))
    outcome = worker.copy(files.src, files.dst, *on_smb())
    assert outcome.failure
    assert outcome.failure.kind == "SameFileError"
    assert "ftruncate" not in outcome.calls
    assert files.dst.read_bytes() == files.content
    assert files.src.stat().st_mtime == 1
    assert files.dst.exists()


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("name", ["src", "dst"])
def test_fstat_that_fails(worker: Worker, folder: Path, name: str, length: str) -> None:
    """A file that cannot be looked at is read or written as it comes, as shutil does it."""
    files = Files.make(folder, SMALL, length)
    outcome = worker.copy(files.src, files.dst, fail("fstat", errno.EIO, where=name))
    files.assert_copied(outcome)
    assert outcome.mechanism == READ_WRITE


def test_unknown_file_is_not_removed(worker: Worker, folder: Path) -> None:
    """What could not be looked at when it was created is left where it is when the copy fails."""
    files = Files.make(folder, SMALL)
    blind = fail("fstat", errno.EIO, where="dst")
    outcome = worker.copy(files.src, files.dst, blind, fail("write", errno.EIO))
    assert outcome.failure
    assert outcome.failure.errno == errno.EIO
    assert files.dst.read_bytes() == b""


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("4.4.302-cip97", SENDFILE),
        ("5.2.21", SENDFILE),
        ("5.3.0", COPY_FILE_RANGE),
        ("6.1.0-13-amd64", COPY_FILE_RANGE),
        ("10.0", COPY_FILE_RANGE),
    ],
)
def test_kernel_release(folder: Path, release: str, expected: str) -> None:
    """Before 5.3, copy_file_range is not asked: it could succeed with nothing copied."""
    files = Files.make(folder, SMALL)
    with started_worker(release) as fresh:
        outcome = fresh.copy(files.src, files.dst)
    files.assert_copied(outcome)
    assert outcome.mechanism == expected
    assert outcome.declined == {FICLONE: "EOPNOTSUPP"}
    assert (COPY_FILE_RANGE in outcome.calls) == (expected == COPY_FILE_RANGE)


def through_the_client() -> tuple[Rule, ...]:
    """A share whose server does not copy."""
    return (fail(COPYCHUNK, errno.EOPNOTSUPP), *on_smb())


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("code", ["EIO", "ENOSPC", "EPERM"])
def test_lost_by_the_page_cache(worker: Worker, folder: Path, code: str, length: str) -> None:
    """What did not arrive on a share fails the copy: another row would go on behind the gap."""
    files = Files.make(folder, 6 * MIB, length)
    earlier = 2 + (length != "new")  # an existing dst has its earlier errors reported first
    lost = fail("sync_file_range", getattr(errno, code), skip=earlier, where="dst")
    outcome = worker.copy(files.src, files.dst, lost, *through_the_client())
    assert outcome.failure
    assert outcome.failure.errno == getattr(errno, code)
    assert outcome.failure.filename == str(files.src)
    assert outcome.failure.filename2 == str(files.dst)
    assert not {"read", "write"} & set(outcome.calls)
    assert outcome.open_files == 0
    assert files.src.read_bytes() == files.content
    assert files.dst.exists() == (length != "new")
    if files.dst.exists():
        left = files.dst.read_bytes()
        assert left == files.content[: len(left)]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("mechanism", MOVING)
def test_disk_is_left_its_cache(worker: Worker, folder: Path, mechanism: str, length: str) -> None:
    """What is not a share writes out when it likes, and close does not wait for it."""
    files = Files.make(folder, 6 * MIB, length)
    outcome = worker.copy(files.src, files.dst, *reaching(mechanism))
    files.assert_copied(outcome)
    assert outcome.mechanism == mechanism
    may_be_a_share = os.major(files.dst.stat().st_dev) == 0 and length != "new"
    assert outcome.calls.count("sync_file_range") == may_be_a_share  # errors of earlier writes


@pytest.mark.parametrize("code", ["ENOSYS", "EPERM", "ESPIPE"])
def test_write_out_is_only_a_hint(worker: Worker, folder: Path, code: str) -> None:
    """A system without sync_file_range is asked once."""
    files = Files.make(folder, 6 * MIB)
    refused = fail("sync_file_range", getattr(errno, code), where="dst")
    outcome = worker.copy(files.src, files.dst, refused, *through_the_client())
    files.assert_copied(outcome)
    assert outcome.mechanism == SENDFILE
    assert outcome.calls.count("sync_file_range") == 2  # src before copychunk, and dst


class TestCopychunk:
    """The request that has the SMB server copy the whole file."""

    @pytest.fixture(autouse=True)
    def stat_is_seen(self, worker: Worker, folder: Path) -> None:
        """Skips where the C library has no fstat that can be interposed (glibc < 2.33)."""
        files = Files.make(folder, 1)
        if "fstat" not in worker.copy(files.src, files.dst).calls:
            pytest.skip("fstat cannot be interposed here")
        files.dst.unlink()

    @pytest.mark.parametrize("length", LENGTHS)
    def test_used(self, worker: Worker, folder: Path, length: str) -> None:
        """On one SMB mount it does the copy, and the type of the mount costs no request."""
        files = Files.make(folder, LARGE, length)
        outcome = worker.copy(files.src, files.dst, serve(COPYCHUNK), *on_smb())
        files.assert_copied(outcome)
        assert outcome.mechanism == COPYCHUNK
        assert not {"fstatfs", COPY_FILE_RANGE, SENDFILE, "read", "write"} & set(outcome.calls)

    @pytest.mark.parametrize("length", LENGTHS)
    @pytest.mark.parametrize("size", [1, MIB, MIB + 1])
    @pytest.mark.parametrize("mechanism", [FICLONE, COPYCHUNK])
    def test_emptied(
        self, worker: Worker, folder: Path, mechanism: str, size: int, length: str
    ) -> None:
        """A dst keeps its content only for one request that replaces all of it, and no clone."""
        files = Files.make(folder, size, length)
        outcome = worker.copy(files.src, files.dst, serve(mechanism), *on_smb())
        files.assert_copied(outcome)
        kept = bool(files.old) and len(files.old or b"") <= size <= MIB
        if mechanism == FICLONE and kept:
            assert FICLONE not in outcome.calls
            return
        assert outcome.mechanism == mechanism
        assert outcome.calls.count("ftruncate") == (bool(files.old) and not kept)

    @pytest.mark.parametrize(
        ("mechanism", "length"),
        [(FICLONE, "new"), (FICLONE, "longer"), *((COPYCHUNK, length) for length in LENGTHS)],
    )
    def test_src_cut_meanwhile(
        self, worker: Worker, folder: Path, mechanism: str, length: str
    ) -> None:
        """Where src has become shorter during the one request, dst is not longer."""
        files = Files.make(folder, SMALL, length)
        cut = Rule(mechanism, "cut", 0, PROGRESS)
        outcome = worker.copy(files.src, files.dst, cut, *on_smb())
        assert outcome.failure is None
        assert files.src.read_bytes() == files.dst.read_bytes() == files.content[:PROGRESS]
        assert outcome.copied == PROGRESS

    @pytest.mark.parametrize("code", ["ENOTTY", "EINVAL", "ENOSYS", "EPERM", "EFAULT"])
    def test_not_smb(self, worker: Worker, folder: Path, code: str) -> None:
        """Another file system than SMB refuses the look at the mount, once a thread and device."""
        files = Files.make(folder, SMALL)
        look = fail("CIFS_IOC_GET_MNT_INFO", getattr(errno, code))
        rules = (serve(COPYCHUNK), look, *on_smb())
        for asked in (1, 0):
            outcome = worker.copy(files.src, files.dst, *rules)
            files.assert_copied(outcome)
            assert COPYCHUNK not in outcome.calls
            assert outcome.calls.count("CIFS_IOC_GET_MNT_INFO") == asked

    @pytest.mark.parametrize("code", ["EREMOTEIO", "EIO", "EACCES", "ENOSYS"])
    def test_statfs_is_only_a_hint(self, worker: Worker, folder: Path, code: str) -> None:
        """Some shares answer statfs with an error, and are copied to all the same."""
        files = Files.make(folder, LARGE)
        deaf = fail("fstatfs", getattr(errno, code))
        outcome = worker.copy(files.src, files.dst, deaf, *through_the_client())
        files.assert_copied(outcome)
        assert outcome.mechanism == SENDFILE

    def test_not_on_a_disk(self, worker: Worker, folder: Path) -> None:
        """A disk is not even asked what it is: its device number has a major."""
        files = Files.make(folder, SMALL)
        outcome = worker.copy(files.src, files.dst, serve(COPYCHUNK))
        files.assert_copied(outcome)
        assert COPYCHUNK not in outcome.calls
        if os.major(files.src.stat().st_dev):
            assert "fstatfs" not in outcome.calls


class TestReflink:
    """reflink="always" and reflink="never"."""

    @pytest.mark.parametrize("length", LENGTHS)
    @pytest.mark.parametrize("shares", [False, True], ids=["behind the end", "shared block"])
    def test_always(self, worker: Worker, folder: Path, length: str, *, shares: bool) -> None:
        """A dst is emptied when a block can be shared, or cloned to behind its end."""
        files = Files.make(folder, SMALL, length)
        look = "FIDEDUPERANGE" if shares else "FICLONERANGE"
        rules = (serve(FICLONE), Rule(look, "answer"))
        outcome = worker.copy(files.src, files.dst, *rules, reflink="always")
        files.assert_copied(outcome)
        assert outcome.mechanism == FICLONE
        asked = ("FIDEDUPERANGE", "FICLONERANGE")[: 1 if shares else 2]
        expected = [*asked, "ftruncate", FICLONE] if files.old else [FICLONE]
        assert [call for call in outcome.calls if call in {*expected, "ftruncate"}] == expected

    @pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
    @pytest.mark.parametrize("code", ["EOPNOTSUPP", "EXDEV", "ENOTTY", "EIO", "ENOSPC"])
    def test_always_impossible(self, worker: Worker, folder: Path, code: str, length: str) -> None:
        """No clone is EOPNOTSUPP with both names, no new file, and an old one as it was."""
        files = Files.make(folder, SMALL, length)
        refused = [fail(call, getattr(errno, code)) for call in (FICLONE, "FICLONERANGE")]
        rules = (*refused, serve(COPYCHUNK), *on_smb())
        outcome = worker.copy(files.src, files.dst, *rules, reflink="always")
        assert outcome.failure
        assert outcome.failure.errno == errno.EOPNOTSUPP
        names = (outcome.failure.filename, outcome.failure.filename2)
        assert names == (str(files.src), str(files.dst))
        assert outcome.open_files == 0
        assert outcome.calls.count(FICLONE) + outcome.calls.count("FICLONERANGE") == 1
        assert not {COPYCHUNK, COPY_FILE_RANGE, SENDFILE, "read", "write"} & set(outcome.calls)
        assert "sync_file_range" not in outcome.calls  # an error of writing dst is not ours to hear
        assert files.dst.exists() == (length != "new")
        assert files.old is None or files.dst.read_bytes() == files.old

    @pytest.mark.parametrize("code", ["EOPNOTSUPP", "EXDEV", "EINVAL", "EIO"])
    def test_always_beside_a_writer(self, worker: Worker, folder: Path, code: str) -> None:
        """What another program appends to dst while a clone is refused is not cut away."""
        files = Files.make(folder, SMALL, "shorter")
        appended = Rule("FICLONERANGE", "grow", getattr(errno, code))
        outcome = worker.copy(files.src, files.dst, appended, reflink="always")
        assert outcome.failure
        assert files.dst.stat().st_size == SMALL
        assert files.old
        assert files.dst.read_bytes().startswith(files.old)

    def test_always_interrupted(self, worker: Worker, folder: Path) -> None:
        """The look whether a clone is possible is made again, too."""
        files = Files.make(folder, SMALL, "longer")
        storm = fail("FICLONERANGE", errno.EINTR, times=STORM)
        rules = (storm, Rule("FICLONERANGE", "answer"), serve(FICLONE))
        outcome = worker.copy(files.src, files.dst, *rules, reflink="always")
        files.assert_copied(outcome)

    @pytest.mark.parametrize("action", ["late", "grow"])
    def test_always_over_nothing(self, worker: Worker, folder: Path, action: str) -> None:
        """A dst that was empty is empty again when a clone has failed half-way."""
        files = Files.make(folder, SMALL)
        files.dst.touch()
        rule = Rule(FICLONE, action, errno.ENOSPC, PROGRESS)
        outcome = worker.copy(files.src, files.dst, rule, reflink="always")
        assert outcome.failure
        assert files.dst.read_bytes() == b""

    @pytest.mark.parametrize("length", ["shorter", "equal", "longer"])
    def test_always_refused_late(self, worker: Worker, folder: Path, length: str) -> None:
        """The zeros of a refused clone do not pass for a copy."""
        files = Files.make(folder, SMALL, length)
        rule = Rule(FICLONE, "grow", errno.EIO)
        outcome = worker.copy(files.src, files.dst, rule, reflink="always")
        assert outcome.failure
        assert files.dst.read_bytes() in (b"", files.old)

    @pytest.mark.parametrize("length", LENGTHS)
    def test_never(self, worker: Worker, folder: Path, length: str) -> None:
        """Nothing that may share extents is asked."""
        files = Files.make(folder, LARGE, length)
        rules = (serve(FICLONE), serve(COPYCHUNK), *on_smb())
        outcome = worker.copy(files.src, files.dst, *rules, reflink="never")
        files.assert_copied(outcome)
        assert outcome.mechanism == SENDFILE
        assert outcome.declined == {}
        assert not {FICLONE, COPYCHUNK, COPY_FILE_RANGE} & set(outcome.calls)


def holey(folder: Path, *extents: int) -> Files:
    """A src of 4 MiB with 64 KiB of data at each of ``extents``."""
    content = bytearray(4 * MIB)
    src = folder / "src"
    with src.open("wb") as file:
        file.truncate(len(content))
        for at in extents:
            content[at : at + 65_536] = random.Random(at).randbytes(65_536)  # noqa: S311
            file.seek(at)
            file.write(content[at : at + 65_536])
    return Files(src, folder / "dst", bytes(content), b"o" * (5 * MIB))


@pytest.mark.parametrize("extents", [(), (0,), (MIB, 3 * MIB), (4 * MIB - 65_536,)], ids=str)
@pytest.mark.parametrize(
    "rules",
    [
        (),
        (fail("lseek", errno.EINVAL),),
        (fail("lseek", errno.EINVAL, skip=4),),
        (fail("lseek", errno.ENXIO, times=1, where="src"),),
        (fail("lseek", errno.EINVAL, times=1, where="dst"),),
        (fail("lseek", errno.EINVAL, times=1, skip=1, where="dst"),),
        (fail(COPY_FILE_RANGE, errno.EIO, skip=1),),
        (short(COPY_FILE_RANGE, PROGRESS, times=3), fail(COPY_FILE_RANGE, errno.EXDEV)),
        (nothing(COPY_FILE_RANGE), nothing(SENDFILE, skip=1)),
        (Rule(FICLONE, "grow", errno.EIO), *reaching(READ_WRITE)),
    ],
    ids=[
        "plain",
        "no holes known",
        "lost",
        "end for a moment",
        "too far",
        "too far later",
        "later",
        "mid-way",
        "empty",
        "refused clone",
    ],
)
def test_holes(
    worker: Worker, folder: Path, rules: tuple[Rule, ...], extents: tuple[int, ...]
) -> None:
    """Between holes, too, the next mechanism goes on from where the last one stood."""
    files = holey(folder, *extents)
    files.reset()
    outcome = worker.copy(files.src, files.dst, *rules, sparse=True)
    files.assert_copied(outcome)


class TestLease:
    """A file under a lease, as Samba and the NFS server take them."""

    HOLDER = """
import fcntl, os, signal, sys, time
fd = os.open(sys.argv[1], os.O_RDWR)
def give_back(number, frame):
    time.sleep(0.2)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    os.write(1, b"given back\\n")
signal.signal(signal.SIGIO, give_back)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
os.write(1, b"held\\n")
time.sleep(30)
"""

    @pytest.mark.parametrize("name", ["src", "dst"])
    def test_waits(self, worker: Worker, folder: Path, name: str) -> None:
        """The copy waits until the lease has been given back, as the standard library does."""
        files = Files.make(folder, SMALL, "longer")
        with subprocess.Popen(
            (sys.executable, "-c", self.HOLDER, str(folder / name)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as holder:
            assert holder.stdout
            try:
                if holder.stdout.readline() != "held\n":
                    pytest.skip("no leases here")
                outcome = worker.copy(files.src, files.dst)
                files.assert_copied(outcome)
                assert holder.stdout.readline() == "given back\n"
            finally:
                holder.kill()


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("call", ["copy_file_range", "sendfile", "write", "read"])
def test_killed(worker: Worker, folder: Path, call: str, length: str) -> None:
    """Killed at any moment of a copy in rounds, dst is what was copied of src and no more."""
    mechanism = call if call in MOVING else READ_WRITE
    files = Files.make(folder, LARGE, length)
    for number in itertools.count():  # the length of a round, and so their number, is time's
        files.reset()
        kill = signalled(call, signal.SIGKILL, skip=number)
        rules = (kill, *reaching(mechanism), fail(FICLONE, errno.EOPNOTSUPP))
        killed_by = worker.call(die_copying, str(files.src), str(files.dst), rules)
        assert files.src.read_bytes() == files.content
        if not killed_by:
            break
        assert killed_by == signal.SIGKILL
        left = files.dst.read_bytes()
        assert left == files.content[: len(left)]
    assert number > 1
    assert files.dst.read_bytes() == files.content


# Below: what runs in the worker.


def copy_with_progress(src: str, dst: str, rules: list[list[object]]) -> dict[str, object]:
    """A copy with a progress callback."""
    with rules_for(os.path.dirname(dst), rules):
        speedcopy.copyfile(src, dst, progress=lambda _copied, _total: None)
        return {"calls": calls()}


def die_copying(src: str, dst: str, rules: list[list[object]]) -> int:
    """Copies in a child process, and returns the signal that ended it, 0 if none did."""
    with rules_for(os.path.dirname(dst), rules):
        child = os.fork()
        if child == 0:
            try:
                speedcopy.copyfile(src, dst)
            finally:
                os._exit(0)
        return os.WTERMSIG(os.waitpid(child, 0)[1])
