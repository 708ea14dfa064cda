"""The interposer itself: it says what it cannot do."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NoReturn

import pytest
from support import interpose
from support.interpose import Rule, Worker

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


@pytest.mark.parametrize("rule", [Rule("raed", "fail"), Rule("read", "fial")], ids=str)
def test_impossible_rule(worker: Worker, folder: Path, rule: Rule) -> None:
    """A rule about a call or with an action that it does not know is no rule without effect."""
    with pytest.raises(AssertionError, match=r"AssertionError: .*Rule"):
        worker.copy(folder / "src", folder / "dst", rule)
