"""Clones that are wanted, or not wanted, or refused."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
from faults.files import LARGE, LENGTHS, SMALL, STORM, Files
from faults.mechanisms import COPYCHUNK, FICLONE, MOVING, PROGRESS, SHARING, full_disk, require
from support.interpose import Rule, Worker, fail, on_smb

if TYPE_CHECKING:
    from pathlib import Path

require(FICLONE, COPYCHUNK)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("shares", [False, True], ids=["behind the end", "shared block"])
def test_always(worker: Worker, folder: Path, length: str, shares: bool) -> None:
    """A dst is emptied when a block can be shared, or cloned to behind its end."""
    files = Files.make(folder, SMALL, length)
    look = "FIDEDUPERANGE" if shares else "FICLONERANGE"
    rules = (Rule(FICLONE, "serve"), Rule(look, "answer"))
    result = files.copied(worker, *rules, reflink="always")
    assert result.mechanism == FICLONE
    asked = ("FIDEDUPERANGE", "FICLONERANGE")[: 1 if shares else 2]
    expected = [*asked, "ftruncate", FICLONE] if files.old else [FICLONE]
    assert [call for call in result.calls if call in {*expected, "ftruncate"}] == expected


@pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
@pytest.mark.parametrize("code", ["EOPNOTSUPP", "EXDEV", "ENOTTY", "EIO", "ENOSPC"])
def test_always_impossible(worker: Worker, folder: Path, code: str, length: str) -> None:
    """No clone is EOPNOTSUPP with both names, no new file, and an old one as it was."""
    files = Files.make(folder, SMALL, length)
    refused = [fail(call, getattr(errno, code)) for call in (FICLONE, "FICLONERANGE")]
    rules = (*refused, Rule(COPYCHUNK, "serve"), *on_smb())
    result = worker.copy(files.src, files.dst, *rules, reflink="always")
    assert result.failure
    assert result.failure.errno == errno.EOPNOTSUPP
    names = (result.failure.filename, result.failure.filename2)
    assert names == (str(files.src), str(files.dst))
    assert result.calls.count(FICLONE) + result.calls.count("FICLONERANGE") == 1
    assert not {COPYCHUNK, "read", *MOVING.values()} & set(result.calls)
    assert "sync_file_range" not in result.calls  # an error of writing dst is not ours to hear
    assert files.dst.exists() == (length != "new")
    assert files.old is None or files.dst.read_bytes() == files.old


@pytest.mark.parametrize("code", ["EOPNOTSUPP", "EXDEV", "EINVAL", "EIO"])
def test_always_beside_a_writer(worker: Worker, folder: Path, code: str) -> None:
    """What another program appends to dst while a clone is refused is not cut away."""
    files = Files.make(folder, SMALL, "shorter")
    appended = Rule("FICLONERANGE", "grow", getattr(errno, code))
    result = worker.copy(files.src, files.dst, appended, reflink="always")
    assert result.failure
    assert files.dst.stat().st_size == SMALL
    assert files.old
    assert files.dst.read_bytes().startswith(files.old)


def test_always_interrupted(worker: Worker, folder: Path) -> None:
    """The look whether a clone is possible is made again, too."""
    storm = fail("FICLONERANGE", errno.EINTR, times=STORM)
    rules = (storm, Rule("FICLONERANGE", "answer"), Rule(FICLONE, "serve"))
    Files.make(folder, SMALL, "longer").copied(worker, *rules, reflink="always")


@pytest.mark.parametrize("action", ["late", "grow"])
def test_always_over_nothing(worker: Worker, folder: Path, action: str) -> None:
    """A dst that was empty is empty again when a clone has failed half-way."""
    files = Files.make(folder, SMALL)
    files.dst.touch()
    rule = Rule(FICLONE, action, errno.ENOSPC, PROGRESS)
    result = worker.copy(files.src, files.dst, rule, reflink="always")
    assert result.failure
    assert files.dst.read_bytes() == b""


@pytest.mark.parametrize("length", ["shorter", "equal", "longer"])
def test_always_refused_late(worker: Worker, folder: Path, length: str) -> None:
    """The zeros of a refused clone do not pass for a copy."""
    files = Files.make(folder, SMALL, length)
    rule = Rule(FICLONE, "grow", errno.EIO)
    result = worker.copy(files.src, files.dst, rule, reflink="always")
    assert result.failure
    assert files.dst.read_bytes() in (b"", files.old)


@pytest.mark.parametrize("length", LENGTHS)
def test_never(worker: Worker, folder: Path, length: str) -> None:
    """Nothing that may share extents is asked."""
    rules = (Rule(FICLONE, "serve"), Rule(COPYCHUNK, "serve"), *on_smb())
    result = Files.make(folder, LARGE, length).copied(worker, *rules, reflink="never")
    assert result.mechanism == next(name for name in MOVING if name not in SHARING)
    assert result.declined == {}
    assert not SHARING & set(result.calls)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("length", LENGTHS)
def test_refused_clone_on_a_full_disk(worker: Worker, folder: Path, length: str, size: int) -> None:
    """Zeros in the size of src, which a refused clone has left, do not pass for a copy."""
    files = Files.make(folder, size, length)
    refused = Rule(FICLONE, "grow", errno.EIO)
    files.failed(worker, (refused, *full_disk()), errno.ENOSPC, 0)
