"""Cases that once hung, left descriptors, or mixed the data of two files."""

from __future__ import annotations

import functools
import os
import queue
import shutil
import subprocess
import sys
import threading
import types
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.python import importing

from speedcopy._trees import targets
from speedcopy._trees.copytree import copytree
from speedcopy._trees.directories import Directory
from speedcopy._trees.executors import Threads
from speedcopy._trees.parallel import Parallel
from speedcopy._trees.schedule import Schedule

if TYPE_CHECKING:
    from pathlib import Path


def make_nested(top: Path) -> None:
    """A directory in which a copy of the tree writes files that it reads as well."""
    for directory, byte in (("a", b"1"), ("a/a", b"2")):
        (top / directory).mkdir(parents=True)
        for number in range(4):
            (top / directory / str(number)).write_bytes(byte * 100)


@pytest.mark.parametrize("link", [False, True], ids=["path", "link"])
def test_src_in_dst(link: bool, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where src lies in dst, files are copied one after the other, as by shutil."""
    monkeypatch.delattr(Parallel, "run")
    contents = []
    for name, function in (("old", shutil.copytree), ("new", copytree)):
        top = folder / name
        make_nested(top)
        src = top / "a"
        if link:
            src = folder / f"link-{name}"
            src.symlink_to(top / "a")
        function(src, top, dirs_exist_ok=True)
        files = [path for path in top.rglob("*") if path.is_file()]
        contents.append({path.relative_to(top): path.read_bytes() for path in files})
    assert contents[0] == contents[1]


@pytest.mark.parametrize("is_started", [False, True])
def test_start_is_interrupted(
    is_started: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A signal handler that raises while a thread starts ends the copy, and no thread stays."""
    (folder / "src").mkdir()
    (folder / "src" / "file").write_bytes(b"x")
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        if thread.name != "speedcopy":
            start(thread)
            return
        if is_started:
            start(thread)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        copytree(folder / "src", folder / "dst", workers=2)
    assert not [one for one in threading.enumerate() if one.name == "speedcopy"]


def test_unlisted_thread_ends() -> None:
    """Each thread ends at shutdown, also one that the executor does not know."""
    threads = Threads(2)
    assert threads.submit(int).result() == 0
    extra = threading.Thread(target=threads._run)  # noqa: SLF001
    extra.start()
    threads.shutdown()
    extra.join(60)
    assert not extra.is_alive()


def test_ignore_raises_queue_empty(folder: Path) -> None:
    """What an ignore function raises ends the copy, whatever it is."""
    (folder / "src" / "below").mkdir(parents=True)

    def ignore(path: str, _names: list[str]) -> tuple[str, ...]:
        if path.endswith("below"):
            raise queue.Empty
        return ()

    with pytest.raises(queue.Empty):
        copytree(folder / "src", folder / "dst", ignore=ignore)


def interrupt_once(function: Callable[..., Any]) -> Callable[..., Any]:
    """Raises KeyboardInterrupt instead of calling a function."""

    @functools.wraps(function)
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    return interrupted


@pytest.mark.parametrize("where", ["drawn", "must_wait"])
def test_no_descriptor_is_left(where: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt while names are read leaves no directory open, also before gc."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("the open descriptors are not listed here")
    (folder / "src" / "below").mkdir(parents=True)
    (folder / "src" / "file").write_bytes(b"x")
    monkeypatch.setattr(Schedule, where, interrupt_once(getattr(Schedule, where)))
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyboardInterrupt) as caught:
        copytree(folder / "src", folder / "dst", workers=1)
    assert len(os.listdir("/proc/self/fd")) == before
    assert caught.value.__notes__  # type: ignore[attr-defined]


def test_note_before_a_directory_is_opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt while the next directory is chosen does not hide it from the note."""
    (folder / "src" / "below").mkdir(parents=True)
    monkeypatch.setattr(Directory, "child", interrupt_once(Directory.child))
    with pytest.raises(KeyboardInterrupt) as caught:
        copytree(folder / "src", folder / "dst", workers=1)
    assert "below" in caught.value.__notes__[0]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("inode", "is_copied"), [(1, True), (1234, False)], ids=["fuse", "bind"])
def test_dst_by_another_name(
    inode: int, is_copied: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dst in src is known by its inode alone, as a bind mount has another name."""
    (folder / "src" / "alias").mkdir(parents=True)
    (folder / "dst").mkdir()
    twins = {str(folder / "src" / "alias"), str(folder / "dst")}
    stat = os.stat

    def same(path: Any, **options: Any) -> Any:
        found = stat(path, **options)
        if str(path) not in twins:
            return found
        values = {name: getattr(found, name) for name in dir(found) if name.startswith("st_")}
        return types.SimpleNamespace(**{**values, "st_ino": inode})

    monkeypatch.setattr(os, "stat", same)
    copytree(folder / "src", folder / "dst", dirs_exist_ok=True)
    monkeypatch.undo()
    assert (folder / "dst" / "alias").exists() == is_copied


FEW = """
import resource
from speedcopy._trees.copytree import copytree
import speedcopy._trees.in_order, speedcopy._trees.parallel, speedcopy._trees.targets

resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
copytree("src", "dst", workers=16)
"""


def test_few_descriptors(folder: Path) -> None:
    """With few descriptors, fewer files are copied at the same time, and none fails."""
    pytest.importorskip("resource")
    for directory in range(20):
        (folder / "src" / str(directory) / "below").mkdir(parents=True)
        for number in range(5):
            (folder / "src" / str(directory) / "below" / str(number)).write_bytes(b"x")
    run = subprocess.run(
        [sys.executable, "-c", FEW], cwd=folder, env=importing(), check=False, capture_output=True
    )
    assert not run.returncode, run.stderr
    assert len(list((folder / "dst").glob("*/below/*"))) == 100


@pytest.mark.parametrize(("free", "workers"), [(-3, 1), (5, 1), (13, 2), (1000, 16)])
def test_workers_by_descriptors(
    free: int, workers: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The free descriptors limit the number of workers, which is at least 1."""
    monkeypatch.setattr(targets, "_free_descriptors", lambda: free)
    assert targets.target(folder, folder, workers=16, executor=None).workers == workers
