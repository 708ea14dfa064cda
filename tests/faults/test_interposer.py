"""The interposer itself: it says what it cannot do."""

from __future__ import annotations

import errno
import os
import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest
from support import interpose
from support.interpose import Rule, Worker, calls, fail

if TYPE_CHECKING:
    from pathlib import Path


def test_broken_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it cannot be compiled, the first test fails with the reason; others are skipped."""

    def refuse() -> NoReturn:
        raise subprocess.CalledProcessError(1, "cc", stderr="expected ';'")

    monkeypatch.setattr(interpose, "_compile", refuse)
    monkeypatch.setattr(interpose, "_broken", [])
    with pytest.raises(pytest.fail.Exception, match="expected ';'"):
        Worker().copy("src", "dst")
    with pytest.raises(pytest.skip.Exception, match="cannot be compiled"):
        Worker().copy("src", "dst")


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Rule("raed", "fail"), r"interpose\*\.c does not have the call raed"),
        (Rule("read", "fial"), r"Rule\(call='read', action='fial'"),
    ],
)
def test_impossible_rule(worker: Worker, folder: Path, rule: Rule, reason: str) -> None:
    """A rule about a call or with an action that it does not know is an error."""
    with pytest.raises(AssertionError, match=f"AssertionError: {reason}"):
        worker.copy(folder / "src", folder / "dst", rule)


def test_fsync(worker: Worker, folder: Path) -> None:
    """A flush of a file can be refused."""
    (folder / "src").touch()
    for rules, code in (([fail("fsync", errno.EIO)], errno.EIO), ([], 0)):
        assert worker.call(flush, rules, folder / "src") == (code, ["open", "fsync", "close"])


# Below: what runs in the worker.


def flush(src: str) -> tuple[int, list[str]]:
    """Flushes a file. Returns the errno and the calls on the file."""
    anywhere = os.open(os.curdir, os.O_RDONLY)
    fd = os.open(src, os.O_RDWR, dir_fd=anywhere)  # openat(), as in the native layer
    code = 0
    try:
        os.fsync(fd)
    except OSError as error:
        code = error.errno or 0
    finally:
        os.close(fd)
        os.close(anywhere)
    return code, calls()
