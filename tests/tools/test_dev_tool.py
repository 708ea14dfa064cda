"""tools/dev.py: whatever ends a set-up, the next run has a whole environment."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Callable

import pytest

pytest.importorskip("fcntl", reason="the set-up is staged with POSIX locks, links and scripts")

from tools.checkout import TOOLS, Checkout, Staged, ended, wait_for

STEPS = ("venv", "pip")
HINT = "On Debian and Ubuntu: sudo apt-get install "


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    """A checkout whose set-up takes no time."""
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists():
        pytest.skip("no Python.h here")
    return Staged(tmp_path / "checkout")


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 0)
            return not Path("/proc/self/stat").exists()
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def assert_ready(staged: Staged, steps: list[str]) -> None:
    """The next run begins these steps, has a whole environment, and does what it is for."""
    done = staged.run()
    assert (done.code, done.stdout) == (0, "ran\n"), done.stderr
    assert staged.steps() == steps
    assert (staged.environment / "complete").exists()


def test_first_run(staged: Staged) -> None:
    """It says how long it takes and what it needs, once."""
    done = staged.run()
    assert (done.code, done.stdout) == (0, "ran\n")
    first, last = done.stderr.splitlines()
    assert re.fullmatch(r"dev: making \.venv-\S+: takes up to 2 minutes, needs the network", first)
    assert re.fullmatch(r"dev: ready after \d+ s", last)
    assert staged.steps() == [*STEPS]
    again = staged.run()
    assert (again.code, again.stdout, again.stderr) == (0, "ran\n", "")
    assert staged.steps() == []


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
def test_stopped(staged: Staged, step: str, signum: signal.Signals) -> None:
    """One line and the exit code of a shell; the step ends, and all is made again."""
    process = staged.start(BLOCKED=step)
    pid = staged.blocked()
    process.send_signal(signum)
    done = ended(process)
    assert (done.code, done.stdout) == (128 + signum, "")
    first, last = done.stderr.splitlines()
    assert first.startswith("dev: making ")
    assert last.startswith(f"dev: stopped by {signum.name}; ")
    assert not alive(pid)
    staged.clear()
    staged.steps()
    assert_ready(staged, [*STEPS])


@pytest.mark.parametrize("step", STEPS)
def test_killed(staged: Staged, step: str) -> None:
    """With its steps, by a power cut say: what was half made is made again."""
    process = staged.start(BLOCKED=step)
    pid = staged.blocked()
    process.kill()
    os.kill(pid, signal.SIGKILL)
    ended(process)
    staged.clear()
    staged.steps()
    assert_ready(staged, [*STEPS])


def test_killed_without_its_step(staged: Staged) -> None:
    """A step that lives on is waited for, not disturbed."""
    process = staged.start(BLOCKED="pip")
    staged.blocked()
    process.kill()
    process.wait()
    second = staged.start()
    assert second.stderr
    assert second.stderr.readline() == "dev: another run sets this checkout up: waiting for it\n"
    assert staged.steps() == [*STEPS]
    staged.unblock()
    done = ended(second)
    assert (done.code, done.stdout) == (0, "ran\n"), done.stderr
    ended(process)
    assert staged.steps() == [*STEPS]


def test_two_at_once(staged: Staged) -> None:
    """The second waits, says so, and finds all done."""
    first = staged.start(BLOCKED="venv")
    staged.blocked()
    second = staged.start()
    assert second.stderr
    assert second.stderr.readline() == "dev: another run sets this checkout up: waiting for it\n"
    staged.unblock()
    for process in (first, second):
        done = ended(process)
        assert (done.code, done.stdout) == (0, "ran\n"), done.stderr
    assert staged.steps() == [*STEPS]


def test_many_at_once(staged: Staged) -> None:
    """One of them sets up."""
    runs = [ended(process) for process in [staged.start() for _ in range(6)]]
    assert [(done.code, done.stdout) for done in runs] == [(0, "ran\n")] * 6
    assert staged.steps() == [*STEPS]


@pytest.mark.parametrize("step", STEPS)
def test_failed(staged: Staged, step: str) -> None:
    """What the step said is shown, and why it may be; then all is made again."""
    done = staged.run(FAILING=step)
    assert (done.code, done.stdout) == (2, "")
    assert f"{step} says no\n" in done.stderr
    assert "Traceback" not in done.stderr
    assert ("the likely reason is no network" in done.stderr) == (step == "pip")
    staged.steps()
    assert_ready(staged, [*STEPS])


def change_sources(staged: Staged) -> None:
    """What is compiled has changed."""
    (staged.folder / "setup.py").write_text("# new\n")


def lose_python(staged: Staged) -> None:
    """The Python that the environment was made with has been removed."""
    python = staged.environment / "bin" / "python"
    python.unlink()
    python.symlink_to("/no/such/python")


def break_python(staged: Staged) -> None:
    """The Python of the environment does not run any more."""
    python = staged.environment / "bin" / "python"
    python.unlink()
    shutil.copy(staged.variables["CC"], python)
    python.write_text("#!/bin/sh\nexit 1\n")


def empty_stamp(staged: Staged) -> None:
    """A power cut has left an empty file."""
    (staged.environment / "complete").write_text("")


def move(staged: Staged) -> None:
    """The checkout has another name, which the environment's scripts do not know."""
    staged.folder = staged.folder.rename(staged.folder.with_name("moved"))
    staged.stage = staged.folder / "stage"
    staged.variables = {"PYTHONPATH": str(staged.stage), "CC": str(staged.stage / "compiler")}


@pytest.mark.parametrize(
    ("change", "steps"),
    [
        pytest.param(change_sources, ["pip"], id="sources changed"),
        pytest.param(lose_python, [*STEPS], id="Python vanished"),
        pytest.param(break_python, [*STEPS], id="Python broken"),
        pytest.param(empty_stamp, [*STEPS], id="power cut"),
        pytest.param(move, [*STEPS], id="moved"),
    ],
)
def test_changed(staged: Staged, change: Callable[[Staged], None], steps: list[str]) -> None:
    """Only as much as necessary is made again."""
    assert staged.run().code == 0
    staged.steps()
    change(staged)
    assert_ready(staged, steps)


def test_extra_of_a_command(staged: Staged) -> None:
    """It is installed for the first use, and again after a change of what it names."""
    tool = staged.folder / "tools" / "cross.py"
    tool.write_text("import sys; print(*sys.argv[1:])")
    settings = staged.folder / "pyproject.toml"
    for steps in ([*STEPS, "pip"], [], ["pip", "pip"]):
        done = staged.run("wheels", "a", "b")
        assert (done.code, done.stdout) == (0, "wheels a b\n"), done.stderr
        assert staged.steps() == steps
        settings.write_text(settings.read_text() + "\n" * (not steps))


def test_lost_extension(staged: Staged) -> None:
    """A compiled module that was removed is built again."""
    extension = staged.folder / "speedcopy" / f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    extension.parent.mkdir()
    extension.touch()
    assert_ready(staged, [*STEPS])
    extension.unlink()
    assert_ready(staged, ["pip"])


def test_installing_again_fails(staged: Staged) -> None:
    """As with an error in the C: the environment is kept, what is in it still whole."""
    assert staged.run().code == 0
    change_sources(staged)
    assert staged.run(FAILING="pip").code == 2
    staged.steps()
    assert_ready(staged, ["pip"])


def test_installing_again_is_killed(staged: Staged) -> None:
    """Nobody knows what is in the environment then."""
    assert staged.run().code == 0
    change_sources(staged)
    process = staged.start(BLOCKED="pip")
    os.kill(staged.blocked(), signal.SIGKILL)
    process.kill()
    ended(process)
    staged.clear()
    staged.steps()
    assert_ready(staged, [*STEPS])


COMPILER, VENV = r"a C compiler with the C library's headers \(/no/cc\)", "venv or pip"


@pytest.mark.parametrize(
    ("hidden", "compiler", "said", "packages"),
    [
        pytest.param("", "/no/cc", COMPILER, "gcc libc6-dev", id="compiler"),
        pytest.param(
            "", "false", COMPILER.replace("/no/cc", "false"), "gcc libc6-dev", id="broken"
        ),
        pytest.param("pip ensurepip", "", VENV, r"py\S+-venv", id="venv and pip"),
        pytest.param(
            "pip venv", "/no/cc", f"{COMPILER}, {VENV}", r"gcc libc6-dev py\S+-venv", id="all"
        ),
    ],
)
def test_missing(staged: Staged, hidden: str, compiler: str, said: str, packages: str) -> None:
    """All is said in one line, with the command, before anything is made."""
    for name in hidden.split():
        (staged.stage / f"{name}.py").unlink()
    staged.at_start(f"import sys\nfor name in {hidden.split()}: sys.modules[name] = None\n")
    done = staged.run(**({"CC": compiler} if compiler else {}))
    assert (done.code, done.stdout) == (2, "")
    assert re.fullmatch(f"dev: missing: {said}\\. {HINT}{packages}\n", done.stderr)
    assert not [*staged.folder.glob(".venv*")]


def test_header_missing_too(staged: Staged) -> None:
    """It is said with the rest."""
    staged.at_start("import sysconfig\nsysconfig.get_paths = lambda: {'include': '/nowhere'}\n")
    done = staged.run(CC="/no/cc")
    assert done.code == 2
    packages = r"gcc libc6-dev py\S+-dev"
    assert re.fullmatch(f"dev: missing: {COMPILER}, Python.h\\. {HINT}{packages}\n", done.stderr)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_gets_the_header(staged: Staged) -> None:
    """Where it is all that is missing, and apt-get has it."""
    staged.at_start(
        f"import sysconfig\nsysconfig.get_paths = lambda: {{'include': '{staged.stage}'}}"
    )
    installer = staged.stage / "apt-get"
    installer.write_text(f"#!/bin/sh\n[ $1 = update ] || echo >{staged.stage}/Python.h\n")
    installer.chmod(0o755)
    done = staged.run(PATH=f"{staged.stage}:{os.environ['PATH']}")
    assert (done.code, done.stdout) == (0, "ran\n"), done.stderr
    assert re.match(r"dev: Python.h is missing: apt-get install --yes py\S+-dev\n", done.stderr)


def old_pythons() -> list[Path]:
    """Pythons before 3.9, where pyenv has some."""
    return sorted(Path.home().glob(".pyenv/versions/[23].[0-8].*/bin/python"))


@pytest.mark.parametrize("python", old_pythons(), ids=lambda python: python.parts[-3])
def test_old_python(tmp_path: Path, python: Path) -> None:
    """The file can be read, and says what it needs."""
    checkout = Checkout(tmp_path / "checkout")
    tool = str(checkout.folder / "tools" / "dev.py")
    done = subprocess.run([python, tool, "test"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"dev: needs Python 3\.9 or later; this is \S+\n", done.stderr)


def test_version_is_checked_first() -> None:
    """The same, by what this Python makes of it."""
    code = "import runpy, sys; sys.version_info = (3, 6, 0); runpy.run_path(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(TOOLS / "dev.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert re.fullmatch(r"dev: needs Python 3\.9 or later; .*\n", done.stderr)


def test_ctrl_c_is_left_to_the_command(staged: Staged) -> None:
    """Its cleaning up is not cut short, and the exit code is its own."""
    code = (
        "import signal, sys, time\n"
        "try:\n    print('here', flush=True); time.sleep(60)\n"
        "except KeyboardInterrupt:\n    time.sleep(1); print('cleaned'); sys.exit(7)\n"
    )
    process = staged.start("python", "-c", code)
    assert process.stdout
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert (done.code, done.stdout) == (7, "cleaned\n")


@pytest.fixture
def real(tmp_path: Path) -> Checkout:
    """A checkout that venv and pip set up, offline: there is nothing to fetch."""
    for module in ("venv", "ensurepip"):
        if not importlib.util.find_spec(module):
            pytest.skip(f"this Python has no {module}")
    if not Path(sysconfig.get_paths()["include"], "Python.h").exists() or not shutil.which("cc"):
        pytest.skip("no C compiler or no Python.h here")
    return Checkout(tmp_path / "checkout", {"PIP_NO_INDEX": "1", "CC": "cc"})


def test_really(real: Checkout) -> None:
    """Ctrl-C in the midst of it, then the real environment with the package in it."""
    process = real.start()
    wait_for((real.environment / "bin" / "python").exists)
    process.send_signal(signal.SIGINT)
    done = ended(process)
    assert done.code == 128 + signal.SIGINT
    assert done.stderr.splitlines()[-1].startswith("dev: stopped by SIGINT; ")
    assert "Traceback" not in done.stderr
    version = "import importlib.metadata as m, sys; print(m.version('small'), sys.prefix)"
    done = real.run("python", "-c", version)
    assert (done.code, done.stdout) == (0, f"1 {real.environment}\n"), done.stderr
