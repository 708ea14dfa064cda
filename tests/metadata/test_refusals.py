"""Metadata that the file system refuses, call by call."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any, Optional

import pytest
from metadata.outcomes import xattrs_of
from support.failure import Failure
from support.interpose import Rule, Worker, fail, signalled, started_worker
from support.layout import pattern

from speedcopy import _copy2, transfer
from speedcopy._copyfile import Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: ENOTSUPP, which the NFS client lets through and the C library does not know.
NFS_ENOTSUPP = 524

CODES = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, NFS_ENOTSUPP, errno.EIO, errno.EACCES)

#: By call: the function on a descriptor, which ours calls, and the one on a path.
FUNCTIONS = {
    "utime": ("futimens", "utimensat"),
    "listxattr": ("flistxattr", "listxattr"),
    "getxattr": ("fgetxattr", "getxattr"),
    "setxattr": ("fsetxattr", "setxattr"),
    "chmod": ("fchmod", "chmod"),
}

#: How the report names what is refused: "xattrs" for the others.
ATTRIBUTES = {"utime": "times", "chmod": "mode"}

#: What means that src has no attributes.
NONE = {("listxattr", errno.EOPNOTSUPP)}

#: A new file does not get a setuid bit, so there is always something to chmod.
WANTED = {"mode": 0o104750, "times": 5 * 10**9, "xattrs": {"user.one": b"1", "user.two": b"2"}}
MISSING: dict[str, Any] = {"mode": None, "times": None, "xattrs": {}}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process for all of these."""
    with started_worker() as process:
        yield process


@pytest.fixture
def src(folder: Path) -> Path:
    """A file with metadata of all kinds."""
    if not hasattr(os, "setxattr"):
        pytest.skip("no extended attributes on this platform")
    path = folder / "src"
    path.write_bytes(pattern(5000))
    try:
        os.setxattr(path, "user.one", b"1")
        os.setxattr(path, "user.two", b"2")
    except OSError as error:
        pytest.skip(f"no extended attributes here: {error!r}")
    path.chmod(0o4750)
    os.utime(path, ns=(5 * 10**9, 5 * 10**9))
    return path


def copy_by(src: str, how: str) -> tuple[dict[str, str], Optional[Failure]]:
    """In the worker: one copy; what was refused, and what was raised."""
    dst = os.path.join(os.path.dirname(src), how)
    refused: dict[str, str] = {}
    try:
        if how == "shutil":
            shutil.copy2(src, dst)
        elif how == "copy2":
            _copy2.copy2(src, dst)
        elif how == "copier":
            copier = _copy2.Copier(Options(metadata="best-effort", src_is_file=True))
            copier(src, dst)
            refused = copier.refused
        else:
            refused = transfer(src, dst, metadata="best-effort").refused
    except OSError as error:
        return refused, Failure.of(error)
    return refused, None


def rules(call: str, code: int) -> tuple[Rule, ...]:
    """The call fails, by whatever function it is made."""
    return tuple(fail(name, code) for name in FUNCTIONS[call])


def metadata_of(path: Path) -> dict[str, Any]:
    """As in WANTED; None for a mode and times that are not those of src."""
    st = path.stat()
    found = {"mode": st.st_mode, "times": st.st_mtime_ns}
    known = {name: value if value == WANTED[name] else None for name, value in found.items()}
    return {**known, "xattrs": xattrs_of(str(path))}


def named(code: int) -> str:
    """How a report spells an errno."""
    return "EOPNOTSUPP" if code == errno.EOPNOTSUPP else errno.errorcode.get(code, str(code))


@pytest.mark.parametrize("how", ["transfer", "copier"])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", FUNCTIONS)
def test_best_effort(worker: Worker, call: str, code: int, how: str, src: Path) -> None:
    """All data is copied, and all other metadata; what was refused is reported."""
    refused, failure = worker.call(copy_by, rules(call, code), src, how)
    attribute = ATTRIBUTES.get(call, "xattrs")
    assert failure is None
    assert refused == ({} if (call, code) in NONE else {attribute: named(code)})
    dst = src.with_name(how)
    assert dst.read_bytes() == pattern(5000)
    assert metadata_of(dst) == {**WANTED, attribute: MISSING[attribute]}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("call", FUNCTIONS)
def test_strict(worker: Worker, call: str, code: int, src: Path) -> None:
    """The error is shutil's, but for the file's name, and so is the file."""
    _, theirs = worker.call(copy_by, rules(call, code), src, "shutil")
    _, ours = worker.call(copy_by, rules(call, code), src, "copy2")
    dst, their_dst = src.with_name("copy2"), src.with_name("shutil")
    assert dst.read_bytes() == their_dst.read_bytes() == pattern(5000)
    if theirs is None:
        assert ours is None
        assert metadata_of(dst) == metadata_of(their_dst)
    else:
        assert ours
        assert ours.filename == (theirs.filename and theirs.filename.replace("shutil", "copy2"))
        for name in ("kind", "errno", "strerror", "filename2"):
            assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize("call", FUNCTIONS)
def test_interrupted(worker: Worker, call: str, src: Path) -> None:
    """A call that a signal interrupts is made again."""
    rule = signalled(FUNCTIONS[call][0], signal.SIGUSR1)
    refused, failure = worker.call(copy_by, [rule], src, "transfer")
    assert (refused, failure) == ({}, None)
    assert metadata_of(src.with_name("transfer")) == WANTED
