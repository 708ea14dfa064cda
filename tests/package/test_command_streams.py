"""``speedcopy cp`` where stdout or stderr is closed or full, and where a signal comes early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.command import ENVIRONMENT, FILES, OURS, lay_out

if TYPE_CHECKING:
    from pathlib import Path

#: The redirections, the options, and the exit code of "missing a b e".
STREAMS = {
    "stdout closed": (">&-", "--json", 1),
    "stderr closed": ("2>&-", "--debug", 1),
    "all closed": ("<&- >&- 2>&-", "--json", 1),
    "stdout full": (">/dev/full", "--json", 1),
    "stderr full": ("2>/dev/full", "--progress", 1),
    "both full": (">/dev/full 2>&1", "--json", 1),
    "nobody reads": ("| true", "--json", 0),
}


@pytest.mark.parametrize(("redirected", "option", "code"), STREAMS.values(), ids=STREAMS)
def test_streams(redirected: str, option: str, code: int, tmp_path: Path) -> None:
    """All that can be copied is, with no traceback."""
    if not os.path.exists("/bin/sh") or ("full" in redirected and not os.path.exists("/dev/full")):
        pytest.skip("no such streams here")
    ours = lay_out(tmp_path / "ours")
    done = subprocess.run(
        ["/bin/sh", "-c", f'"$@" {redirected}', "sh", *OURS, option, "missing", "a", "b", "e"],
        cwd=ours, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception" not in done.stdout + done.stderr
    assert {name: (ours / "e" / name).read_bytes() for name in os.listdir(ours / "e")} == {
        name: FILES[name] for name in "ab"
    }


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device")
def test_said(tmp_path: Path) -> None:
    """A line that could not be printed makes the exit code 1, and is said."""
    ours = lay_out(tmp_path / "ours")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*OURS, "--json", "a", "b", "e"], cwd=ours, env=ENVIRONMENT, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.splitlines()[0] == "speedcopy cp: write error: No space left on device"
    assert sorted(os.listdir(ours / "e")) == ["a", "b"]


@pytest.mark.parametrize(
    "name", [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
)
def test_signal_during_import(name: str, tmp_path: Path) -> None:
    """A signal while the command is imported has a shell's exit code, and no traceback."""
    number = getattr(signal, name)
    code = (
        "import signal, sys\n"
        "class Early:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'speedcopy._cli.cp': signal.raise_signal({int(number)})\n"
        "sys.meta_path.insert(0, Early())\n"
        "from speedcopy._cli.main import main\n"
        "sys.exit(main(['cp', 'a', 'e']))"
    )
    ours = lay_out(tmp_path / "ours", links=False)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ours, env=ENVIRONMENT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, "", "")
