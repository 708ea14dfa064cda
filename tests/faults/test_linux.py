"""What only Linux has: copychunk on SMB, writing back to shares, old kernels, an old glibc."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from faults.files import LARGE, LENGTHS, SMALL, STORM, Files
from faults.mechanisms import (
    COPY_FILE_RANGE,
    COPYCHUNK,
    FICLONE,
    MOVING,
    PROGRESS,
    READ_WRITE,
    ROWS,
    declined_before,
    following,
    reaching,
    require,
)
from support.interpose import Rule, Worker, fail, on_smb, started_worker
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

native = pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
require(FICLONE, COPYCHUNK, COPY_FILE_RANGE)


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
        result = Files.make(folder, LARGE, length).copied(
            worker, Rule(COPYCHUNK, "serve"), *on_smb()
        )
        assert result.mechanism == COPYCHUNK
        assert not {"fstatfs", "read", *MOVING.values()} & set(result.calls)

    @pytest.mark.parametrize("length", LENGTHS)
    @pytest.mark.parametrize("size", [1, MIB, MIB + 1])
    @pytest.mark.parametrize("mechanism", [FICLONE, COPYCHUNK])
    def test_emptied(
        self, worker: Worker, folder: Path, mechanism: str, size: int, length: str
    ) -> None:
        """A dst keeps its content only for one request that replaces all of it, and no clone."""
        files = Files.make(folder, size, length)
        result = files.copied(worker, Rule(mechanism, "serve"), *on_smb())
        kept = bool(files.old) and len(files.old or b"") <= size <= MIB
        if mechanism == FICLONE and kept:
            assert FICLONE not in result.calls
            return
        assert result.mechanism == mechanism
        assert result.calls.count("ftruncate") == (bool(files.old) and not kept)

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
        result = worker.copy(files.src, files.dst, cut, *on_smb())
        assert result.failure is None
        assert files.src.read_bytes() == files.dst.read_bytes() == files.content[:PROGRESS]
        assert result.copied == PROGRESS

    @pytest.mark.parametrize("code", ["ENOTTY", "EINVAL", "ENOSYS", "EPERM", "EFAULT"])
    def test_not_smb(self, worker: Worker, folder: Path, code: str) -> None:
        """Another file system than SMB refuses the look at the mount, once a thread and device."""
        files = Files.make(folder, SMALL)
        look = fail("CIFS_IOC_GET_MNT_INFO", getattr(errno, code))
        rules = (Rule(COPYCHUNK, "serve"), look, *on_smb())
        for asked in (1, 0):
            result = files.copied(worker, *rules)
            assert COPYCHUNK not in result.calls
            assert result.calls.count("CIFS_IOC_GET_MNT_INFO") == asked

    @pytest.mark.parametrize("code", ["EREMOTEIO", "EIO", "EACCES", "ENOSYS"])
    def test_statfs_is_only_a_hint(self, worker: Worker, folder: Path, code: str) -> None:
        """Some shares answer statfs with an error, and are copied to all the same."""
        deaf = fail("fstatfs", getattr(errno, code))
        result = Files.make(folder, LARGE).copied(worker, deaf, *through_the_client())
        assert result.mechanism == following(COPYCHUNK)

    def test_not_on_a_disk(self, worker: Worker, folder: Path) -> None:
        """A disk is not even asked what it is: its device number has a major."""
        files = Files.make(folder, SMALL)
        result = files.copied(worker, Rule(COPYCHUNK, "serve"))
        assert COPYCHUNK not in result.calls
        if os.major(files.src.stat().st_dev):
            assert "fstatfs" not in result.calls


def test_interrupted_cut(worker: Worker, folder: Path) -> None:
    """An interrupted ftruncate is made again; an interrupted close of src is none of dst's."""
    files = Files.make(folder, SMALL, "longer")
    cut = fail("ftruncate", errno.EINTR, times=STORM)
    result = files.copied(worker, cut, fail("close", errno.EINTR, where="src"), *on_smb())
    assert result.calls.count("ftruncate") == STORM + 1
    assert result.calls.count("close") == 2


def test_src_that_cannot_be_flushed(worker: Worker, folder: Path) -> None:
    """What the server has not got of src, it cannot copy."""
    rules = (fail("sync_file_range", errno.EIO, where="src"), Rule(COPYCHUNK, "serve"), *on_smb())
    result = Files.make(folder, SMALL).copied(worker, *rules)
    assert result.mechanism == following(COPYCHUNK)
    assert result.declined == {**declined_before(COPYCHUNK), COPYCHUNK: "EIO"}


@pytest.mark.parametrize("length", LENGTHS)
def test_empty_src(worker: Worker, folder: Path, length: str) -> None:
    """Nothing over something leaves and asks for no copy of nothing."""
    result = Files.make(folder, 0, length).copied(worker, *on_smb())
    assert result.mechanism == READ_WRITE
    assert not (ROWS.keys() - {READ_WRITE}) & set(result.calls)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("code", ["EIO", "EPERM", "EINVAL", "EROFS"])
def test_cut_that_fails(worker: Worker, folder: Path, code: str, size: int) -> None:
    """A dst on SMB that keeps its tail is no copy: it is opened as the standard library does."""
    rules = (fail("ftruncate", getattr(errno, code)), Rule(COPYCHUNK, "serve"), *on_smb())
    result = Files.make(folder, size, "longer").copied(worker, *rules)
    assert result.mechanism == READ_WRITE


def test_name_of_src_on_smb(worker: Worker, folder: Path) -> None:
    """A dst that turns out to be src only after it has been opened is not touched."""
    files = Files.make(folder, SMALL)
    os.link(files.src, files.dst)
    os.utime(files.src, (1, 1))
    result = worker.copy(files.src, files.dst, *on_smb())
    assert result.failure
    assert result.failure.kind is shutil.SameFileError
    assert "ftruncate" not in result.calls
    assert files.dst.read_bytes() == files.content
    assert files.src.stat().st_mtime == 1
    assert files.dst.exists()


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
    result = worker.copy(files.src, files.dst, lost, *through_the_client())
    assert result.failure
    assert result.failure.errno == getattr(errno, code)
    assert result.failure.filename == str(files.src)
    assert result.failure.filename2 == str(files.dst)
    assert not {"read", "write"} & set(result.calls)
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
    result = files.copied(worker, *reaching(mechanism))
    assert result.mechanism == mechanism
    may_be_a_share = os.major(files.dst.stat().st_dev) == 0 and length != "new"
    assert result.calls.count("sync_file_range") == may_be_a_share  # errors of earlier writes


@pytest.mark.parametrize("code", ["ENOSYS", "EPERM", "ESPIPE"])
def test_write_out_is_only_a_hint(worker: Worker, folder: Path, code: str) -> None:
    """A system without sync_file_range is asked once."""
    refused = fail("sync_file_range", getattr(errno, code), where="dst")
    result = Files.make(folder, 6 * MIB).copied(worker, refused, *through_the_client())
    assert result.mechanism == following(COPYCHUNK)
    assert result.calls.count("sync_file_range") == 2  # src before copychunk, and dst


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("4.4.302-cip97", following(COPY_FILE_RANGE)),
        ("5.2.21", following(COPY_FILE_RANGE)),
        ("5.3.0", COPY_FILE_RANGE),
        ("6.1.0-13-amd64", COPY_FILE_RANGE),
        ("10.0", COPY_FILE_RANGE),
    ],
)
def test_kernel_release(folder: Path, release: str, expected: str) -> None:
    """Before 5.3, copy_file_range is not asked: it could succeed with nothing copied."""
    with started_worker(release) as fresh:
        result = Files.make(folder, SMALL).copied(fresh)
    assert result.mechanism == expected
    assert result.declined == {FICLONE: "EOPNOTSUPP"}
    assert (COPY_FILE_RANGE in result.calls) == (expected == COPY_FILE_RANGE)


def test_glibc_before_2_27(folder: Path) -> None:
    """copy_file_range is not asked for if glibc has none: here, its name is one that none has."""
    package = folder / "elsewhere" / "speedcopy"
    shutil.copytree(os.path.dirname(speedcopy.__file__), package)
    extension = package / os.path.basename(native.__file__)
    content = extension.read_bytes()
    extension.write_bytes(content.replace(b"\0copy_file_range\0", b"\0copy_file_rang?\0"))
    files = Files.make(folder, SMALL)
    code = "import sys, speedcopy; print(speedcopy.transfer(*sys.argv[1:]).mechanism)"
    done = subprocess.run(
        [sys.executable, "-c", code, files.src, files.dst],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert "copy_file_rang" not in done.stdout
    assert files.dst.read_bytes() == files.content
