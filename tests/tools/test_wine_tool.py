"""The Wine lab: what it says when it is not there, and what it does when it is."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import cache
from lab.errors import LabError
from lab.wine import cli, run, setup
from lab.wine.server import DROPPED, Wine, windows_path

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")

WINE = [sys.executable, str(Path(__file__).parents[2] / "tools/lab.py"), "--windows"]
FAKE = run.FAKE_VARIABLE
SETUP_HINT = "is missing: run python tools/lab.py --windows --setup"


def set_up() -> bool:
    """Whether --setup has run here."""
    try:
        setup.require(
            setup.WINE,
            setup.PREFIX,
            setup.windows_python(PYTHON),
            setup.tests_of_python(PYTHON),
        )
    except LabError:
        return False
    return True


PYTHON = setup.DEFAULT_PYTHON
needs_wine = pytest.mark.skipif(not set_up(), reason="the Wine lab is not set up here")


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the tool as a user does."""
    return subprocess.run([*WINE, *arguments], capture_output=True, text=True, check=False)


def processes(mark: str) -> set[str]:
    """Those with the mark in their environment, and dead ones of Wine's that nobody waits for."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, _, state = (entry / "stat").read_text().rpartition(") ")
            unreaped = state.startswith("Z 1 ") and ("wine" in name or ".exe" in name)
            if unreaped or mark.encode() in (entry / "environ").read_bytes():
                found.add(name)
    return found


def left_behind() -> set[Path]:
    """What a run makes outside the current directory, where no server is at work."""
    at_work = set()
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            at_work.add(Path(os.readlink(link)).parent)
    sockets = set(Path("/tmp").glob("wine-*"))  # noqa: S108
    return {*setup.folder().glob("run-*"), *(sockets - at_work)}


class TestWithoutTheLab:
    """Nothing is set up in an empty cache."""

    @pytest.fixture(autouse=True)
    def empty_cache(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """For this process and those it starts."""
        monkeypatch.setenv("SPEEDCOPY_LAB_CACHE", str(tmp_path))

    @pytest.mark.parametrize(
        "arguments",
        [
            pytest.param(["--", "python", "-V"], id="run"),
            pytest.param(["--python", "3.13", "--", "python", "-V"], id="run-3.13"),
            pytest.param(["--install", "x.whl", "--", "python", "-V"], id="install"),
            pytest.param(["--project", "--", "python", "-V"], id="project"),
            pytest.param(["--wheel", "wheels"], id="wheel"),
            pytest.param(["--check-targets"], id="check-targets"),
        ],
    )
    def test_a_missing_piece_is_one_line(self, arguments: list[str], tmp_path: Path) -> None:
        """It names the piece and --setup, and nothing has been done before."""
        done = lab(*arguments)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.startswith("lab: ")
        assert SETUP_HINT in done.stderr
        assert done.stderr.count("\n") == 1
        assert not list(tmp_path.iterdir())
        assert not Path("wheels").exists()

    def test_another_python_has_another_setup(self, capfd: pytest.CaptureFixture[str]) -> None:
        """The line can be followed as it stands."""
        with pytest.raises(LabError, match=r"--setup --python 3\.13$"):
            setup.require(setup.windows_python("3.13"))
        assert capfd.readouterr() == ("", "")

    def test_main_returns_the_exit_code(self, capfd: pytest.CaptureFixture[str]) -> None:
        """Another tool may call it."""
        assert cli.main(["--", "python"]) == 2
        assert capfd.readouterr().err.startswith("lab: ")

    def test_nothing_to_do_is_no_error(self) -> None:
        """No command is the empty command."""
        assert cli.main([]) == 0

    def test_help_names_the_variable_of_the_share(self) -> None:
        """The environment is part of the interface."""
        assert run.UNC_VARIABLE in lab("--help").stdout


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("/", "Z:\\", id="root"),
        pytest.param("/nowhere/a b.whl", "Z:\\nowhere\\a b.whl", id="space"),
        pytest.param("/nowhere/ä/x", "Z:\\nowhere\\ä\\x", id="unicode"),
    ],
)
def test_windows_path(path: str, name: str) -> None:
    """Every file of this machine is on drive Z."""
    assert windows_path(Path(path)) == name


@pytest.mark.parametrize("name", [*DROPPED, "WINEDEBUG", "WINEPATH"])
def test_the_callers_variable_does_not_reach_wine(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No screen, no other Wine, no other Python."""
    monkeypatch.setenv(name, "the caller's")
    assert Wine(Path("/wine"), Path("/prefix")).environment.get(name) != "the caller's"


def test_other_variables_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is configured by its caller."""
    monkeypatch.setenv("SPEEDCOPY_TEST", "the caller's")
    assert Wine(Path("/wine"), Path("/prefix")).environment["SPEEDCOPY_TEST"] == "the caller's"


@needs_wine
class TestRun:
    """Windows commands; each run starts a Wine of its own."""

    @pytest.fixture(autouse=True)
    def in_an_empty_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Commands run in the current directory."""
        monkeypatch.chdir(tmp_path)

    @pytest.fixture(autouse=True)
    def apart(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Other runs on this machine are not in the way: marked processes, a cache of our own."""
        cached = setup.folder()
        with tempfile.TemporaryDirectory(prefix="test-", dir=cached) as own:
            Path(own, "wine").mkdir()
            for entry in cached.iterdir():
                Path(own, "wine", entry.name).symlink_to(entry)
            for other in Path(own, "wine").glob("run-*"):
                other.unlink()
            monkeypatch.setenv(cache.CACHE_VARIABLE, own)
            monkeypatch.setenv("SPEEDCOPY_TEST", str(tmp_path))
            self.mark = f"SPEEDCOPY_TEST={tmp_path}"
            self.processes, self.files = processes(self.mark), left_behind()
            yield

    def assert_nothing_left(self) -> None:
        """No process, not even a zombie, and no folder."""
        assert processes(self.mark) <= self.processes
        assert left_behind() <= self.files

    @pytest.mark.parametrize("code", [0, 7])
    def test_exit_code(self, code: int) -> None:
        """The command's own."""
        assert lab("--", "python", "-c", f"raise SystemExit({code})").returncode == code
        self.assert_nothing_left()

    def test_it_is_windows_in_the_current_directory(self, tmp_path: Path) -> None:
        """With cffi, and with names that are not ASCII."""
        script = "import cffi, os; open('ä', 'w').close(); print(os.name, os.getcwd())"
        done = lab("--", "python", "-c", script)
        assert done.stderr == ""
        assert done.stdout.split(maxsplit=1) == ["nt", f"{windows_path(tmp_path)}\n"]
        assert os.listdir() == ["ä"]

    def test_share(self) -> None:
        """UNC names can be tested."""
        script = (
            "import os; share = os.environ['SPEEDCOPY_LAB_UNC']; print(share, os.listdir(share));"
            "open(share + r'\\x', 'w').close(); print(os.listdir(share))"
        )
        done = lab("--", "python", "-c", script)
        assert done.stdout == f"{run.UNC} []\n['x']\n"

    def test_root_obeys_a_read_only_file(self, tmp_path: Path) -> None:
        """Root of this machine is no root on Windows."""
        (tmp_path / "file").touch(0o444)
        done = lab("--", "python", "-c", "open('file', 'a')")
        assert "PermissionError" in done.stderr

    def test_another_program(self) -> None:
        """Only `python` has a meaning of its own."""
        assert lab("--", "cmd", "/c", "echo hello").stdout.strip() == "hello"

    def test_what_a_run_installs_is_gone_in_the_next(self) -> None:
        """The Windows Python of a run is a copy."""
        script = "import os, sys; sys.exit(os.path.exists(p := sys.prefix + '/x') or open(p, 'w'))"
        first, second = (lab("--", "python", "-c", script) for _ in range(2))
        assert "_io.TextIOWrapper" in first.stderr
        assert "_io.TextIOWrapper" in second.stderr

    def test_pytest(self, tmp_path: Path) -> None:
        """The fixtures and threads that the suite is made of."""
        (tmp_path / "test_it.py").write_text(
            "import os, threading\n"
            "def test_it(tmp_path, capfd):\n"
            "    files = [tmp_path / str(number) for number in range(8)]\n"
            "    threads = [threading.Thread(target=file.touch) for file in files]\n"
            "    for thread in threads: thread.start()\n"
            "    for thread in threads: thread.join()\n"
            "    os.write(1, b'hello')\n"
            "    assert capfd.readouterr().out == 'hello'\n"
            "    assert sorted(tmp_path.iterdir()) == files\n"
        )
        done = lab("--", "python", "-m", "pytest", "-q")
        assert "1 passed" in done.stdout

    @pytest.mark.parametrize(
        ("kill", "signum"),
        [
            pytest.param("killpg", "SIGINT", id="Ctrl-C"),
            pytest.param("kill", "SIGTERM", id="SIGTERM"),
        ],
    )
    def test_output_is_streamed_and_a_signal_ends_all(self, kill: str, signum: str) -> None:
        """Ctrl-C reaches the whole group, the end of a CI job only the tool."""
        script = "import subprocess, sys, time; print('here', flush=True);"
        script += "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
        command = [*WINE, "--", "python", "-c", script]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "here\n"
            getattr(os, kill)(process.pid, signal.Signals[signum])
            assert process.wait(30) == 128 + signal.Signals[signum]
        self.assert_nothing_left()

    def test_project(self) -> None:
        """The installed package is what is imported, and the tests find their CopyFile2."""
        script = (
            "import os, speedcopy; open('src', 'w').close();"
            "print(speedcopy.transfer('src', 'dst').mechanism);"
            f"print('site-packages' in speedcopy.__file__, os.path.isfile(os.environ['{FAKE}']))"
        )
        done = lab("--project", "--", "python", "-c", script)
        assert (done.stdout, done.stderr) == ("CopyFile2\nTrue True\n", "")

    def test_tests_of_cpython(self) -> None:
        """The archive of the Windows Python has none: Debian has."""
        script = "import importlib.util as i; print(i.find_spec('test.test_shutil').origin)"
        done = lab("--", "python", "-c", script)
        assert done.stdout.rstrip().endswith(r"\Lib\test\test_shutil.py")

    def test_targets(self) -> None:
        """The Windows sources compile without a warning wherever Windows runs."""
        done = lab("--check-targets")
        assert (done.returncode, done.stderr) == (0, "")
        assert [line.split(":")[1] for line in done.stdout.splitlines()] == [" clean"] * 4
