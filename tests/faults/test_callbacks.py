"""What progress may raise, fork or be: of a copy that ends at once, and on every platform."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable, NoReturn

import pytest
from faults.files import make
from support.cancelling import Stop
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("function", [speedcopy.copyfile, speedcopy.transfer])
@pytest.mark.parametrize("size", [0, 1, MIB + 1])
@pytest.mark.parametrize("kind", [Stop, KeyboardInterrupt, SystemExit, GeneratorExit, OSError])
def test_raising_at_the_end(
    folder: Path, kind: type[BaseException], size: int, function: Callable[..., object]
) -> None:
    """What the last call of progress raises, of whatever kind, fails the copy."""
    src, dst = make(folder, size)
    raised = kind("stop")

    def progress(_copied: int, _total: int) -> NoReturn:
        raise raised

    with pytest.raises(kind) as caught:
        function(src, dst, progress=progress)
    assert caught.value is raised
    assert not os.path.exists(dst)
    speedcopy.copyfile(src, dst)
    assert os.stat(dst).st_size == size


def test_raised_exception_is_kept_once(folder: Path) -> None:
    """An exception that stopped one copy has nothing to do with the next failure."""
    src, dst = make(folder, 10)

    def progress(_copied: int, _total: int) -> NoReturn:
        raise Stop

    with pytest.raises(Stop):
        speedcopy.copyfile(src, dst, progress=progress)
    with pytest.raises(FileNotFoundError) as caught:
        speedcopy.copyfile(folder / "missing", dst)
    assert caught.value.__context__ is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_forked(folder: Path, ending: str) -> None:
    """A child that progress forks off stops, and leaves files and copy to its parent."""
    src, dst = make(folder, 10)
    parent = os.getpid()
    statuses = []

    def progress(_copied: int, _total: int) -> None:
        child = os.fork()
        if child:
            statuses.append(os.waitpid(child, 0)[1])
        elif ending == "raises":
            raise Stop

    try:
        speedcopy.copyfile(src, dst, progress=progress)
    except BaseException:  # noqa: BLE001
        if os.getpid() != parent:
            os._exit(7)
    assert os.getpid() == parent
    assert [os.WEXITSTATUS(status) for status in statuses] == [7]
    assert (folder / "dst").read_bytes() == (folder / "src").read_bytes()


@pytest.mark.parametrize("progress", [1, "x", (), 0, False])
@pytest.mark.parametrize("function", [speedcopy.copyfile, speedcopy.transfer])
def test_not_callable(folder: Path, function: Callable[..., object], progress: object) -> None:
    """What cannot be called is refused before anything is touched."""
    src, dst = make(folder, 10)
    with pytest.raises(TypeError, match="progress must be callable"):
        function(src, dst, progress=progress)
    assert not os.path.exists(dst)
    (folder / "dst").write_bytes(b"old")
    with pytest.raises(TypeError):
        function(src, dst, progress=progress)
    assert (folder / "dst").read_bytes() == b"old"


def test_wrong_arguments(folder: Path) -> None:
    """A callback that does not take two numbers fails the copy with its TypeError."""
    src, dst = make(folder, 10)
    with pytest.raises(TypeError):
        speedcopy.copyfile(src, dst, progress=lambda: None)  # type: ignore[misc,arg-type]
    assert not os.path.exists(dst)
