"""Names in dst that lead to one file: no two copies write to it at the same time."""

from __future__ import annotations

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from support.filesystems import UnavailableError, run
from support.layout import pattern
from support.sizes import MIB

import speedcopy
from speedcopy._trees import batches
from speedcopy._trees.alone import folded
from speedcopy._trees.copytree import copytree
from speedcopy._trees.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

SIZE = MIB + 5


def write(folder: Path, names: list[str]) -> None:
    """Files that all differ."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pattern(SIZE + number, name))


def hard_links(dst: Path) -> None:
    """One file with two names, and another one beside it."""
    write(dst, ["a", "c"])
    os.link(dst / "a", dst / "b")


def across(dst: Path) -> None:
    """One file with names in two directories."""
    write(dst, ["a"])
    (dst / "d").mkdir()
    os.link(dst / "a", dst / "d" / "b")


def links(dst: Path) -> None:
    """A name that is a link to another name."""
    write(dst, ["b"])
    (dst / "a").symlink_to("b")


def dangling(dst: Path) -> None:
    """A link to a name that another copy makes."""
    dst.mkdir()
    (dst / "a").symlink_to("c")


def directories(dst: Path) -> None:
    """A directory that is a link to another one."""
    write(dst, ["d/b"])
    (dst / "e").symlink_to("d")


def bound(dst: Path) -> None:
    """A directory that is another one's by a bind mount."""
    write(dst, ["d/b"])
    (dst / "e").mkdir()
    try:
        run("mount", "--bind", str(dst / "d"), str(dst / "e"))
    except UnavailableError as why:
        pytest.skip(str(why))


NAMES = ["a", "b", "c", "d/b", "d/f/g", "e/b", "e/f/g"]
LAYOUTS: dict[str, Callable[[Path], None]] = {
    "hard links": hard_links,
    "hard links across directories": across,
    "links": links,
    "dangling link": dangling,
    "linked directories": directories,
    "bound directories": bound,
}


class Overlaps:
    """The copies that are under way, and those that wrote to one file at the same time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Slows each copy down."""
        self._lock = threading.Lock()
        self._open: list[str] = []
        self.found: list[tuple[str, str]] = []
        self._copy = batches._copy  # noqa: SLF001
        monkeypatch.setattr(batches, "_copy", self.copy)

    def copy(self, copier: Any, many: Any, batch: Any, index: int) -> tuple[int, int]:
        """One copy, during which others may begin."""
        path = os.path.realpath(batch.dst + batch.names[index])
        with self._lock:
            self.found += [(path, other) for other in self._open if is_one(path, other)]
            self._open.append(path)
        time.sleep(0.002)
        try:
            return self._copy(copier, many, batch, index)
        finally:
            with self._lock:
                self._open.remove(path)


def is_one(path: str, other: str) -> bool:
    """Whether two paths lead to one file, or may do so elsewhere."""
    try:
        return os.path.samefile(path, other)
    except OSError:
        return path.lower() == other.lower()


@pytest.mark.parametrize("native", [True, False], ids=["native", "standard library"])
@pytest.mark.parametrize("remote", [False, True], ids=["local", "share"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_file(
    layout: str, remote: bool, native: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file in dst is what one file in src is, and mostly the one that shutil wrote last."""
    write(folder / "src", NAMES)
    for dst in ("theirs", "ours"):
        LAYOUTS[layout](folder / dst)
    shutil.copytree(folder / "src", folder / "theirs", dirs_exist_ok=True)
    target = Target(4, 1, remote=remote)
    monkeypatch.setattr("speedcopy._trees.targets.target", lambda *_, **__: target)
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", not native)
    overlaps = Overlaps(monkeypatch)
    copytree(folder / "src", folder / "ours", dirs_exist_ok=True)
    if layout == "bound directories":
        for top in ("ours", "theirs"):
            run("umount", str(folder / top / "e"))
        shutil.rmtree(folder / "ours" / "e")
        (folder / "ours" / "e").symlink_to("d")
    # A copy that is refused, and made later, may be refused beside another one.
    contents = [(folder / "src" / name).read_bytes() for name in NAMES]
    for name in NAMES:
        assert (folder / "ours" / name).read_bytes() in contents
        if layout.startswith("hard"):
            theirs, ours = ((folder / top / name).read_bytes() for top in ("theirs", "ours"))
            assert ours == theirs
    assert os.path.islink(folder / "ours" / "a") == os.path.islink(folder / "theirs" / "a")
    if layout in ("linked directories", "bound directories"):
        assert not overlaps.found


COLLIDING = ["a/X", "a/x", "a/b", "e\u0301", "\u00e9", "Stra\u00dfe", "STRASSE", "n"]


@pytest.mark.parametrize("executor", [None, ThreadPoolExecutor], ids=["own", "executor"])
@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
def test_names_that_collide(
    existing: bool,
    executor: Optional[Callable[[int], Any]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of names that a file system may take for one, only one is under way; all are copied."""
    write(folder / "src", COLLIDING)
    if existing:
        (folder / "dst" / "a").mkdir(parents=True)
    monkeypatch.setattr(
        "speedcopy._trees.targets.target", lambda *_, **__: Target(4, 1, remote=True)
    )
    overlaps = Overlaps(monkeypatch)
    pool = executor(4) if executor else None
    copytree(folder / "src", folder / "dst", dirs_exist_ok=existing, executor=pool)
    if pool:
        pool.shutdown()
    assert not overlaps.found
    for name in COLLIDING:
        assert (folder / "dst" / name).read_bytes() == (folder / "src" / name).read_bytes()


def test_what_waits_is_in_the_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the copy ends early, names that waited are named."""
    write(folder / "src", ["a", "b", "c"])
    hard_links(folder / "dst")

    def progress(done: Any) -> None:
        if done.files:
            raise KeyboardInterrupt

    monkeypatch.setattr("speedcopy._trees.parallel.TICK", 0)
    with pytest.raises(KeyboardInterrupt) as caught:
        copytree(folder / "src", folder / "dst", dirs_exist_ok=True, progress=progress, workers=2)
    (note,) = caught.value.__notes__  # type: ignore[attr-defined]
    assert str(folder / "src" / "a") in note
    assert str(folder / "src" / "b") in note


@pytest.mark.parametrize(
    ("name", "other", "same"),
    [
        ("plate.EXR", "Plate.exr", True),
        ("\u00c9", "e\u0301", True),
        ("stra\u00dfe", "STRASSE", True),
        ("\u0130", "i\u0307", True),
        (b"A", "a", True),
        (b"\xff", "\udcff", True),
        ("a", "b", False),
        ("a", "a.", True),
        ("a", "a. .", True),
        ("a\u200d", "A", True),
        ("a", " a", False),
        (".", "..", True),
    ],
)
def test_folded(name: Any, other: Any, same: bool) -> None:
    """Letters of either case and in either form are the same."""
    assert (folded(name) == folded(other)) == same
