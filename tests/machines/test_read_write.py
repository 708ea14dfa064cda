"""The last row, and the rule for all calls: short ones, interrupted ones, and each that fails."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, NoReturn, Optional

import pytest
from machines import darwin
from machines.copies import CLONE, LARGE, MIB, QUARANTINE, READ_WRITE, Copies, occurrences
from machines.script import before, fail, late, nothing, short
from support.process_limits import umask

if TYPE_CHECKING:
    from types import FrameType

#: Errnos of each kind: refused, not supported, bad luck, full.
ERRNOS = (
    *("EPERM", "EACCES", "ENOTSUP", "EINVAL", "ENOENT", "EIO"),
    *("ENOSPC", "EDQUOT", "ENOMEM", "ESTALE", "EMFILE"),
)

#: What dst is before: its size relative to 10007 bytes of src, and whether the volume clones.
STATES = {
    "new": (None, True),
    "new, no clones": (None, False),
    "empty": (0, True),
    "shorter": (5_000, True),
    "longer": (20_000, True),
}


@pytest.mark.parametrize("errno", ERRNOS)
@pytest.mark.parametrize("state", STATES)
def test_each_call_fails_once(copies: Copies, state: str, errno: str) -> None:
    """Any call, at any occurrence: dst is a copy, or the copy has failed and cleaned up."""
    old, clones = STATES[state]
    copies.make(old=old)
    usual = copies.copy(clones=clones)
    copies.check_copied(usual)
    for call, number in occurrences(usual.calls):
        copies.reset()
        outcome = copies.copy(fail(call, errno, skip=number, times=1), clones=clones)
        if outcome.error is None:
            copies.check_copied(outcome)
        else:
            assert isinstance(outcome.error, OSError), (call, number)
            expected = "ENOMEM" if call == "malloc" else errno
            assert outcome.errno == darwin.to_host(darwin.ERRNOS[expected]), (call, number)
            copies.check_failed(outcome)


@pytest.mark.parametrize("state", STATES)
def test_each_call_interrupted(copies: Copies, state: str) -> None:
    """EINTR ends no copy, unless close returns it."""
    old, clones = STATES[state]
    copies.make(old=old)
    usual = copies.copy(clones=clones)
    for call, number in occurrences(usual.calls):
        copies.reset()
        outcome = copies.copy(fail(call, "EINTR", skip=number, times=1), clones=clones)
        if outcome.error is None or call not in ("close", "malloc", "fsetxattr"):
            copies.check_copied(outcome)
        else:
            copies.check_failed(outcome)


@pytest.mark.parametrize("times", [1, -1], ids=["once", "always"])
@pytest.mark.parametrize("amount", [1, 4095, 100_001])
@pytest.mark.parametrize("call", ["read", "write"])
def test_short(copies: Copies, call: str, amount: int, times: int) -> None:
    """A call that moves less goes on."""
    copies.make(2000 if amount == 1 else LARGE)
    outcome = copies.copy(short(call, amount, times=times), clones=False)
    copies.check_copied(outcome)
    assert outcome.mechanism == READ_WRITE


@pytest.mark.parametrize("old", [None, LARGE, LARGE + MIB], ids=["new", "equal", "longer"])
@pytest.mark.parametrize("errno", ["ENOSPC", "EDQUOT", "EIO", "EFBIG"])
@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_write_fails(copies: Copies, rounds: int, errno: str, old: Optional[int]) -> None:
    """The copy fails; an existing dst has what had been copied."""
    copies.make(LARGE, old=old)
    outcome = copies.copy(fail("write", errno, skip=rounds), clones=False)
    assert outcome.errno == darwin.to_host(darwin.ERRNOS[errno])
    copies.check_failed(outcome)
    if old:
        assert copies.dst.stat().st_size == rounds * MIB


@pytest.mark.parametrize("old", [None, LARGE], ids=["new", "existing"])
@pytest.mark.parametrize("errno", ["EIO", "ESTALE", "EACCES"])
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_read_fails(copies: Copies, rounds: int, errno: str, old: Optional[int]) -> None:
    """The same for src."""
    copies.make(LARGE, old=old)
    outcome = copies.copy(fail("read", errno, skip=rounds), clones=False)
    assert outcome.errno == darwin.to_host(darwin.ERRNOS[errno])
    copies.check_failed(outcome)


def test_full_after_a_short_write(copies: Copies) -> None:
    """What a write has moved before counts."""
    copies.make(LARGE, old=5)
    rules = (short("write", 5000, skip=1, times=1), fail("write", "ENOSPC", skip=2))
    outcome = copies.copy(*rules, clones=False)
    assert outcome.errno == darwin.to_host(darwin.ERRNOS["ENOSPC"])
    assert copies.dst.read_bytes() == copies.content[: MIB + 5000]


@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
def test_close_fails(copies: Copies, old: Optional[int]) -> None:
    """An error of closing dst is one of the copy."""
    copies.make(old=old)
    closes = copies.copy(clones=False).calls.count("close")
    for number in range(closes):
        copies.reset()
        outcome = copies.copy(late("close", "EDQUOT", skip=number, times=1), clones=False)
        if outcome.error is None:
            copies.check_copied(outcome)
        else:
            copies.check_failed(outcome)
    copies.reset()
    failed = copies.copy(late("close", "EDQUOT", times=1), clones=False)
    assert failed.errno == darwin.to_host(darwin.ERRNOS["EDQUOT"])


def test_src_ends_early(copies: Copies) -> None:
    """A read that returns nothing is the end."""
    copies.make(LARGE)
    outcome = copies.copy(nothing("read", skip=1), clones=False)
    assert outcome.transfer
    assert outcome.transfer.copied == MIB
    assert copies.dst.read_bytes() == copies.content[:MIB]


@pytest.mark.parametrize("old", [None, 20_000], ids=["new", "existing"])
def test_quarantine(copies: Copies, old: Optional[int]) -> None:
    """It is carried, and no other attribute is."""
    copies.make(old=old)
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    os.setxattr(copies.src, "user.other", b"1")
    outcome = copies.copy(clones=False)
    copies.check_copied(outcome)
    assert os.getxattr(copies.dst, QUARANTINE) == b"0081;"
    assert "user.other" not in os.listxattr(copies.dst)
    assert outcome.calls.index("fsetxattr") < outcome.calls.index("write")


@pytest.mark.parametrize("mask", [0o200, 0o222, 0o277])
def test_quarantine_on_a_new_file_that_its_owner_may_not_write(copies: Copies, mask: int) -> None:
    """It is set as in Apple's copyfile, and the mode is the one of a new file in the end."""
    copies.make()
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    with umask(mask):
        outcome = copies.copy(clones=False)
    copies.check_copied(outcome)
    assert os.getxattr(copies.dst, QUARANTINE) == b"0081;"
    assert copies.dst.stat().st_mode & 0o7777 == 0o666 & ~mask


@pytest.mark.parametrize("errno", ["ENOATTR", "ENOTSUP", "EPERM", "ERANGE"])
def test_quarantine_not_readable(copies: Copies, errno: str) -> None:
    """As in Apple's copyfile, that is none."""
    copies.make()
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    outcome = copies.copy(fail("fgetxattr", errno), clones=False)
    copies.check_copied(outcome)
    assert os.listxattr(copies.dst) == []


@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
def test_quarantine_not_set(copies: Copies, old: Optional[int]) -> None:
    """As in Apple's copyfile, the copy fails: dst would be taken for safe."""
    copies.make(old=old)
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    outcome = copies.copy(fail("fsetxattr", "EPERM"), clones=False)
    assert isinstance(outcome.error, PermissionError)
    copies.check_failed(outcome)


@pytest.mark.parametrize("old", [None, LARGE], ids=["new", "existing"])
def test_cancelled(copies: Copies, old: Optional[int]) -> None:
    """What progress raises stops the copy, and comes out of it."""
    stop = KeyError("stop")

    def progress(_copied: int, _total: int) -> NoReturn:
        raise stop

    copies.make(LARGE, old=old)
    outcome = copies.copy(progress=progress, clones=False)
    assert outcome.error is stop
    copies.check_failed(outcome)


@pytest.mark.parametrize("old", [None, LARGE], ids=["new", "existing"])
@pytest.mark.parametrize("call", ["read", "write", "openat", "fstat"])
def test_ctrl_c(copies: Copies, call: str, old: Optional[int]) -> None:
    """A handler that raises after EINTR stops the copy."""

    def handler(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise KeyboardInterrupt

    copies.make(LARGE, old=old)
    previous = signal.signal(signal.SIGUSR1, handler)
    rules = (
        before(call, lambda: os.kill(os.getpid(), signal.SIGUSR1)),
        fail(call, "EINTR", skip=1, times=1),
    )
    try:
        outcome = copies.copy(*rules, clones=False)
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert isinstance(outcome.error, KeyboardInterrupt)
    copies.check_failed(outcome)


def test_ticks(copies: Copies) -> None:
    """Progress is told the bytes so far, and the end once."""
    told: list[tuple[int, int]] = []
    copies.make(LARGE)
    rules = (short("read", 50_000),)
    outcome = copies.copy(*rules, clones=False, progress=lambda *numbers: told.append(numbers))
    copies.check_copied(outcome)
    assert told[-1] == (LARGE, LARGE)
    assert [copied for copied, _ in told] == sorted({copied for copied, _ in told})


def test_clone_declined_with_bytes_in_dst(copies: Copies) -> None:
    """A declined row is not believed to have left dst empty."""
    copies.make()

    def write() -> None:
        copies.dst.write_bytes(b"left by a refused clone" * 1000)

    outcome = copies.copy(before("fsetattrlist", write), fail("renameat", "EIO"))
    copies.check_copied(outcome)
    assert list(outcome.declined) == [CLONE]
