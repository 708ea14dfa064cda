"""What tools/benchmark.py is made of."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench import needs, report, rows, turns
from bench.copiers import Copier, ours, standard_library
from bench.environment import Environment, FileSystem, from_mount_command, from_mountinfo
from bench.errors import BenchmarkError, UnusableError, WrongCopyError
from bench.progress import Progress
from bench.scratch import scratch
from common.command import exit_code


def test_wrong_copy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tool that copies wrongly ends the run, with exit code 1 and nothing left."""

    def forgetful(_src: str, dst: str) -> None:
        Path(dst).write_bytes(b"")

    plan = rows.Plan((1000,), repeats=1, workers=1, copies_per_worker=1)

    def job() -> None:
        with scratch(tmp_path) as folder:
            turns.run(plan, [Copier("forgetful", forgetful)], ours().transfer, folder)

    assert exit_code("test", job) == WrongCopyError.exit_code == 1
    last = capsys.readouterr().err.splitlines()[-1]  # a slow machine sees the progress before it
    assert last == "test: forgetful: the copy of a file of 1000 bytes differs"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("workers", [1, 2])
def test_failing_copy(tmp_path: Path, workers: int) -> None:
    """The error of a tool comes out, from a thread as well, once all threads have ended."""

    def failing(src: str, dst: str) -> None:
        if int(Path(dst).name.rpartition("-")[2]) > 6:
            raise BenchmarkError(dst)
        shutil.copyfile(src, dst)

    plan = rows.Plan((1000,), repeats=9, workers=workers, copies_per_worker=3)
    tools = [standard_library(), Copier("failing", failing)]
    with pytest.raises(BenchmarkError), scratch(tmp_path) as folder:
        turns.run(plan, tools, ours().transfer, folder)
    assert not list(tmp_path.iterdir())


def test_too_many_threads(tmp_path: Path) -> None:
    """One line, when the system starts no more: here, as their stacks do not fit."""
    try:
        before = threading.stack_size(1 << 46)
    except (ValueError, OverflowError):
        pytest.skip("stacks cannot be as large here")
    plan = rows.Plan((1000,), repeats=1, workers=2, copies_per_worker=1)
    try:
        with (
            pytest.raises(BenchmarkError, match="2 threads are too many"),
            scratch(tmp_path) as made,
        ):
            turns.run(plan, [standard_library()], ours().transfer, made)
    finally:
        threading.stack_size(before)
    assert not list(tmp_path.iterdir())


def test_no_name_is_used_twice(tmp_path: Path) -> None:
    """Every copy is a new file, and all sources hold other bytes."""
    seen: list[str] = []
    sources: dict[str, bytes] = {}

    def noting(src: str, dst: str) -> None:
        assert not os.path.exists(dst)
        seen.append(dst)
        sources[src] = Path(src).read_bytes()
        shutil.copyfile(src, dst)

    plan = rows.Plan((1000,), repeats=2, workers=2, copies_per_worker=2)
    with scratch(tmp_path) as folder:
        turns.run(plan, [Copier("noting", noting)], ours().transfer, folder)
    assert len(seen) == len(set(seen)) > 8
    assert len(set(sources.values())) == len(sources) == 2


def test_turns() -> None:
    """Nobody is always first, and nobody always comes after the same one."""
    orders = list(itertools.islice(turns.turns("abc"), 6))
    assert {"".join(order) for order in orders} == {"abc", "bca", "cab", "cba", "bac", "acb"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0"), (0.00001234, "0.0000123"), (0.0251, "0.0251"), (1.029, "1.03"), (123.4, "123")],
)
def test_seconds(seconds: float, text: str) -> None:
    """Three digits that count, in the notation of the published tables."""
    assert report.seconds(seconds) == text


MOUNTINFO = """\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard,errors=remount-ro
30 22 0:40 / /mnt rw - tmpfs tmpfs rw,size=1024k
31 30 0:41 / /mnt/share rw,relatime - cifs //server/share rw,vers=3.1.1,cache=strict,user=x
32 22 0:42 / /a\\040b rw master:1 - nfs4 host:/x rw,vers=4.2,rsize=1048576,addr=::1
33 22 0:43 / /twice rw - ext4 /dev/sdb rw
34 33 0:44 / /twice rw - xfs /dev/sdc rw,logbsize=32k
"""
MOUNTS = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
map auto_home on /System/Volumes/Data/home (autofs, automounted, nobrowse)
zroot/home on /home (zfs, local, async, nfsv4acls)
"""


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("/home/x", FileSystem("ext4", "/dev/sda1", ("discard",))),
        ("/mnt/other", FileSystem("tmpfs", "tmpfs", ("size=1024k",))),
        ("/mnt/share", FileSystem("cifs", "//server/share", ("vers=3.1.1", "cache=strict"))),
        ("/mnt/shares", FileSystem("tmpfs", "tmpfs", ("size=1024k",))),
        ("/a b/c", FileSystem("nfs4", "host:/x", ("vers=4.2", "rsize=1048576"))),
        ("/twice/x", FileSystem("xfs", "/dev/sdc", ("logbsize=32k",))),
    ],
)
def test_mountinfo(where: str, found: FileSystem) -> None:
    """The innermost and newest mount, with the options worth knowing."""
    assert from_mountinfo(MOUNTINFO, where) == found


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("/usr", "apfs on /dev/disk3s1s1"),
        ("/home/x", "zfs on zroot/home (async)"),
    ],
)
def test_mount_command(where: str, found: str) -> None:
    """What macOS and FreeBSD print."""
    assert str(from_mount_command(MOUNTS, where)) == found


@pytest.mark.parametrize(
    ("terminal", "clock", "shown"),
    [
        (True, [0, 0, 1], "\r\033[K0 of 2 done, now a\r\033[K1 of 2 done, now b\r\033[K"),
        (False, [0, 1, 2], ""),
        (False, [0, 1, 11], "1 of 2 done, now b\n"),
    ],
    ids=["terminal", "short", "long"],
)
def test_progress(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    terminal: bool,
    clock: list[float],
    shown: str,
) -> None:
    """At once on a terminal, elsewhere only when it takes long."""
    ticks = iter(clock)
    monkeypatch.setattr("bench.progress.time.monotonic", lambda: next(ticks))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    progress = Progress(2)
    progress.step("a")
    progress.step("b")
    progress.close()
    assert capsys.readouterr().err == shown


def test_cleaning_up_outlives_a_second_signal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C, and again while the folder is removed, which is said."""

    def job() -> None:
        with scratch(tmp_path) as folder:
            (folder / "file").touch()
            try:
                signal.raise_signal(signal.SIGINT)
            finally:
                signal.raise_signal(signal.SIGINT)

    assert exit_code("test", job) == 128 + signal.SIGINT
    first, last = capsys.readouterr().err.splitlines()
    assert first.startswith(f"removing {tmp_path}")
    assert last.startswith("test: stopped by SIGINT")
    assert not list(tmp_path.iterdir())


def test_unusable_says_what_is_needed() -> None:
    """How much space, in MB."""
    text = str(UnusableError("x", OSError(28, "No space left on device"), 3 << 20))
    assert text == "x: not enough space for 3 MB of files (No space left on device)"


@pytest.mark.parametrize(
    ("free", "fits"),
    [(0, True), (99, False), (100, True)],
    ids=["unknown", "short of a byte", "just enough"],
)
def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, fits: bool) -> None:
    """A file system that does not know its size gets the benefit of the doubt."""
    usage = SimpleNamespace(total=free and 1000, free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    if fits:
        needs.room(tmp_path, 100)
    else:
        with pytest.raises(BenchmarkError, match="100 bytes needed, 99 available"):
            needs.room(tmp_path, 100)


def row(mechanism: str) -> rows.Row:
    """What a run says of a size."""
    timing = rows.Timing(1, 1, 1.0, (1.0,))
    return rows.Row(1, {"shutil": timing, "speedcopy": timing}, mechanism, {})


EXT4, NFS3 = FileSystem("ext4"), FileSystem("nfs", "", ("vers=3",))
NFS4, NFS42 = (FileSystem("nfs4", "", (f"vers={version}",)) for version in ("4.1", "4.2"))
CIFS = FileSystem("cifs")


@pytest.mark.parametrize(
    ("where", "mechanisms", "said"),
    [
        (EXT4, ["copy_file_range"], "copy_file_range within the kernel, as shutil"),
        (NFS3, ["read/write"], "(read/write, as shutil)"),
        (NFS4, ["sendfile", "read/write"], "(sendfile within the kernel, read/write, as shutil)"),
        (NFS42, ["copy_file_range"], ""),
        (CIFS, ["copy_file_range"], ""),
        (CIFS, ["CIFS_IOC_COPYCHUNK_FILE"], ""),
        (EXT4, ["FICLONE"], ""),
        (EXT4, ["FICLONE", "copy_file_range"], ""),
        (EXT4, ["shutil.copyfile"], ""),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, list) else str(value),
)
def test_why_there_is_no_gain(where: FileSystem, mechanisms: list[str], said: str) -> None:
    """Said where this machine moved all bytes, and only there."""
    environment = Environment("x", where, "", "", 1, "")
    summary = report.summary(environment, [row(mechanism) for mechanism in mechanisms], [])
    assert ("no faster mechanism between these files" in summary) == bool(said)
    assert said in summary
