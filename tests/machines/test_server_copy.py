"""The row that has an SMB server copy: what it makes, when it declines, and what it leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any, Callable, NoReturn, Optional

import pytest
from machines import darwin, native
from machines.copies import QUARANTINE, READ_WRITE, SERVER_COPY, Copies, occurrences
from machines.loader import Machine
from machines.script import Rule, after, before, fail, late, nothing, signalled
from machines.volume import Volume
from support.process_limits import umask
from support.python import importing

import speedcopy
from speedcopy import _copyfile

if TYPE_CHECKING:
    from types import FrameType

#: What a volume, the client and a server refuse with.
ERRNOS = (
    *("ENOTSUP", "EXDEV", "EINVAL", "EIO", "EACCES", "EPERM", "EBUSY", "ENOENT", "ENOSYS"),
    *("ENOSPC", "EDQUOT", "ESTALE", "EROFS", "ENOMEM", "EAGAIN"),
)

LONG_AGO = 86_400 * 10**9


@pytest.fixture(autouse=True)
def asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment variable does."""
    monkeypatch.setattr(_copyfile, "SERVER_COPY", native.in_use().numbers.SC_SERVER_COPY)


def dress(copies: Copies, mode: int = 0o644) -> None:
    """Gives src what a server copies, and a plain copy has not."""
    os.setxattr(copies.src, "user.com.apple.FinderInfo", b"1")
    os.setxattr(copies.src, QUARANTINE, b"0081;")
    Volume(copies.script).set_flags(os.fsencode(copies.src), darwin.UF_HIDDEN)
    Volume(copies.script).set_born(os.fsencode(copies.src), LONG_AGO)
    os.utime(copies.src, ns=(LONG_AGO, LONG_AGO))
    copies.src.chmod(mode)


def is_plain(copies: Copies, mode: int = 0o644) -> None:
    """Checks that dst is what a plain copy makes."""
    st, name = copies.dst.stat(), os.fsencode(copies.dst)
    assert oct(st.st_mode) == oct(0o100000 | mode)
    assert abs(time.time() - st.st_mtime) < 60
    assert abs(time.time_ns() - Volume(copies.script).born(st)) < 60 * 10**9
    assert Volume(copies.script).flags(name) == 0
    assert Volume(copies.script).names(name) == ["com.apple.quarantine"]


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o600, 0o711])
def test_is_plain(copies: Copies, mode: int) -> None:
    """Streams, mode, times and flags that the server copies along are not on dst."""
    copies.make()
    dress(copies, mode)
    with umask(0o22):
        outcome = copies.copy(smb=True)
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (SERVER_COPY, {})
    is_plain(copies)
    assert outcome.calls.index("fsync") < outcome.calls.index(SERVER_COPY)
    assert not {"read", "write"} & set(outcome.calls)


def test_no_more_open(copies: Copies) -> None:
    """Nobody may read dst for a moment who may not read it in the end."""
    copies.make()
    dress(copies)
    with umask(0o77):
        outcome = copies.copy(smb=True)
    copies.check_copied(outcome)
    assert outcome.declined[SERVER_COPY] == "EACCES"
    assert SERVER_COPY not in outcome.calls
    is_plain(copies, 0o600)


@pytest.mark.parametrize("errno", ERRNOS)
def test_declined(copies: Copies, errno: str) -> None:
    """Whatever the call refuses with, the copy goes on as usual."""
    copies.make()
    dress(copies)
    outcome = copies.copy(fail(SERVER_COPY, errno), smb=True)
    copies.check_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert outcome.declined[SERVER_COPY] in (errno, "EOPNOTSUPP")
    is_plain(copies)


@pytest.mark.parametrize("rules", [(), (fail("write", "ENOSPC"),)], ids=["copied", "failed"])
@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_existing_dst(copies: Copies, when: str, rules: tuple[Rule, ...]) -> None:
    """It is written to as usual, and never removed."""
    copies.make(old=20_000)
    number = copies.dst.stat().st_ino
    appear: tuple[Rule, ...] = ()
    if when == "meanwhile":
        hidden = copies.folder.parent / "hidden"
        copies.dst.rename(hidden)
        appear = (before(SERVER_COPY, lambda: hidden.rename(copies.dst)),)
    outcome = copies.copy(*appear, *rules, smb=True)
    assert copies.dst.stat().st_ino == number
    assert (SERVER_COPY in outcome.calls) == (when == "meanwhile")
    if not rules:
        copies.check_copied(outcome)
        assert outcome.declined == {SERVER_COPY: "EEXIST"}
    else:
        copies.check_failed(outcome)


def test_other_device(copies: Copies) -> None:
    """A server copies within a share, and nothing is tried in the other folder."""
    copies.make()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == copies.folder.stat().st_dev:
            pytest.skip("one file system only")
        copies.script.set(smb=True)
        result = speedcopy.transfer(copies.src, os.path.join(other, "dst"))
        assert os.listdir(other) == ["dst"]
    assert result.mechanism == READ_WRITE
    assert result.declined[SERVER_COPY] == "EXDEV"
    assert not {SERVER_COPY, "arc4random"} & set(copies.script.calls)


NOT_ASKED: dict[str, dict[str, Any]] = {
    "not smbfs": {"smb": False, "clones": False},
    "progress": {"smb": True, "progress": lambda _copied, _total: None},
    "no sharing": {"smb": True, "reflink": "never"},
    "all bytes": {"smb": True, "sparse": False},
    "not set": {"smb": True},
}


@pytest.mark.parametrize("why", NOT_ASKED)
def test_not_asked(copies: Copies, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """Then it is no mechanism of this copy."""
    if why == "not set":
        monkeypatch.setattr(_copyfile, "SERVER_COPY", 0)
    copies.make()
    outcome = copies.copy(**NOT_ASKED[why])
    copies.check_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert SERVER_COPY not in {*outcome.declined, *outcome.calls}


def test_empty_and_too_large(copies: Copies) -> None:
    """Nothing to copy; more than a user waits for."""
    copies.make(0)
    assert SERVER_COPY not in copies.copy(smb=True).calls
    os.truncate(copies.src, (1 << 30) + 1)
    copies.dst.unlink()
    copies.script.set(nothing("read"), smb=True)
    result = speedcopy.transfer(copies.src, copies.dst)
    assert SERVER_COPY not in {*result.declined, *copies.script.calls}


def partly(copies: Copies) -> None:
    """A part of src is in dst."""
    copies.dst.write_bytes(copies.content[:5000])


@pytest.mark.parametrize("left", ["all", "a part"])
@pytest.mark.parametrize("rules", [(), (fail("write", "ENOSPC"),)], ids=["copied", "failed"])
def test_failed_and_dst_is_there(copies: Copies, rules: tuple[Rule, ...], left: str) -> None:
    """Whose it is, is not known: it is overwritten as an existing file, and never removed."""
    copies.make()
    failing = late(SERVER_COPY, "ETIMEDOUT")
    if left == "a part":
        failing = Rule(SERVER_COPY, "call", function=lambda: partly(copies))
    outcome = copies.copy(failing, *rules, smb=True)
    if not rules:
        copies.check_copied(outcome)
        assert outcome.mechanism == READ_WRITE
    else:
        assert copies.dst.read_bytes() == b""


def test_not_the_size_of_src(copies: Copies) -> None:
    """Src has changed, or the server is wrong: what it has made is removed, and made again."""
    copies.make()
    dress(copies)
    made: list[int] = []

    def cut() -> None:
        partly(copies)
        made.append(copies.dst.stat().st_ino)

    outcome = copies.copy(after(SERVER_COPY, cut), smb=True)
    copies.check_copied(outcome)
    assert outcome.declined[SERVER_COPY] == "EIO"
    assert outcome.calls.count("unlinkat") == 2
    is_plain(copies)


def by_link(copies: Copies) -> None:
    """Dst is now a link to another file."""
    copies.dst.unlink()
    copies.dst.symlink_to(copies.folder.parent / "victim")


def by_src(copies: Copies) -> None:
    """Dst is now another name of src."""
    copies.dst.unlink()
    os.link(copies.src, copies.dst)


def by_fifo(copies: Copies) -> None:
    """Dst is now no file."""
    copies.dst.unlink()
    os.mkfifo(copies.dst)


@pytest.mark.parametrize("replace", [by_link, by_src, by_fifo])
def test_replaced_afterwards(copies: Copies, replace: Callable[[Copies], None]) -> None:
    """What is no copy of the server is treated as the standard library treats what it finds."""
    copies.make()
    victim = copies.folder.parent / "victim"
    victim.write_bytes(b"a stranger's")
    victim.chmod(0o604)
    outcome = copies.copy(after(SERVER_COPY, lambda: replace(copies)), smb=True)
    assert victim.stat().st_mode & 0o777 == 0o604
    assert os.path.lexists(copies.dst)
    if replace is by_link:
        copies.check_copied(outcome)
        assert outcome.declined[SERVER_COPY] == "ELOOP"
    else:
        assert isinstance(outcome.error, OSError)
    copies.dst.unlink()
    victim.unlink()


@pytest.mark.parametrize("errno", ["EPERM", "EIO", "EINTR", "ENOSPC", "ENOENT"])
def test_each_call_fails_once(copies: Copies, errno: str) -> None:
    """Any call, at any occurrence: dst is a copy, or the copy has failed and cleaned up."""
    copies.make()
    dress(copies)
    usual = copies.copy(smb=True)
    for call, number in occurrences(usual.calls):
        if call in ("unlinkat", "malloc"):  # the temporary name stays; another errno
            continue
        copies.reset()
        outcome = copies.copy(fail(call, errno, skip=number, times=1), smb=True)
        if outcome.error is None:
            copies.check_copied(outcome)
        else:
            assert outcome.errno == darwin.to_host(darwin.ERRNOS[errno]), (call, number)
            copies.check_failed(outcome)


@pytest.mark.parametrize("call", ["fstatat", "openat", "fstat", "fsync"])
def test_ctrl_c_before(copies: Copies, call: str) -> None:
    """Once a handler has raised, no server is asked."""

    def handler(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise KeyboardInterrupt

    copies.make()
    previous = signal.signal(signal.SIGUSR1, handler)
    try:
        outcome = copies.copy(
            signalled(call, lambda: os.kill(os.getpid(), signal.SIGUSR1)), smb=True
        )
    finally:
        signal.signal(signal.SIGUSR1, previous)
    assert isinstance(outcome.error, KeyboardInterrupt)
    assert SERVER_COPY not in outcome.calls
    copies.check_failed(outcome)


@pytest.mark.parametrize("old", [None, 9], ids=["new", "existing"])
def test_between_directories(copies: Copies, old: Optional[int]) -> None:
    """The call takes no directory, so it gets the names as the system has them."""
    copies.make(old=old)
    dress(copies, 0o755)
    copies.script.set(smb=True)
    dst = copies.between_directories()
    assert copies.script.calls.count(SERVER_COPY) == (old is None)
    assert (dst.stat().st_mtime_ns, dst.stat().st_mode & 0o777) == (LONG_AGO, 0o755)


def test_relative_names(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the directory in which the copy began."""
    copies.make()
    copies.script.set(smb=True)
    monkeypatch.chdir(copies.folder)
    assert speedcopy.transfer("src", "dst").mechanism == SERVER_COPY
    assert copies.dst.read_bytes() == copies.content


def test_system_without_the_call(copies: Copies) -> None:
    """The linker then leaves its address 0, as for every weak import."""
    machine = Machine(native.in_use().image)
    for name, slot in zip(machine.image.imports, machine.image.slots):
        if name == SERVER_COPY:
            machine.write(slot, bytes(8))
    copies.make()
    idle = native.in_use().idle
    others, idle[:] = [*idle], [machine]
    outcome = copies.copy(smb=True)
    idle[:] = others
    copies.check_copied(outcome)
    assert outcome.declined[SERVER_COPY] == "ENOSYS"


@pytest.mark.parametrize("value", ["1", "0", ""])
def test_environment_variable(copies: Copies, value: str) -> None:
    """It is read when the package is imported."""
    copies.make()
    code = (
        "from machines import native; native.in_use().script.set(smb=True);"
        "import speedcopy; print(speedcopy.transfer('src', 'dst').mechanism)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=copies.folder,
        env={**importing(), "SPEEDCOPY_MACOS_SERVER_COPY": value},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == (SERVER_COPY if value == "1" else READ_WRITE)
