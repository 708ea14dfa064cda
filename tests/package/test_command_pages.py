"""The pages on the command line and on probe(): every example runs, and prints what they show."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from support.python import importing

ROOT = Path(__file__).parents[2]
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("command", "probe")}


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


CONSOLES = [(page, number) for page in PAGES for number in range(len(blocks(page, "console")))]


@pytest.fixture
def shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the examples are in; the share is ``share`` in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("plate.0001.exr", "plate.0002.exr", "renders/0001.exr", "share/show/0001.exr"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 100)
    return tmp_path


def run(line: str) -> subprocess.CompletedProcess[str]:
    """Runs a line of an example; ``speedcopy`` is this one."""
    program, *arguments = shlex.split(line.replace("/mnt/nas", "share"))
    assert program == "speedcopy"
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        env={**importing(), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=False,
    )


def speaks_posix() -> bool:
    """Whether errors of the system have the words of POSIX."""
    try:
        os.stat("missing")
    except OSError as error:
        return error.strerror == "No such file or directory"
    return False


@pytest.mark.parametrize(("page", "number"), CONSOLES)
def test_console(page: str, number: int, shows: Path) -> None:
    """A command fails where the page shows a message, and it is that message."""
    block = blocks(page, "console")[number]
    for example in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, _, shown = example.partition("\n")
        done = run(line)
        assert done.stderr == shown or not speaks_posix(), line
        assert done.returncode == int(bool(shown)), line
        assert (done.stdout == "") == line.startswith("speedcopy cp")
    assert not [name for name in os.listdir(shows / "share") if name.startswith(".")]


def test_json(shows: Path) -> None:
    """The object of cp --json has these keys."""
    (block,) = blocks("command", "json")
    told = json.loads(run("speedcopy cp --json plate.0001.exr /mnt/nas").stdout)
    assert list(told) == list(json.loads(block))
    assert (shows / "share/plate.0001.exr").exists()


def test_python(shows: Path) -> None:
    """The example in Python."""
    (block,) = blocks("probe", "python")
    exec(block.replace("/mnt/nas", "share"), {})  # noqa: S102
    told = json.loads((shows / "probe.json").read_text())
    for name in told:
        assert f"`{name}`" in PAGES["probe"]
    for name in told["src"]:
        assert f"`{name}`" in PAGES["probe"]


def test_the_report_of_the_page(shows: Path) -> None:
    """The rows of the reports on the page are those of a report here, and so is their form."""
    told = run("speedcopy probe /mnt/nas").stdout.splitlines()
    shown = blocks("probe", "text")[0].splitlines()
    if len(told) < len(shown):
        pytest.skip("no native layer for this page here")
    form = re.compile(r"[\w/]+:\s+(works|declined \(\w+\)|not asked): |A copy uses |src |dst |\w+ ")
    assert [bool(form.match(line)) for line in (*told, *shown)] == [True] * (2 * len(shown))
    assert [line.split(":")[0] for line in told[3:8]] == [line.split(":")[0] for line in shown[3:8]]
    assert shows.exists()
