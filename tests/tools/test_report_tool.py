"""tools/report.py: what a volunteer runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from volunteer import cases, cli

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_report(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line about the machine, a line for each case, and nothing is left."""
    monkeypatch.setattr(cases, "LARGE", 8 * cases.MIB)
    assert cli.main("", ["--target", str(folder), "--other", str(folder)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("speedcopy ")
    assert len(lines) == len(cases.CASES) + 1
    assert all(line.startswith(("ok ", "skipped ")) for line in lines)
    assert os.listdir(folder) == []


def test_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A case that does not end as it should is reported, and so by the exit code."""

    def broken(folder: Path) -> str:
        cases.write(folder / "one", 10)
        cases.write(folder / "other", 10)
        cases.same_content(folder / "one", folder / "other")
        return "not reached"

    monkeypatch.setattr(cli, "CASES", (broken,))
    assert cli.main("", ["--target", str(folder)]) == 1
    assert "FAILED  broken: Different: other has other content" in capsys.readouterr().out
    assert os.listdir(folder) == []
