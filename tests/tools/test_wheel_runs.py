"""Running wheels: what is said when something is missing; chroots; the steps of a stranger."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from common.programs import ProgramError
from cross.targets import RUNS, WHEELS, Target
from lab.cache import CACHE_VARIABLE
from lab.pieces import Piece

pytest.importorskip("fcntl", reason="wheels are run on Linux")

# isort: split
from cross import chroots, installs, runs, ways

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
STEPS = installs.steps("3.0.0")

#: Two that no machine of ours is.
FOREIGN = pytest.mark.parametrize("processor", ["s390x", "riscv64"])


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def result_of(
    monkeypatch: pytest.MonkeyPatch, way: Callable[[ways.Run], list[str]], tmp_path: Path
) -> runs.Result:
    """The result of a run, done in this way."""
    target = WHEELS[0]
    monkeypatch.setitem(ways.WAYS, target.run, way)
    return runs.run(target, tmp_path / "a.whl")


def test_every_kind_of_run_has_a_function() -> None:
    """The table and the functions name the same kinds."""
    assert set(ways.WAYS) == set(RUNS)


def test_passed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The result names each Python and its tests. They run beside no package of ours."""

    def way(run: ways.Run) -> list[str]:
        assert (run.folder / "tests/contract/test_contract.py").exists()
        assert not (run.folder / "speedcopy").exists()
        first = "CPython 3.9.2, x86_64, little-endian: /v/_native.abi3.so\n..s\n9 passed in 4.1s"
        return [first, first.replace("3.9.2", "3.15.0")]

    done = result_of(monkeypatch, way, tmp_path)
    assert done[:2] == (runs.PASSED, "CPython 3.9.2: 9 passed; CPython 3.15.0: 9 passed")


@pytest.mark.parametrize(
    ("printed", "text"),
    [
        ("...\n== 2 passed, 1 skipped in 61.20s (0:01:01) ==", "2 passed, 1 skipped"),
        ("7 passed in 1.0s\n2 passed in 1.0s\n47 s in all", "7 passed and 2 passed"),
        ("python3.15 not run: no network", "python3.15 not run: no network"),
    ],
    ids=["one run", "two", "none"],
)
def test_summary(printed: str, text: str) -> None:
    """The numbers of each run of pytest, or else the last line."""
    assert runs.summary(printed) == text


def test_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The result is the last line, and all that was printed goes to stderr."""

    def fail() -> str:
        raise ProgramError(["python3"], "a failure\n1 failed, 8 passed")

    done = result_of(monkeypatch, lambda _: [ways.tested("/usr/bin/python3", fail)], tmp_path)
    assert done[:2] == (runs.FAILED, "python3: 1 failed, 8 passed")
    assert "a failure" in capsys.readouterr().err


def test_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What cannot be fetched is one line."""

    def fail(_run: ways.Run) -> list[str]:
        raise ProgramError(["apt-get", "install"], "E: no network\nE: nothing fetched")

    done = result_of(monkeypatch, fail, tmp_path)
    assert done[:2] == (runs.NOT_RUN, "apt-get install: E: no network")


def test_other_python_is_not_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the network, the Pythons of this machine are enough, and the result says so."""

    def fail(*_: object) -> str:
        raise ProgramError(["apt-get"], "E: no network")

    monkeypatch.setattr(ways, "in_debian", fail)
    done = result_of(monkeypatch, lambda run: [ways.other("testing", "py", run)], tmp_path)
    assert done[:2] == (runs.PASSED, "py not run: apt-get: E: no network")


def test_static(tmp_path: Path) -> None:
    """A wheel that nothing here can run is not a failure."""
    done = runs.run(Target("", "win32", "", "cp39-abi3-win32"), tmp_path / "a.whl")
    assert done[:2] == (runs.NOT_RUN, RUNS["static"])


@FOREIGN
def test_no_emulator(
    processor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache_folder: Path
) -> None:
    """The message has the command that installs one, and nothing is fetched before."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(chroots.NotHereError) as caught:
        chroots.debian("bookworm", processor, "python3").provide()
    expected = f"qemu-{processor}-static is missing: apt-get install qemu-user-static"
    assert str(caught.value) == expected
    assert not cache_folder.exists()


def test_interrupted_while_it_is_made() -> None:
    """What an interrupted run has left is made again, and once."""
    calls: list[list[str]] = []

    def fill(folder: Path) -> None:
        calls.append(os.listdir(folder))
        (folder / "part").touch()
        if len(calls) == 1:
            raise KeyboardInterrupt

    piece = Piece("a root", "chroots/a", fill)
    with pytest.raises(KeyboardInterrupt):
        chroots.provided(piece)
    assert chroots.provided(piece) == chroots.provided(piece) == piece.path
    assert calls == [[], []]


def test_no_network() -> None:
    """What cannot be fetched is one line, and says what it was."""

    def fill(_folder: Path) -> None:
        raise ProgramError(["apt-get"], "E: nothing\nE: fetched")

    with pytest.raises(chroots.NotHereError) as caught:
        chroots.provided(Piece("a root", "chroots/a", fill))
    assert str(caught.value) == "a root cannot be made, is there a network? E: nothing"


def test_in_a_chroot(tmp_path: Path) -> None:
    """A program sees what is mounted, and the variables that it is given. Nothing stays mounted."""
    for name in ("proc", "dev", "sys", "bin", "lib", "lib64", "usr", "it's"):
        (tmp_path / name).mkdir()
    mounts = {f"/{name}": f"/{name}" for name in ("bin", "lib", "lib64", "usr")}
    mounts = {place: place for place in mounts if os.path.exists(place)}
    enter = chroots.entering(
        tmp_path, {**mounts, str(ROOT): "/it's"}, ["A=b c", "PATH=/usr/sbin:/usr/bin:/bin"]
    )
    script = 'ls "/it\'s/README.md" /proc/1/status; echo "$A $HOME"; exit 7'
    done = subprocess.run([*enter, "sh", "-c", script], capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr}")
    assert done.stdout.splitlines() == ["/it's/README.md", "/proc/1/status", "b c "], done.stderr
    assert done.returncode == 7
    assert os.listdir(tmp_path / "usr") == os.listdir(tmp_path / "proc") == []


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_steps_of_a_stranger(step: installs.Step) -> None:
    """Each is a script of the shell, which runs the Python under test."""
    subprocess.run(["sh", "-n"], input=step.script.encode(), check=True)
    assert "$python " in step.script
    assert "python3" not in step.script


def test_deal_without_mounts() -> None:
    """``--deal`` takes a part of the contract anywhere."""
    collect = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    tests = "tests/contract/test_contract.py"
    counts = [
        len(subprocess.check_output([*collect, *deal, tests], cwd=ROOT).splitlines())
        for deal in ((), ("--deal", "50"))
    ]
    assert counts[1] < counts[0] / 25
