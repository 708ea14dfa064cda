"""The command line in a real terminal, narrow and wide: no line is longer, nothing is garbled."""

from __future__ import annotations

import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Callable

import pytest
from support.layout import pattern
from support.python import importing

if TYPE_CHECKING:
    from collections.abc import Iterator

fcntl = pytest.importorskip("fcntl")
pty = pytest.importorskip("pty")
termios = pytest.importorskip("termios")

#: Makes its stdin the terminal of the process, so that Ctrl-C reaches it, and does the rest.
START = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from speedcopy._cli.main import main
"""
RUN = "sys.exit(main(sys.argv[1:]))"

#: A copy that calls progress once and then takes as long as it is let.
SLOW = """
import os, time
from speedcopy._cli import cp
options = cp.Options
def slow(**given):
    def wait(copied, total):
        given["progress"](copied // 2, total)
        time.sleep(600)
    return options(**{**given, "progress": wait})
cp.Options = slow
"""

SIZES = [40, 60, 80, 160]


class Terminal:
    """A program in a terminal of so many columns."""

    def __init__(self, columns: int, code: str, arguments: list[str], folder: Path) -> None:
        """Starts ``code`` in ``folder``."""
        self._fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        hidden = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")
        environment = {name: value for name, value in importing().items() if name not in hidden}
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=folder,
            env={**environment, "TERM": "xterm-256color"},
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def read(self, until: Callable[[str], bool] = lambda _: False) -> None:
        """Takes what is printed, to the end or until it has what is waited for."""
        while not until(self.shown):
            try:
                got = os.read(self._fd, 1 << 16)
            except OSError:  # Linux: everybody has closed the other end
                return
            if not got:
                return
            self.shown += got.decode(errors="replace")

    def press(self, key: bytes) -> None:
        """Types something."""
        os.write(self._fd, key)

    def end(self) -> int:
        """Waits for the end; returns the exit code."""
        self.read()
        os.close(self._fd)
        return self.process.wait()

    def lines(self) -> list[str]:
        """What was printed on lines, without what moves the cursor or colours, and no echo."""
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\^C", "", self.shown)
        return [line for line in re.split(r"[\r\n]+", text) if line.strip()]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with 20 files of 100 KiB in two folders, and a name with a colour in it."""
    for number in range(20):
        file = tmp_path / "src" / str(number % 2) / str(number)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pattern(100 << 10, str(number)))
    return tmp_path


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than ``tree``, gone after the test."""
    for place in ("/dev/shm", "/var/tmp"):  # noqa: S108
        if os.access(place, os.W_OK) and os.stat(place).st_dev != tmp_path.stat().st_dev:
            with tempfile.TemporaryDirectory(prefix="speedcopy-", dir=place) as made:
                yield Path(made)
            return
    pytest.skip("no second file system that this user may write to")


def end_of(columns: int, amount: str) -> str:
    """What the last line begins with."""
    return f"100% 20/20 {amount} " if columns < 50 else f"100%  20/20 files  {amount}/{amount}  "


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize("bar", [True, False], ids=["bar", "lines"])
def test_progress(columns: int, bar: bool, tree: Path) -> None:
    """The last line has files, bytes, speed and time; the copy is complete."""
    code = START
    if bar:
        pytest.importorskip("rich")
    else:
        code += "sys.modules['rich'] = sys.modules['rich.console'] = None\n"
    terminal = Terminal(columns, code + RUN, ["cp", "--progress", "-r", "src", "dst"], tree)
    assert terminal.end() == 0
    lines = terminal.lines()
    assert max(map(len, lines)) <= columns
    assert end_of(columns, "2.0 MiB") in lines[-1]
    assert re.search(r"/s +in \d:\d\d\s*$", lines[-1])
    assert ("━" in terminal.shown) == (bar and columns >= 80)
    assert len(list((tree / "dst").rglob("*"))) == 22


@pytest.mark.parametrize("bar", [True, False], ids=["bar", "lines"])
def test_messages_beside(bar: bool, tree: Path) -> None:
    """What is refused stands on lines of its own; a name cannot control the terminal."""
    code = START if bar else f"{START}sys.modules['rich'] = sys.modules['rich.console'] = None\n"
    sources = ["src", "\x1b[31mred", "[bold]", "src"]
    terminal = Terminal(80, code + RUN, ["cp", "--progress", "-r", *sources, "."], tree)
    assert terminal.end() == 1
    assert r"speedcopy cp: cannot stat ''$'\033''[31mred': No such file or directory" in (
        line.strip() for line in terminal.lines()
    )
    assert "speedcopy cp: cannot stat '[bold]': No such file or directory" in (
        line.strip() for line in terminal.lines()
    )


@pytest.mark.parametrize("columns", [40, 160])
@pytest.mark.parametrize("progress", [["--progress"], []], ids=["progress", "quiet"])
def test_ctrl_c(progress: list[str], columns: int, tree: Path) -> None:
    """Ctrl-C in the middle of a copy: no traceback, nothing half-made, the shell's exit code."""
    (tree / "large").write_bytes(pattern(3 << 20))
    code = f"{START}{SLOW}{RUN}"
    if not progress:
        code = code.replace('given["progress"](copied // 2, total)', 'print("waiting")')
    terminal = Terminal(columns, code, ["cp", *progress, "large", "dst"], tree)
    terminal.read(until=lambda shown: "50%" in shown or "waiting" in shown)
    assert terminal.process.poll() is None
    terminal.press(b"\x03")
    assert terminal.end() == 128 + signal.SIGINT
    assert "Traceback" not in terminal.shown
    assert max(map(len, terminal.lines())) <= columns
    assert not (tree / "dst").exists()


@pytest.mark.parametrize("columns", SIZES)
@pytest.mark.parametrize(
    "arguments",
    [["probe", "."], ["bench", ".", "--sizes", "1K,100K", "--repeats", "2"]],
    ids=["probe", "bench"],
)
def test_fits(arguments: list[str], columns: int, tree: Path) -> None:
    """Reports are broken where the terminal ends, and tables are cut."""
    terminal = Terminal(columns, START + RUN, arguments, tree)
    assert terminal.end() == 0, terminal.shown
    lines = terminal.lines()
    assert max(map(len, lines)) < columns
    assert len(lines) >= 3


@pytest.mark.parametrize("columns", SIZES)
def test_probe_of_two_fits(columns: int, tree: Path, elsewhere: Path) -> None:
    """The report about two file systems is broken where the terminal ends, too."""
    test_fits(["probe", ".", str(elsewhere)], columns, tree)


@pytest.mark.parametrize("arguments", [["--progress"], ["--progress", "--json"], []])
def test_quiet(arguments: list[str], tree: Path) -> None:
    """Without a terminal nothing is shown, whatever is asked for."""
    command = [sys.executable, "-m", "speedcopy", "cp", *arguments, "-r", "src", "dst"]
    done = subprocess.run(command, cwd=tree, env=importing(), capture_output=True, check=True)
    assert done.stderr == b""
    assert (done.stdout == b"") == ("--json" not in arguments)


def test_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speed is that of the last seconds, the time left follows from it."""
    from speedcopy._cli import meter

    now = 100.0
    monkeypatch.setattr(meter, "time", SimpleNamespace(monotonic=lambda: now))
    shown = meter.Meter(4, 1 << 30)
    assert shown.text(80) == "  0%  0/4 files  0 B/1.0 GiB  0 B/s  -:-- left"
    now += 10
    shown.update(1, 1 << 28)
    assert shown.text(80) == " 25%  1/4 files  256 MiB/1.0 GiB  25.6 MiB/s  0:30 left"
    assert shown.text(40) == " 25% 1/4 256 MiB 25.6 MiB/s 0:30 left"
    assert all(len(shown.text(width)) <= width for width in range(4, 80))
    for _ in range(20):
        now += 1
        shown.update(2, shown.bytes + (1 << 20))
        shown.text(80)
    assert shown.text(80) == " 27%  2/4 files  276 MiB/1.0 GiB  1.0 MiB/s  12:28 left"
    shown.close()
    assert shown.text(80) == " 27%  2/4 files  276 MiB/1.0 GiB  9.2 MiB/s  in 0:30"
