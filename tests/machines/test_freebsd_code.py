"""The code for FreeBSD: its table, and that it calls the system as FreeBSD defines it."""

from __future__ import annotations

import os
from typing import Optional

import pytest
from machines import darwin, libsystem, native
from machines.copies import LARGE, MIB, READ_WRITE, Copies, occurrences
from machines.loader import DATA
from machines.script import fail, late, nothing, short
from machines.volume import Volume
from support.process_limits import umask

COPY_FILE_RANGE = "copy_file_range"

ERRNOS = ("EINVAL", "EBADF", "EFBIG", "EISDIR", "EIO", "ENOSYS", "EXDEV", "EPERM", "ENOSPC")

#: A size of dst before, relative to 10007 bytes of src.
STATES = {"new": None, "empty": 0, "shorter": 5_000, "longer": 20_000}


def test_every_import_is_modelled() -> None:
    """On this processor."""
    assert set(native.in_use().image.imports) - {"", *DATA} <= set(libsystem.CALLS)


@pytest.mark.parametrize("mask", [0, 0o22, 0o277])
@pytest.mark.parametrize("state", STATES)
def test_copied(copies: Copies, state: str, mask: int) -> None:
    """The kernel copies; a new dst has the mode of a new file."""
    copies.make(old=STATES[state])
    with umask(mask):
        outcome = copies.copy()
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (COPY_FILE_RANGE, {})
    if state == "new":
        assert copies.dst.stat().st_mode & 0o7777 == 0o666 & ~mask


@pytest.mark.parametrize("errno", ERRNOS)
@pytest.mark.parametrize("rounds", [0, 2])
def test_declined(copies: Copies, rounds: int, errno: str) -> None:
    """Read and write go on where it stood, unless the disk is full after some bytes."""
    copies.make(LARGE)
    outcome = copies.copy(fail(COPY_FILE_RANGE, errno, skip=rounds))
    if errno == "ENOSPC" and rounds:
        assert outcome.errno == darwin.to_host(darwin.ERRNOS[errno])
        copies.check_failed(outcome)
    else:
        copies.check_copied(outcome)
        assert (outcome.mechanism, outcome.declined) == (READ_WRITE, {COPY_FILE_RANGE: errno})


@pytest.mark.parametrize("amount", [1000, 4095, 100_001])
def test_short(copies: Copies, amount: int) -> None:
    """A call that moves less goes on."""
    copies.make(LARGE)
    outcome = copies.copy(short(COPY_FILE_RANGE, amount))
    copies.check_copied(outcome)
    assert outcome.mechanism == COPY_FILE_RANGE


def test_nothing_copied(copies: Copies) -> None:
    """That is no success."""
    copies.make()
    outcome = copies.copy(nothing(COPY_FILE_RANGE))
    copies.check_copied(outcome)
    assert outcome.declined == {COPY_FILE_RANGE: "no data"}


@pytest.mark.parametrize("errno", ["EPERM", "EIO", "ENOSPC", "EINTR", "ENOENT", "EMFILE"])
@pytest.mark.parametrize("state", STATES)
def test_each_call_fails_once(copies: Copies, state: str, errno: str) -> None:
    """Any call, at any occurrence: dst is a copy, or the copy has failed and cleaned up."""
    copies.make(old=STATES[state])
    for call, number in occurrences(copies.copy().calls):
        copies.reset()
        outcome = copies.copy(fail(call, errno, skip=number, times=1))
        if outcome.error is None:
            copies.check_copied(outcome)
        else:
            expected = "ENOMEM" if call == "malloc" else errno
            assert outcome.errno == darwin.to_host(darwin.ERRNOS[expected]), (call, number)
            copies.check_failed(outcome)


@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
def test_close_fails(copies: Copies, old: Optional[int]) -> None:
    """An error of closing dst is one of the copy."""
    copies.make(old=old)
    outcome = copies.copy(late("close", "EDQUOT", times=1))
    assert outcome.errno == darwin.to_host(darwin.ERRNOS["EDQUOT"])
    copies.check_failed(outcome)


@pytest.mark.parametrize("options", [{"reflink": "never"}, {"sparse": False}])
def test_nothing_shared(copies: Copies, options: dict[str, bool]) -> None:
    """ZFS may share blocks in it."""
    copies.make(2 * MIB)
    outcome = copies.copy(**options)
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (READ_WRITE, {})


@pytest.mark.parametrize("flags", [0, 1])
@pytest.mark.parametrize("mode", [0o600, 0o755])
def test_metadata(copies: Copies, mode: int, flags: int) -> None:
    """Mode, times and flags."""
    copies.make()
    Volume(copies.script).set_flags(os.fsencode(copies.src), flags)
    os.utime(copies.src, ns=(10**18, 10**18 + 5))
    copies.src.chmod(mode)
    outcome = copies.copy(metadata="strict")
    copies.check_copied(outcome)
    st = copies.dst.stat()
    assert (st.st_mtime_ns, st.st_mode & 0o7777) == (10**18 + 5, mode)
    assert Volume(copies.script).flags(os.fsencode(copies.dst)) == flags
