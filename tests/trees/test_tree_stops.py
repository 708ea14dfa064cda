"""What ends the copy of a tree: it ends cleanly, and says what is missing."""

from __future__ import annotations

import ast
import gc
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.descriptors import descriptors
from support.python import importing

from speedcopy import _copy2
from speedcopy._copy2 import copy2
from speedcopy._trees import batches
from speedcopy._trees.copytree import copytree
from speedcopy._trees.running import Running
from speedcopy._trees.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

FILES = 12


class Broke(Exception):  # noqa: N818
    """What a callback raises."""


@pytest.fixture
def tree(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three directories of four files, copied one or two at a time."""
    for directory in "abc":
        (folder / "src" / directory).mkdir(parents=True)
        for number in range(FILES // 3):
            (folder / "src" / directory / str(number)).write_bytes(b"x" * 100)
    monkeypatch.setattr(
        "speedcopy._trees.targets.target", lambda *_, **__: Target(2, 2, remote=True)
    )
    return folder / "src"


def missing(error: BaseException, src: Path) -> set[str]:
    """The files that the note names, by itself or with their directory."""
    (note,) = error.__notes__  # type: ignore[attr-defined]
    named = [ast.literal_eval(name) for name in re.findall(r"'[^']+'", note)]
    files = [str(path) for path in src.glob("*/*")]
    return {path for path in files if any(path == name or path.startswith(name) for name in named)}


def assert_accounted(error: BaseException, src: Path, dst: Path) -> None:
    """Each file is complete or missing, and nothing goes on."""
    lost = missing(error, src)
    assert lost
    before = sorted(map(str, dst.rglob("*")))
    for path in src.glob("*/*"):
        if str(path) not in lost:
            assert (dst / path.relative_to(src)).read_bytes() == path.read_bytes()
    time.sleep(0.05)
    assert sorted(map(str, dst.rglob("*"))) == before
    assert not [one for one in threading.enumerate() if one.name == "speedcopy"]


def test_progress_raises(tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in progress comes out, with a note."""
    monkeypatch.setattr("speedcopy._trees.parallel.TICK", 0)

    copy = _copy2.Copier.__call__

    def slow(*arguments: Any) -> int:
        time.sleep(0.005)
        return copy(*arguments)

    monkeypatch.setattr(_copy2.Copier, "__call__", slow)

    def progress(done: Any) -> None:
        if done.files:
            raise Broke

    with pytest.raises(Broke) as caught:
        copytree(tree, folder / "dst", progress=progress)
    assert_accounted(caught.value, tree, folder / "dst")


@pytest.mark.parametrize("workers", [1, 2])
def test_not_an_oserror(
    workers: int, tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not an OSError ends the copy: here what a copy raises."""
    copy = _copy2.Copier.__call__

    def fails(copier: Any, src: str, dst: str) -> int:
        if src == str(tree / "b" / "2"):
            raise Broke
        return copy(copier, src, dst)

    target = Target(workers, 2, remote=True)
    monkeypatch.setattr("speedcopy._trees.targets.target", lambda *_, **__: target)
    monkeypatch.setattr(_copy2.Copier, "__call__", fails)
    with pytest.raises(Broke) as caught:
        copytree(tree, folder / "dst")
    assert str(tree / "b" / "2") in missing(caught.value, tree)
    assert_accounted(caught.value, tree, folder / "dst")


@pytest.mark.parametrize("where", ["src/b", "src"])
def test_ignore_raises(where: str, tree: Path, folder: Path) -> None:
    """What is not an OSError ends the copy: here what an ignore function raises."""

    def ignore(path: str, _names: list[str]) -> tuple[str, ...]:
        if path == str(folder.joinpath(*where.split("/"))):
            raise Broke
        return ()

    with pytest.raises(Broke) as caught:
        copytree(tree, folder / "dst", ignore=ignore)
    if where == "src":
        assert not (folder / "dst").exists()
    else:
        assert_accounted(caught.value, tree, folder / "dst")


class Breaking(Executor):
    """An executor that breaks after some tasks: when it is asked, or while it works."""

    def __init__(self, after: int, *, at_once: bool) -> None:
        """Takes ``after`` tasks."""
        self._left = after
        self._at_once = at_once

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        """Copies, or is broken."""
        self._left -= 1
        future: Future[Any] = Future()
        if self._left >= 0:
            future.set_result(function(*arguments, **options))
        elif self._at_once:
            raise BrokenExecutor
        else:
            future.set_exception(BrokenExecutor("a worker is gone"))
        return future


@pytest.mark.parametrize("at_once", [False, True], ids=["later", "at once"])
@pytest.mark.parametrize("after", range(6))
def test_executor_breaks(after: int, at_once: bool, tree: Path, folder: Path) -> None:
    """An executor that breaks ends the copy."""
    with pytest.raises(BrokenExecutor) as caught:
        copytree(tree, folder / "dst", executor=Breaking(after, at_once=at_once))
    assert_accounted(caught.value, tree, folder / "dst")


class Recording(Breaking):
    """An executor that keeps what it is given."""

    def __init__(self) -> None:
        """Takes as many tasks as there are."""
        super().__init__(1000, at_once=False)
        self.given: list[Any] = []

    def submit(self, function: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        """Copies."""
        self.given.append(arguments)
        return super().submit(function, *arguments, **options)


def test_no_two_batches_are_equal(tree: Path, folder: Path) -> None:
    """Of two equal calls, dask makes one and remembers the result: a second copy would be none."""
    executor = Recording()
    for _ in range(2):
        copytree(tree, folder / "dst", executor=executor, dirs_exist_ok=True)
    assert len(executor.given) == 12
    assert all(executor.given.count(one) == 1 for one in executor.given)


def test_executor_is_shut_down(tree: Path, folder: Path) -> None:
    """An executor that takes no tasks ends the copy, and names are missing."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown") as caught:
        copytree(tree, folder / "dst", executor=executor)
    assert_accounted(caught.value, tree, folder / "dst")


CTRL_C = """
import sys, time
from speedcopy._trees import batches, targets
from speedcopy._trees.copytree import copytree

def slow(*arguments):
    time.sleep(0.2)
    return copy(*arguments)

def progress(done):
    print(done.files, flush=True)

copy, batches._copy = batches._copy, slow
target = targets.Target(int(sys.argv[1]), 2, remote=False)
targets.target = lambda *_, **__: target
try:
    copytree("src", "dst", progress=progress)
except KeyboardInterrupt as error:
    print(error.__notes__, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="no signal can be sent to another process")
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c(workers: str, tree: Path, folder: Path) -> None:
    """Ctrl-C ends the copy as soon as the files are finished that are being copied."""
    command = [sys.executable, "-W", "error", "-c", CTRL_C, workers]
    with subprocess.Popen(
        command, cwd=folder, env=importing(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 0
    assert int(first) < FILES
    assert "Not copied, or only in part: 'src/" in rest
    copied = len(list((folder / "dst").glob("*/*")))
    assert copied < FILES
    assert len(list(tree.glob("*/*"))) == FILES


@pytest.mark.parametrize("stop", [KeyboardInterrupt, Broke])
def test_what_was_done_is_counted(
    stop: type[BaseException], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files of the batch that was interrupted are done, or missing, each by itself."""
    (folder / "src").mkdir()
    for name in "abcd":
        (folder / "src" / name).write_bytes(b"x")
    copied: list[str] = []
    copy = batches._copy  # noqa: SLF001

    def stops(copier: Any, many: Any, batch: Any, index: int) -> tuple[int, int]:
        if copied:
            raise stop
        copied.append(batch.names[index])
        return copy(copier, many, batch, index)

    monkeypatch.setattr(batches, "_copy", stops)
    with pytest.raises(stop) as caught:
        copytree(folder / "src", folder / "dst", workers=1)
    (note,) = caught.value.__notes__  # type: ignore[attr-defined]
    assert note.startswith("copytree ended after 1 files.")
    assert {name for name in "abcd" if repr(str(folder / "src" / name)) in note} == {
        name for name in "abcd" if name not in copied
    }


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer here")
@pytest.mark.filterwarnings(  # a scandir that is interrupted as it is made is closed by its end
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_interrupted_anywhere(folder: Path) -> None:
    """No descriptor is left, whenever a signal handler raises; then all can be copied.

    By the calling thread alone: CPython's Thread.start cannot be interrupted without harm.
    """
    for number in range(300):
        (folder / "src" / str(number % 3)).mkdir(parents=True, exist_ok=True)
        (folder / "src" / str(number % 3) / str(number)).write_bytes(b"x" * number)

    def handler(*_: object) -> None:
        raise Broke

    before = signal.signal(signal.SIGALRM, handler)
    opened = descriptors()
    try:
        for number in range(60):
            signal.setitimer(signal.ITIMER_REAL, 0.0005 * number)
            try:
                copytree(folder / "src", folder / str(number), workers=1)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except Broke:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    assert descriptors() == opened
    copytree(folder / "src", folder / "59", dirs_exist_ok=True, workers=1)
    assert not [one for one in threading.enumerate() if one.name == "speedcopy"]


class Forgetful(Executor):
    """Calls nothing, and nobody back."""

    def submit(self, *_: object, **__: object) -> Future[Any]:
        """Returns a future whose callback is swallowed."""
        future: Any = Future()
        future.add_done_callback = lambda _: None
        return future  # type: ignore[no-any-return]


def test_lost_callback() -> None:
    """A Future swallows what a signal handler raises in its callback: the task ends then, too."""
    running = Running()
    task: Any = SimpleNamespace(future=None)
    running.start(task, Forgetful(), print)
    assert not [*running.ended()]
    task.future.set_result(None)
    assert [*running.ended()] == [task]
    assert not running


AT_EXIT = """
import atexit
from speedcopy._trees.copytree import copytree
atexit.register(copytree, "src", "dst", workers=2)
"""


def test_at_exit(tree: Path, folder: Path) -> None:
    """While the interpreter exits it may start no thread; shutil copies all the same."""
    command = [sys.executable, "-W", "error", "-c", AT_EXIT]
    done = subprocess.run(
        command, cwd=folder, env=importing(), check=True, capture_output=True, text=True
    )
    assert not done.stderr
    assert len(list((folder / "dst").glob("*/*"))) == FILES
    assert tree.exists()


@pytest.mark.parametrize("most", [0, 1])
def test_no_threads(most: int, tree: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread, the others do the work, or the calling one."""
    started: list[object] = []

    class Thread(threading.Thread):
        def start(self) -> None:
            if len(started) >= most:
                msg = "can't start new thread"
                raise RuntimeError(msg)
            started.append(self)
            super().start()

    monkeypatch.setattr("speedcopy._trees.executors.threading.Thread", Thread)
    copytree(tree, folder / "dst")
    assert len(list((folder / "dst").glob("*/*"))) == FILES
    assert len(started) == most


def test_foreign_function_raises(tree: Path, folder: Path) -> None:
    """What is not an OSError ends the copy here, too, and the directories that are begun lack."""

    def fails(src: str, dst: str) -> None:
        if src.endswith("2"):
            raise Broke
        copy2(src, dst)

    with pytest.raises(Broke) as caught:
        copytree(tree, folder / "dst", copy_function=fails)
    assert_accounted(caught.value, tree, folder / "dst")


def test_foreign_function(tree: Path, folder: Path) -> None:
    """It is called on the calling thread with two str, in the order of the names."""
    calls: list[tuple[object, object, object]] = []

    def copy(src: str, dst: str) -> object:
        calls.append((threading.get_ident(), src, dst))
        assert (type(src), type(dst)) == (str, str)
        return copy2(src, dst)

    copytree(tree, folder / "dst", copy_function=copy)
    expected = [
        (threading.get_ident(), path.path, path.path.replace("src", "dst"))
        for directory in os.scandir(tree)
        for path in os.scandir(directory)
    ]
    assert calls == expected


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"workers": 0}, "workers must be at least 1, not 0"),
        ({"metadata": "some"}, "metadata must be 'strict', 'best-effort' or 'times', not 'some'"),
    ],
    ids=["workers", "metadata"],
)
def test_bad_options(options: dict[str, Any], text: str, tree: Path, folder: Path) -> None:
    """Options are looked at before anything is done."""
    with pytest.raises(ValueError, match=re.escape(text)):
        copytree(tree, folder / "dst", **options)
    assert not (folder / "dst").exists()
