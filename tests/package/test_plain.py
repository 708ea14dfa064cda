"""Reading and writing by Python: what it creates and removes, and that it equals shutil."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import socket
import stat
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.cancelling import Stop
from support.layout import require_links

_plain = pytest.importorskip("speedcopy._plain")

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = b"data" * 50_000
THEIRS = b"somebody else's"
FILE_SHARE_DELETE = 4


#: Called with each "open" event: the name, the mode and the flags.
_listeners: list[Callable[[Any, Any, int], object]] = []


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        for listener in _listeners:
            listener(*arguments)


getattr(sys, "addaudithook", lambda _: None)(_listen)


@contextlib.contextmanager
def listening(listener: Callable[[Any, Any, int], object]) -> Iterator[None]:
    """Calls ``listener`` whenever a file is about to be opened."""
    if not hasattr(sys, "addaudithook"):
        pytest.skip("this Python has no audit hooks")
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextlib.contextmanager
def before_opening(path: Path, act: Callable[[], object]) -> Iterator[None]:
    """Acts once, between the look-up of ``path`` and its opening."""
    done: list[object] = []

    def listener(name: Any, _mode: Any, _flags: int) -> None:
        if name == str(path) and not done:
            done.append(name)
            act()

    with listening(listener):
        yield
    assert done


@pytest.fixture
def src(folder: Path) -> Path:
    """A file of several buffers."""
    path = folder / "src"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def dst(folder: Path) -> Path:
    """A name that is free."""
    return folder / "dst"


def stopped(src: Path, dst: Path, act: Callable[[], object] = bool) -> None:
    """A copy that is cancelled when all is copied, after ``act``."""

    def progress(*_: int) -> None:
        act()
        raise Stop

    with pytest.raises(Stop):
        _plain.copy(src, dst, progress, 0)


class TestUndo:
    """What is removed when a copy is cancelled or fails."""

    def test_created(self, src: Path, dst: Path) -> None:
        """A file that this copy has created."""
        stopped(src, dst)
        assert not dst.exists()

    def test_existing(self, src: Path, dst: Path) -> None:
        """No file that existed."""
        dst.write_bytes(THEIRS)
        stopped(src, dst)
        assert dst.read_bytes() == DATA

    def test_created_meanwhile(self, src: Path, dst: Path) -> None:
        """No file that somebody has created after our look."""
        with before_opening(dst, lambda: dst.write_bytes(THEIRS)):
            stopped(src, dst)
        assert dst.read_bytes() == DATA

    def test_replaced(self, src: Path, dst: Path) -> None:
        """No file that somebody has put in the place of ours."""
        other = dst.with_name("other")
        other.write_bytes(THEIRS)
        stopped(src, dst, lambda: os.replace(other, dst))
        assert dst.read_bytes() == THEIRS

    def test_link_in_its_place(self, src: Path, dst: Path) -> None:
        """No link, though it leads to the file that we have created."""
        moved = dst.with_name("moved")
        require_links(dst)

        def replace() -> None:
            dst.rename(moved)
            dst.symlink_to(moved)

        stopped(src, dst, replace)
        assert (dst.is_symlink(), moved.read_bytes()) == (True, DATA)

    def test_dangling_link(self, src: Path, dst: Path) -> None:
        """Neither a link nor what it leads to, as with shutil."""
        require_links(dst)
        target = dst.with_name("target")
        dst.symlink_to(target)
        stopped(src, dst)
        assert (dst.is_symlink(), target.read_bytes()) == (True, DATA)

    def test_refused(self, src: Path, dst: Path) -> None:
        """Nothing that somebody has made before our open was refused."""
        with ExitStack() as stack, before_opening(dst, lambda: occupy(stack, dst)):
            with pytest.raises(OSError) as caught:  # noqa: PT011
                _plain.copy(src, dst, None, 0)
            assert caught.value.filename == str(dst)
            assert os.path.lexists(dst)

    @pytest.mark.parametrize("old", [None, THEIRS], ids=["new", "existing"])
    def test_read_fails(self, old: Any, dst: Path) -> None:
        """A file that we have created is removed, another one is empty as with shutil."""
        unreadable = "/proc/self/mem"
        if not os.path.exists(unreadable):
            pytest.skip("no file here that can be opened and not read")
        if old:
            dst.write_bytes(old)
        with pytest.raises(OSError, match=r"mem.*dst"):
            _plain.copy(unreadable, dst, None, 0)
        assert (dst.read_bytes() if dst.exists() else None) == (b"" if old else None)


def occupy(stack: ExitStack, path: Path) -> None:
    """Makes something that can be deleted but not opened: a file in use, or a socket."""
    if os.name == "nt":
        from windows.system import opened

        path.write_bytes(THEIRS)
        stack.enter_context(opened(str(path), FILE_SHARE_DELETE))
    else:
        bound = stack.enter_context(socket.socket(socket.AF_UNIX))
        bound.bind(str(path))


@pytest.mark.parametrize("old", [None, 10, 999_999])
def test_copies(old: Any, src: Path, dst: Path) -> None:
    """The data, whatever dst was; the number of bytes is returned."""
    if old:
        dst.write_bytes(b"o" * old)
    assert _plain.copy(src, dst, None, 0) == len(DATA)
    assert dst.read_bytes() == DATA


def test_permissions(src: Path, dst: Path) -> None:
    """A new file has the permissions that open() gives it."""
    modes = []
    for copy in (shutil.copyfile, lambda *names: _plain.copy(*names, None, 0)):
        copy(src, dst)
        modes.append(stat.filemode(dst.stat().st_mode))
        dst.unlink()
    assert modes[0] == modes[1]


@pytest.mark.parametrize("old", [None, b"old"])
def test_audit(old: Any, src: Path, dst: Path) -> None:
    """The same two files are opened, in the same modes, for a hook that allows or refuses them."""
    told: list[list[tuple[Any, ...]]] = []
    for copy in (shutil.copyfile, lambda *names: _plain.copy(*names, None, 0)):
        dst.unlink(missing_ok=True)
        if old:
            dst.write_bytes(old)
        told.append([])
        with listening(lambda *event: told[-1].append(event)):
            copy(src, dst)
    assert [event for event in told[1] if event[1] is not None] == told[0]


@pytest.mark.parametrize(
    ("src_name", "dst_name"),
    [
        ("missing", "dst"),
        ("missing", "no/dst"),
        (".", "dst"),
        ("src", "."),
        ("src", "no/dst"),
        ("src", "src/dst"),
        ("src/", "dst"),
        ("src", "x" * 300),
    ],
)
def test_errors(src_name: str, dst_name: str, src: Path) -> None:
    """Errors are those of shutil."""
    names = os.path.join(src.parent, src_name), os.path.join(src.parent, dst_name)
    caught: list[OSError] = []
    for copy in (shutil.copyfile, lambda *names: _plain.copy(*names, None, 0)):
        with pytest.raises(OSError) as raised:  # noqa: PT011
            copy(*names)
        caught.append(raised.value)
    theirs, ours = caught
    assert (type(ours), ours.args, ours.filename) == (type(theirs), theirs.args, theirs.filename)
    assert type(ours.__cause__) is type(theirs.__cause__)


def test_missing_directory(src: Path) -> None:
    """The error for a missing folder does not call it a directory, as in newer Pythons."""
    name = os.path.join(src.parent, "no", "")
    with pytest.raises(OSError) as opened:  # noqa: PT011
        open(name, "wb").close()
    with pytest.raises(OSError) as caught:  # noqa: PT011
        _plain.copy(src, name, None, 0)
    if opened.type is IsADirectoryError:
        assert caught.type is FileNotFoundError
        assert str(caught.value) == f"Directory does not exist: {name}"
        assert caught.value.__cause__.__class__ is IsADirectoryError
    else:
        assert caught.type is opened.type


def test_handler_raises_in_open(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError that a signal handler raises while dst is being created is not swallowed."""
    (folder / "src").write_bytes(b"data")
    raised = TimeoutError(errno.ETIMEDOUT, "from a handler")
    opened = os.open

    def interrupted(path: Any, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_EXCL:
            raise raised
        return opened(path, flags, mode)

    monkeypatch.setattr(os, "open", interrupted)
    with pytest.raises(TimeoutError) as caught:
        _plain.copy(str(folder / "src"), str(folder / "dst"), None, 0)
    assert caught.value is raised
    assert not (folder / "dst").exists()
