"""The lab: what its host side does on any Linux, and one real run where it is set up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if sys.platform != "linux":
    pytest.skip("the lab runs on Linux", allow_module_level=True)
if "SPEEDCOPY_LAB_MOUNTS" in os.environ:
    pytest.skip("the lab is not tested inside the lab", allow_module_level=True)

from common.errors import ToolError
from lab import cache, packages, processes
from lab.errors import EXIT_BROKEN, EXIT_MISSING, LabError, MissingPieceError
from lab.pieces import Piece
from lab.vm import cli, disks, guest, host, samba, setup
from lab.vm.mounts import MOUNTS, PREFIX, SMB_SERVERS, Mount

if TYPE_CHECKING:
    from collections.abc import Iterator

TOOLS = Path(__file__).resolve().parents[2] / "tools"

LAB = [sys.executable, str(TOOLS / "lab.py")]
ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="needs root")
needs_smbd = pytest.mark.skipif(
    not (ROOT and Path(samba.SMBD).exists()), reason="needs root and smbd"
)


def set_up() -> bool:
    """Whether a guest can be booted here."""
    try:
        setup.require(setup.DEFAULT_KERNEL, setup.DEFAULT_SAMBA)
    except MissingPieceError:
        return False
    return ROOT


needs_lab = pytest.mark.skipif(not set_up(), reason="the lab is not set up: tools/lab.py --setup")


each_mount = pytest.mark.parametrize("row", MOUNTS, ids=[row.name for row in MOUNTS])


@pytest.fixture(scope="module")
def help_text() -> str:
    """What --help prints."""
    done = subprocess.run([*LAB, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


@each_mount
def test_help_lists_every_mount(help_text: str, row: Mount) -> None:
    """One line names the variable and what is mounted there."""
    assert re.search(rf"^ *{row.variable} +{re.escape(row.text)}$", help_text, re.MULTILINE)


@each_mount
def test_every_kind_of_mount_is_known(row: Mount) -> None:
    """A row is of a kind that the guest mounts, on disks and servers that exist."""
    assert row.kind in {"disk", "tmpfs", "overlay", "smb", "ksmbd", "nfs"}
    assert row.disk in {"", *disks.MAKE}
    assert bool(row.server) == (row.kind == "smb")


@needs_root
@pytest.mark.parametrize("options", [[], ["--kernel", "6.1"], ["--samba", "testing"]], ids=str)
def test_missing_piece_is_one_line(tmp_path: Path, options: list[str]) -> None:
    """With an empty cache there is nothing to boot, and the line says what to do."""
    environment = {**os.environ, cache.CACHE_VARIABLE: str(tmp_path)}
    done = subprocess.run(
        [*LAB, *options, "--", "true"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == EXIT_MISSING
    assert re.fullmatch(r"lab: .+ is missing: run python tools/lab\.py --setup\n", done.stderr)


@pytest.mark.parametrize(
    ("kernel", "samba_name", "expected"),
    [
        ("6.12", "installed", r"kernel 6\.12 is missing: .* --setup$"),
        ("6.1", "installed", r"kernel 6\.1 is missing: .* --setup --kernel 6\.1$"),
        ("testing", "installed", r"kernel testing is missing: .* --setup --kernel testing$"),
        ("have", "testing", r"Samba of testing is missing: .* --setup --samba testing$"),
    ],
)
def test_missing_piece_names_its_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kernel: str, samba_name: str, expected: str
) -> None:
    """The line is the command that provides just that piece."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(setup, "PACKAGES", {})
    for name in ("virtme-ng", "ksmbd-tools", "kernel-have"):
        Piece(name, name, lambda _folder: None).build()
    with pytest.raises(MissingPieceError, match=expected):
        setup.require(kernel, samba_name)


def test_needs_root(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Another user is told so."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert cli.main(["--", "true"]) == EXIT_BROKEN
    assert capsys.readouterr().err == "lab: needs root, for loop mounts: run it with sudo\n"


def test_interrupted_build_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an interrupted build left is neither used nor kept."""
    monkeypatch.setenv(cache.CACHE_VARIABLE, str(tmp_path))

    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise LabError

    failing = Piece("piece", "piece", fail)
    with pytest.raises(LabError):
        failing.build()
    assert not failing.complete
    piece = Piece("piece", "piece", lambda folder: (folder / "whole").touch())
    piece.build()
    assert piece.complete
    assert not (tmp_path / "piece/half").exists()


@pytest.mark.parametrize(
    ("keyring", "expected"),
    [("", "deb URL testing main\n"), ("/k.gpg", "deb [signed-by=/k.gpg] URL testing main\n")],
    ids=["default", "keyring"],
)
def test_private_source(keyring: str, expected: str) -> None:
    """The machine's own mirror and keyring, another suite."""
    assert packages.Mirror("URL", "bookworm", keyring).source("testing") == expected


def test_packages_start_no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy of the lab's own goes again; the machine's stays."""
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages.no_service_starts():
        assert subprocess.run([policy], check=False).returncode == 101
    assert not policy.exists()
    policy.touch()
    with packages.no_service_starts():
        assert not policy.read_text()
    assert policy.exists()


@pytest.mark.parametrize("server", SMB_SERVERS)
def test_smb_configuration_follows_the_table(tmp_path: Path, server: str) -> None:
    """A share for each row of the server; only btrfs clones; none on a disk that failed."""
    here = {"xfs": tmp_path / "xfs", "btrfs": tmp_path / "btrfs"}
    text = samba.configuration(server, 4445, tmp_path, here)
    shares = dict(re.findall(r"^\[(\w+)\]\n((?:.+\n)*)", text, re.MULTILINE))
    rows = {row.share: row for row in MOUNTS if row.server == server and row.disk in here}
    assert shares.keys() - {"global"} == rows.keys()
    for share, row in rows.items():
        assert f"path = {here[row.disk]}/{share}\n" in shares[share]
        assert ("vfs objects = btrfs" in shares[share]) == (row.disk == "btrfs")


@needs_smbd
def test_smb_configuration_is_valid(tmp_path: Path) -> None:
    """Samba's own checker knows every parameter."""
    config = tmp_path / "smb.conf"
    config.write_text(samba.configuration("smb", 4445, tmp_path, {"xfs": tmp_path}))
    for part in ("lock", "state", "cache", "pid", "private"):
        (tmp_path / part).mkdir()
    done = subprocess.run(
        ["testparm", "-s", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "nknown parameter" not in done.stderr


@needs_smbd
def test_smb_server_restarts_on_its_port(tmp_path: Path) -> None:
    """It answers after a restart, and nothing answers or runs once it is stopped."""
    server = samba.Server("smb", tmp_path / "smb", {}, None)
    server.start()
    try:
        server.restart()
    finally:
        server.stop()
    assert mentioned_by_processes(tmp_path) == []


class Restarted:
    """Counts restarts."""

    count = 0

    def restart(self) -> None:
        """Count one."""
        self.count += 1


@pytest.mark.parametrize(
    ("request_text", "restarts", "left"),
    [
        ("smb\n", 1, set()),
        ("smb", 0, {"restart"}),
        ("nobody\n", 0, {"error"}),
    ],
    ids=["known", "half written", "unknown"],
)
def test_restart_request(tmp_path: Path, request_text: str, restarts: int, left: set[str]) -> None:
    """A whole request is served once and vanishes."""
    (tmp_path / "restart").write_text(request_text)
    server: Any = Restarted()
    host.serve_control(tmp_path, {"smb": server})
    host.serve_control(tmp_path, {"smb": server})
    assert server.count == restarts
    assert {path.name for path in tmp_path.iterdir()} == left


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("$SHARE", "/share"),
        ("${SHARE}/dir", "/share/dir"),
        ("--target=$SHARE", "--target=/share"),
        ("$HOME", "$HOME"),
        ("$SHARED", "$SHARED"),
        ("echo $SHARE", "echo $SHARE"),
    ],
)
def test_lab_variables_in_arguments(argument: str, expected: str) -> None:
    """Those of the lab alone, and not in a script, which its shell expands."""
    assert guest.expanded(argument, {"SHARE": "/share"}) == expected


@pytest.mark.parametrize(
    ("command", "code", "output", "errors"),
    [
        (["sh", "-c", "exit 7"], 7, "", ""),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM, "", r"lab: sh: Terminated\n"),
        (["sh", "-c", "echo a; echo b >&2; echo c >/dev/stdout"], 0, "a\nc\n", "b\n"),
        (["sh", "-c", 'echo "$SHARE"'], 0, "/share\n", ""),
        (["sh", "-c", "sleep 60 & echo $!"], 0, r"\d+\n", ""),
        (["/no/such/program"], 127, "", r"lab: .*/no/such/program.*\n"),
    ],
    ids=["exit code", "signal", "streams", "environment", "daemon left", "not found"],
)
def test_command_in_the_guest(
    tmp_path: Path, command: list[str], code: int, output: str, errors: str
) -> None:
    """Exit codes are a shell's, both streams arrive in their files."""
    session = {"command": command, "directory": str(tmp_path), "environment": dict(os.environ)}
    for name in ("stdout", "stderr"):
        (tmp_path / name).touch()
    assert guest.run_command(session, {"SHARE": "/share"}, tmp_path) == code
    printed = (tmp_path / "stdout").read_text()
    if command[-1].endswith("echo $!"):
        os.kill(int(printed), signal.SIGKILL)
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            thread.join(timeout=10)  # the relay sees the end of the output only now
    assert re.fullmatch(output, printed)
    assert re.fullmatch(errors, (tmp_path / "stderr").read_text())


@pytest.mark.parametrize(
    "script",
    ["sleep 60 & exec sleep 60", "trap '' TERM; sleep 60 & while :; do wait; done"],
    ids=["polite", "deaf"],
)
def test_processes_end_with_an_exception(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The whole group goes, if need be by force."""
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.5)
    processes.adopt_orphans()
    started = []

    def fail() -> None:
        with processes.running(["sh", "-c", script]) as process:
            started.append(process)
            time.sleep(0.1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert not processes.group_alive(started[0])


@pytest.fixture(params=sorted(disks.MAKE))
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """An empty file system in a file."""
    path = tmp_path / "image"
    try:
        disks.make_image(request.param, path)
        with disks.loop_mount(path, tmp_path / "probe"):
            pass
    except (ToolError, OSError) as error:
        pytest.skip(f"no loop mount: {error}")
    yield path
    path.unlink()


@needs_root
def test_loop_mount_leaves_nothing(image: Path, tmp_path: Path) -> None:
    """Neither mount nor loop device, after an exception too."""
    directory = tmp_path / "mounted"

    def fail() -> None:
        with disks.loop_mount(image, directory):
            (directory / "file").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert left_behind(tmp_path) == []


@pytest.fixture
def lab_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for all that a run makes. Samba's sockets in it need a short name (107 bytes)."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


@needs_lab
def test_run(lab_home: Path) -> None:
    """Boots: output arrives as it is written, the exit code is the command's, nothing stays."""
    script = "echo early; echo aside >&2; echo $SPEEDCOPY_LAB_MOUNTS; sleep 3; echo late; exit 7"
    with subprocess.Popen(
        [*LAB, "--", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        assert run.stderr
        lines = [(line.strip(), time.monotonic()) for line in run.stdout]
        said = run.stderr.read()
    assert run.returncode == 7, said
    texts = [text for text, _ in lines]
    assert texts[0::2] == ["early", "late"], said
    assert lines[2][1] - lines[0][1] > 1
    skipped = re.findall(r"^lab: skipped (\w+): ", said, re.MULTILINE)
    assert sorted(texts[1].split() + skipped) == sorted(row.name for row in MOUNTS)
    summary = rf"^lab: kernel \S+, {len(texts[1].split())} mounts, {len(skipped)} skipped, boot"
    assert re.search(summary, said, re.MULTILINE)
    assert "aside\n" in said
    assert left_behind(lab_home) == []


@needs_lab
def test_run_is_interrupted(lab_home: Path) -> None:
    """While it boots, with servers up and disks mounted."""
    with subprocess.Popen([*LAB, "--", "true"], stderr=subprocess.PIPE) as run:
        assert run.stderr
        while not list(lab_home.glob("*/session.json")):
            assert run.poll() is None, run.stderr.read()
            time.sleep(0.05)
        time.sleep(1)
        assert mentioned_by_processes(lab_home)
        run.send_signal(signal.SIGINT)
    assert run.returncode == 128 + signal.SIGINT
    assert left_behind(lab_home) == []


def left_behind(folder: Path) -> list[str]:
    """Mounts, loop devices, processes and scratch directories that belong to a folder."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    loops = [path.read_text() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [
        *(text for text in [*mounts, *loops] if str(folder) in text),
        *mentioned_by_processes(folder),
        *(str(path) for path in folder.glob("speedcopy-lab-*")),
    ]


def mentioned_by_processes(folder: Path) -> list[str]:
    """Command lines that name something in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if str(folder) in text:
            found.append(text)
    return found


def test_prefix_is_not_shadowed() -> None:
    """No row's variable is another row's variable for its server."""
    names = [row.variable for row in MOUNTS] + [row.server_variable for row in MOUNTS]
    assert len(names) == len(set(names))
    assert all(name.startswith(PREFIX) for name in names)
