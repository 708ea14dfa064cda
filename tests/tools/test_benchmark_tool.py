"""tools/benchmark.py and tools/measure.py, run as people run them."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bench.copiers import fetched
from bench.environment import file_system
from bench.rows import MB
from bench.scratch import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = Path(__file__).parents[2] / "tools"
COLUMNS = ["size(MB)", "shutil(s)", "speedcopy(s)", "shutil(MB/s)", "speedcopy(MB/s)", "gain"]
QUICK = ("--sizes-mb", "0.01,0.5", "--repeats", "2")
LONG = ("--sizes-mb", "8", "--repeats", "10000")
GAIN = re.compile(r"\d+\.\d\dx")
PATIENCE_SECONDS = 60
KERNELS = {"/proc": "proc", "/sys": "sysfs"}


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the tool keeps what is not measured."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """The directory that is measured."""
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def environ(temporary: Path) -> dict[str, str]:
    """The tool's environment: quiet, and its temporary files where a test can look."""
    return {**os.environ, "TMPDIR": str(temporary), "TEMP": str(temporary)}


def run(
    environ: dict[str, str], *arguments: object, script: str = "benchmark.py", cwd: Path = TOOLS
) -> subprocess.CompletedProcess[str]:
    """Run the tool to its end."""
    command = [sys.executable, str(TOOLS / script), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env=environ,
        cwd=cwd,
        timeout=PATIENCE_SECONDS * 5,
        check=False,
    )


def cells(output: str) -> list[list[str]]:
    """The table, line by line, without the rule under its head."""
    lines = [line for line in output.splitlines() if line.startswith("|")]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "--" not in line
    ]


def complaints(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines on stderr, without those that a slow machine sees of the progress."""
    progress = re.compile(r"\d+ of \d+ done, now .*")
    return [line for line in done.stderr.splitlines() if not progress.fullmatch(line)]


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A tmpfs at ``folder``, where the machine lets us mount one."""
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if sys.platform != "linux" or not shutil.which("mount"):
        pytest.skip("tmpfs cannot be mounted here")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def missing_modules(folder: Path, names: list[str], apart: bool) -> Path:
    """A folder for PYTHONPATH that makes these look as if they were not installed.

    ``apart`` is whether Python believes that it is in a virtual environment.
    """
    shadow = folder / "shadow"
    shadow.mkdir()
    for name in names:
        error = f"ModuleNotFoundError('No module named {name}', name={name!r})"
        (shadow / f"{name}.py").write_text(f"raise {error}\n")
    prefix = "'/elsewhere'" if apart else "sys.prefix"
    (shadow / "sitecustomize.py").write_text(f"import sys; sys.base_prefix = {prefix}\n")
    return shadow


def test_table(environ: dict[str, str], target: Path, temporary: Path) -> None:
    """The columns, a row for each size, the overall gain, the mechanism, the environment."""
    done = run(environ, target, *QUICK)
    assert (done.returncode, complaints(done)) == (0, [])
    head, *rows = cells(done.stdout)
    assert head == COLUMNS
    assert [row[0] for row in rows] == ["0.01", "0.5"]
    for row in rows:
        assert all(float(cell) > 0 for cell in row[1:3])
        assert GAIN.fullmatch(row[-1])
    assert re.search(rf"^overall gain: {GAIN.pattern}$", done.stdout, re.MULTILINE)
    assert re.search(r"^mechanism: .*\w", done.stdout, re.MULTILINE)
    for fact in (f"{target}: ", "CPU", ".".join(map(str, sys.version_info[:3])), "2 copies"):
        assert fact in done.stdout
    assert not [*target.iterdir(), *temporary.iterdir()]


def test_json(environ: dict[str, str], target: Path, tmp_path: Path) -> None:
    """Every figure of the table and the samples behind it."""
    file = tmp_path / "out.json"
    assert run(environ, target, *QUICK, "--json", file).returncode == 0
    content = json.loads(file.read_text())
    assert content["environment"]["folder"] == str(target)
    assert content["plan"]["repeats"] == 2
    assert [row["size"] for row in content["rows"]] == [round(0.01 * MB), MB // 2]
    for row in content["rows"]:
        theirs, mine = row["tools"]["shutil"], row["tools"]["speedcopy"]
        assert row["mechanism"]
        assert row["gain"] == pytest.approx(theirs["seconds"] / mine["seconds"])
        assert mine["copies"] == len(mine["samples"]) == 2
        assert mine["seconds"] == pytest.approx(sum(mine["samples"]))
        assert mine["mb_per_s"] == pytest.approx(row["size"] * 2 / MB / mine["seconds"])


def test_threads(environ: dict[str, str], target: Path, tmp_path: Path) -> None:
    """With --workers a row stands for workers x copies."""
    file = tmp_path / "out.json"
    threads = ("--workers", 3, "--copies-per-worker", 4, "--json", file)
    done = run(environ, target, *QUICK, *threads)
    assert done.returncode == 0
    assert "3 threads, each 4 copies" in done.stdout
    tool = json.loads(file.read_text())["rows"][0]["tools"]["speedcopy"]
    assert tool["copies"] == 12
    assert min(tool["samples"]) <= tool["seconds"] <= max(tool["samples"])
    assert not list(target.iterdir())


def test_path_may_be_left_out(environ: dict[str, str], target: Path) -> None:
    """It is the current directory then."""
    done = run(environ, *QUICK, cwd=target)
    assert done.returncode == 0
    assert f"{target}: " in done.stdout
    assert not list(target.iterdir())


@pytest.mark.skipif(not shutil.which("cp"), reason="there is no cp here")
def test_against_cp(environ: dict[str, str], target: Path) -> None:
    """A peer adds three columns."""
    done = run(environ, target, *QUICK, "--against", "cp", "--against", "cp")
    assert done.returncode == 0
    head, *rows = cells(done.stdout)
    assert head == [*COLUMNS, "cp(s)", "cp(MB/s)", "vs cp"]
    assert all(GAIN.fullmatch(row[-1]) for row in rows)
    assert "x vs cp" in done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An older release, as pip fetches it."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
    if subprocess.run([*pip, "speedcopy==2.2.1"], capture_output=True, check=False).returncode:
        pytest.skip("pip cannot fetch a release here")
    return next(folder.iterdir())


@pytest.mark.parametrize("by_wheel", [False, True], ids=["by version", "wheel"])
def test_against_a_release(
    environ: dict[str, str], target: Path, temporary: Path, wheel: Path, by_wheel: bool
) -> None:
    """Fetched with pip, or already, and loaded beside ours."""
    named = str(wheel) if by_wheel else "speedcopy==2.2.1"
    done = run(environ, target, *QUICK, "--against", named)
    assert (done.returncode, complaints(done)) == (0, [])
    assert cells(done.stdout)[0][-1] == "vs speedcopy==2.2.1"
    assert not list(temporary.glob(PREFIX + "*"))
    assert wheel.exists()


@pytest.mark.usefixtures("wheel")
def test_releases_are_kept_apart(tmp_path: Path) -> None:
    """What is fetched is the release that was asked for, whichever was fetched before."""
    for version in ("2.2.1", "2.2.0", "2.2.1"):
        wheel = fetched(f"speedcopy=={version}", tmp_path)
        assert wheel.name.startswith(f"speedcopy-{version}-")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        *(
            (
                ["--sizes-mb", size],
                f"argument --sizes-mb: a size must be a number of MB, .*: {size}",
            )
            for size in ("0", "-1", "x", "inf", "nan", "1,,2", "1e300", "1e308", "1,-inf", "1e13")
        ),
        (["--repeats", "0"], "must be 1 at least"),
        (["--repeats", "inf"], "--repeats: invalid positive value: 'inf'"),
        (["--workers", "-1"], "must be 1 at least"),
        (["--workers", "20000"], "must be 1 at least and 1000 at most"),
        (["--sizes-mb", "8e12"], "not enough space for .* bytes needed, .* available"),
        (["--against", "rsync"], "must be cp, reflink-copy, speedcopy==VERSION or"),
        (["--against", "speedcopy-2.2.1-none.whl"], "speedcopy-2.2.1-none.whl cannot be unpacked"),
        (["--json", "missing/out.json"], "cannot be written to"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_arguments(
    environ: dict[str, str], target: Path, arguments: list[str], complaint: str
) -> None:
    """Refused before anything is measured."""
    done = run(environ, target, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(complaint, done.stderr.splitlines()[-1])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        pytest.param("missing", "no such directory", id="missing"),
        pytest.param("file", "not a directory", id="file"),
        pytest.param("file/below", "file/below: ", id="below a file"),
        pytest.param("/proc", "cannot be written to", id="proc"),
        pytest.param("/sys", "cannot be written to", id="sys"),
        pytest.param("ro", "cannot be written to (Read-only file system)", id="read-only"),
        pytest.param("size=256k", "not enough space for ", id="full"),
    ],
)
def test_unusable_path(
    environ: dict[str, str], target: Path, temporary: Path, path: str, complaint: str
) -> None:
    """One clear line and exit code 2, and nothing left behind."""
    (temporary / "file").touch()
    if path in KERNELS and file_system(Path(path)).kind != KERNELS[path]:
        pytest.skip(f"no {KERNELS[path]} is mounted on {path}")
    with contextlib.ExitStack() as stack:
        if path.startswith(("ro", "size=")):
            path = str(stack.enter_context(mounted(target, path)))
        done = run(environ, path, *QUICK, cwd=temporary)
        assert done.returncode == 2
        (line,) = complaints(done)
        assert line.startswith(f"benchmark.py: {path}: ")
        assert complaint in line
        assert not list(target.iterdir())
    assert [entry.name for entry in temporary.iterdir()] == ["file"]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX signals")
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM], ids=lambda signum: signum.name)
@pytest.mark.parametrize("workers", [1, 3])
def test_stopped(
    environ: dict[str, str], target: Path, temporary: Path, signum: signal.Signals, workers: int
) -> None:
    """In the middle of a run: all gone, one line, the exit code of a shell."""
    peer = ("--against", "cp") if shutil.which("cp") else ()
    command = [sys.executable, str(TOOLS / "benchmark.py"), str(target), *LONG, *peer]
    with subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
    ) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            if list(target.glob(f"{PREFIX}*/copy-*")):
                break
            time.sleep(0.01)
        time.sleep(0.2)
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 128 + signum
    done = subprocess.CompletedProcess(command, process.returncode, "", stderr)
    *removing, last = complaints(done)
    assert f"removing {target}{os.sep}{PREFIX}" in removing[0]
    assert all(line.startswith("removing ") for line in removing)
    assert f"stopped by {signum.name}" in last
    assert not [*target.iterdir(), *temporary.iterdir()]


@pytest.mark.parametrize(
    ("missing", "options", "packages"),
    [
        pytest.param(["tabulate"], [], "tabulate", id="tabulate"),
        pytest.param(["speedcopy"], [], "-e .+", id="speedcopy"),
        pytest.param(["matplotlib"], ["--plot", "out.png"], "matplotlib", id="matplotlib"),
        pytest.param(
            ["tabulate", "speedcopy", "matplotlib", "reflink_copy"],
            ["--plot", "out.png", "--against", "reflink-copy"],
            "tabulate -e .+ matplotlib reflink-copy",
            id="all",
        ),
    ],
)
@pytest.mark.parametrize("apart", [True, False], ids=["venv", "no venv"])
def test_modules_missing(
    environ: dict[str, str],
    target: Path,
    tmp_path: Path,
    missing: list[str],
    options: list[str],
    packages: str,
    apart: bool,
) -> None:
    """All in one line before anything is measured, and what to do, even where pip refuses."""
    environ["PYTHONPATH"] = str(missing_modules(tmp_path, missing, apart))
    done = run(environ, target, *QUICK, *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = complaints(done)
    said, _, remedy = line.partition(". Run: ")
    assert said == f"benchmark.py: not installed: {', '.join(missing)}"
    with_dev, _, with_pip = remedy.rpartition("; or in a virtual environment: ")
    assert re.fullmatch(rf"\S+ -m pip install {packages}", with_pip)
    assert with_dev.endswith("python3 tools/dev.py benchmark") == (not apart)
    if not apart and "matplotlib" in missing:
        assert with_dev.startswith("python3 tools/dev.py python -m pip install matplotlib")


@pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="needs matplotlib")
@pytest.mark.parametrize(
    ("name", "start"), [("out.png", b"\x89PNG"), ("out.svg", b"<?xml")], ids=["png", "svg"]
)
def test_plot(
    environ: dict[str, str], target: Path, tmp_path: Path, name: str, start: bytes
) -> None:
    """A picture in the format of its name."""
    done = run(environ, target, *QUICK, "--plot", tmp_path / name)
    assert (done.returncode, complaints(done)) == (0, [])
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.skipif(not importlib.util.find_spec("matplotlib"), reason="needs matplotlib")
def test_plot_of_unknown_format(environ: dict[str, str], target: Path) -> None:
    """Refused before anything is measured."""
    done = run(environ, target, *QUICK, "--plot", "out.doc")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(complaints(done)) == 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the floor is for Linux")
@pytest.mark.skipif(not shutil.which("cc"), reason="the floor needs a C compiler")
def test_ratios(environ: dict[str, str], target: Path, temporary: Path) -> None:
    """Every case has its floor, and every target its verdict."""
    done = run(environ, "ratios", target, "--rounds", 1, script="measure.py")
    assert (done.returncode, complaints(done)) == (0, [])
    assert [row[1] for row in cells(done.stdout)[1:]] == ["floor (C)", "speedcopy", "shutil"] * 4
    if re.search(": (ext4|tmpfs)", done.stdout):
        assert len(re.findall(r"speedcopy / floor .*: (?:met|MISSED), \d", done.stdout)) == 4
    assert not [*target.iterdir(), *temporary.iterdir()]


@pytest.mark.skipif(not shutil.which("cp"), reason="needs cp")
def test_figures(environ: dict[str, str], target: Path, tmp_path: Path) -> None:
    """Each directory alone and with threads; then all gains side by side, and in a picture."""
    other = tmp_path / "other"
    other.mkdir()
    options = [*QUICK, "--against", "cp"]
    if importlib.util.find_spec("matplotlib"):
        options += ["--plot", str(tmp_path / "out.png")]
    done = run(environ, "figures", target, other, *options, script="measure.py")
    assert (done.returncode, complaints(done)) == (0, [])
    gains = [row for row in cells(done.stdout) if row[1] in ("", "single", "4 threads")]
    runs = [(name, mode) for name in ("target", "other") for mode in ("single", "4 threads")]
    table = [("", "", "0.01 MB", "0.5 MB", "overall"), *runs]
    assert [tuple(row) if not row[0] else (row[0], row[1]) for row in gains] == table * 2
    assert all(GAIN.fullmatch(cell) for row in gains if row[0] for cell in row[2:])
    assert "--plot" not in options or (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert not [*target.iterdir(), *other.iterdir()]
