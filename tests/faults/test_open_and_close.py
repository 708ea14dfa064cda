"""Files that cannot be opened, looked at, truncated or closed, or that become others meanwhile."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from faults.files import LARGE, SMALL, Files
from faults.mechanisms import READ_WRITE, full_disk, reaching
from support.interpose import Rule, Worker, fail

if TYPE_CHECKING:
    from pathlib import Path


def test_error_before_the_plain_way(worker: Worker, folder: Path) -> None:
    """A new file that cannot be opened again leaves the error that it was opened again for."""
    files = Files.make(folder, SMALL)
    closed = fail("open", errno.EACCES, skip=1, where="dst")
    full = fail("write", errno.EPERM)
    files.failed(worker, (closed, full, *reaching(READ_WRITE)), errno.EPERM)


def test_src_that_cannot_go_back(worker: Worker, folder: Path) -> None:
    """What has been read of a stream is not there for another try: the copy fails."""
    rules = (fail("write", errno.EPERM, times=1), fail("lseek", errno.ESPIPE, where="src"))
    Files.make(folder, SMALL).failed(worker, (*rules, *reaching(READ_WRITE)), errno.EPERM)


def test_src_that_is_dst_and_cannot_be_looked_at(worker: Worker, folder: Path) -> None:
    """Src is known by its name, too, and is not emptied as dst."""
    files = Files.make(folder, SMALL)
    os.link(files.src, files.dst)
    result = worker.copy(files.src, files.dst, fail("fstat", errno.EIO, where="src"))
    assert result.failure
    assert result.failure.kind is shutil.SameFileError
    assert files.src.read_bytes() == files.content


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_stale_size_behind_truncation(worker: Worker, folder: Path, size: int) -> None:
    """A server that has emptied dst may report the old size once more, and refuse to truncate."""
    files = Files.make(folder, size, "longer")
    stale = Rule("fstat", "claim", 0, size + 1, times=1, where="dst")
    files.copied(worker, stale, fail("ftruncate", errno.EPERM))


@pytest.mark.parametrize("ending", ["copied", "full"])
def test_exclusive_create_ignored(worker: Worker, folder: Path, ending: str) -> None:
    """A server that opens an old file for O_EXCL has not created it: it is emptied, and stays."""
    files = Files.make(folder, SMALL, "longer")
    rules = [Rule("open", "forget", where="dst")]
    if ending == "full":
        files.failed(worker, (*rules, *full_disk()), errno.ENOSPC, 0)
    else:
        files.copied(worker, *rules)


@pytest.mark.parametrize("code", ["EINVAL", "EOPNOTSUPP", "ENOSYS", "EPERM"])
@pytest.mark.parametrize("length", ["new", "longer"])
def test_exclusive_create_refused(worker: Worker, folder: Path, length: str, code: str) -> None:
    """A server that creates no file exclusively is asked to create it plainly."""
    refused = fail("open", getattr(errno, code), times=1, where="dst")
    Files.make(folder, SMALL, length).copied(worker, refused)


@pytest.mark.parametrize("code", ["EINVAL", "EPERM", "EOPNOTSUPP", "EIO"])
@pytest.mark.parametrize("call", ["read", "write"])
def test_plain_way_has_the_last_word(worker: Worker, folder: Path, call: str, code: str) -> None:
    """What a file that was created exclusively refuses, one that was opened plainly may allow."""
    refused = fail(call, getattr(errno, code), times=1)
    result = Files.make(folder, SMALL).copied(worker, refused, *reaching(READ_WRITE))
    assert result.mechanism == READ_WRITE
    assert result.calls.count("open") == 3


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


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("name", ["src", "dst"])
@pytest.mark.parametrize("code", ["EACCES", "EMFILE", "EROFS", "EIO", "ESTALE", "ENOSPC", "ELOOP"])
def test_open_that_fails(worker: Worker, folder: Path, code: str, name: str, length: str) -> None:
    """An error of opening carries one name, and no harm is done."""
    files = Files.make(folder, SMALL, length)
    number = getattr(errno, code)
    result = worker.copy(files.src, files.dst, fail("open", number, where=name))
    assert result.failure
    assert result.failure.errno == number
    assert result.failure.kind is type(OSError(number, ""))
    assert (result.failure.filename, result.failure.filename2) == (str(folder / name), None)
    assert files.src.read_bytes() == files.content
    assert files.old is None or files.dst.read_bytes() == files.old
    assert files.dst.exists() == (length != "new")


@pytest.mark.parametrize("code", ["ENOENT", "EIO"])
def test_open_and_stat_that_fail(worker: Worker, folder: Path, code: str) -> None:
    """A dst that could not be seen, and not be opened, is nobody's to remove."""
    files = Files.make(folder, SMALL, "equal")
    blind = fail("stat", getattr(errno, code), times=1, where="dst")
    result = worker.copy(files.src, files.dst, blind, fail("open", errno.EMFILE, where="dst"))
    assert result.failure
    assert result.failure.errno == errno.EMFILE
    assert files.dst.read_bytes() == files.old


@pytest.mark.parametrize("length", ["new", "longer"])
@pytest.mark.parametrize("name", ["src", "dst"])
def test_fstat_that_fails(worker: Worker, folder: Path, name: str, length: str) -> None:
    """A file that cannot be looked at is read or written as it comes, as shutil does it."""
    result = Files.make(folder, SMALL, length).copied(worker, fail("fstat", errno.EIO, where=name))
    assert result.mechanism == READ_WRITE


def test_unknown_file_is_not_removed(worker: Worker, folder: Path) -> None:
    """What could not be looked at when it was created is left where it is when the copy fails."""
    files = Files.make(folder, SMALL)
    blind = fail("fstat", errno.EIO, where="dst")
    result = worker.copy(files.src, files.dst, blind, fail("write", errno.EIO))
    assert result.failure
    assert result.failure.errno == errno.EIO
    assert files.dst.read_bytes() == b""


@pytest.mark.parametrize("length", ["new", "shorter", "equal", "longer"])
@pytest.mark.parametrize("code", ["ENOSPC", "EDQUOT", "EIO", "ESTALE"])
def test_close_that_fails(worker: Worker, folder: Path, code: str, length: str) -> None:
    """The last chance of a server to say that the data did not fit: nobody knows how much did."""
    files = Files.make(folder, SMALL, length)
    number = getattr(errno, code)
    files.failed(worker, (fail("close", number, where="dst", times=1),), number, 0)


def test_close_of_src_that_fails(worker: Worker, folder: Path) -> None:
    """Says nothing about the copy."""
    Files.make(folder, SMALL).copied(worker, fail("close", errno.EIO, where="src"))
