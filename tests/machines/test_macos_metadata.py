"""copy2 on macOS: mode, times and flags, and no extended attributes, as Python has none there."""

from __future__ import annotations

import os

import pytest
from machines import darwin
from machines.copies import CLONE, QUARANTINE, READ_WRITE, Copies
from machines.script import fail
from machines.volume import Volume

LONG_AGO = 86_400 * 10**9 + 5


def dress(copies: Copies, mode: int, flags: int) -> None:
    """Gives src what copy2 copies, and what it does not copy."""
    Volume(copies.script).set_flags(os.fsencode(copies.src), flags)
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    os.setxattr(copies.src, "user.other", b"1")
    os.utime(copies.src, ns=(LONG_AGO, LONG_AGO))
    copies.src.chmod(mode)


@pytest.mark.parametrize("clones", [True, False])
@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o755])
@pytest.mark.parametrize("flags", [0, darwin.UF_HIDDEN])
def test_stat(copies: Copies, flags: int, mode: int, old: int | None, *, clones: bool) -> None:
    """Whatever copies the data, dst has the same metadata."""
    copies.make(old=old)
    dress(copies, mode, flags)
    outcome = copies.copy(clones=clones, metadata="strict")
    copies.check_copied(outcome)
    assert outcome.mechanism == (CLONE if clones and old is None else READ_WRITE)
    st = copies.dst.stat()
    assert (st.st_mtime_ns, st.st_mode & 0o7777) == (LONG_AGO, mode)
    assert Volume(copies.script).flags(os.fsencode(copies.dst)) == flags
    assert Volume(copies.script).names(os.fsencode(copies.dst)) == ["com.apple.quarantine"]


@pytest.mark.parametrize("errno", ["ENOTSUP", "EOPNOTSUPP"])
def test_no_flags(copies: Copies, errno: str) -> None:
    """A file system without flags is no error, as in shutil."""
    copies.make(old=9)
    dress(copies, 0o644, darwin.UF_HIDDEN)
    outcome = copies.copy(fail("fchflags", errno), metadata="strict")
    copies.check_copied(outcome)
    assert outcome.calls.count("fchflags") == 1


@pytest.mark.parametrize("call", ["futimens", "fchmod", "fchflags"])
def test_refused(copies: Copies, call: str) -> None:
    """What is refused is raised, and the data is there."""
    copies.make(old=9)
    dress(copies, 0o755, darwin.UF_HIDDEN)
    outcome = copies.copy(fail(call, "EPERM"), metadata="strict")
    assert isinstance(outcome.error, PermissionError)
    assert copies.dst.read_bytes() == copies.content


@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
def test_between_directories(copies: Copies, old: int | None) -> None:
    """The copier of a tree clones, too, and only over a file that it has created."""
    copies.make(old=old)
    dress(copies, 0o755, 0)
    copies.script.set()
    dst = copies.between_directories()
    assert copies.script.calls.count("fclonefileat") == (old is None)
    assert dst.stat().st_mode & 0o777 == 0o755
