"""Under the patch, every function of shutil that calls copyfile calls ours."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Any, Callable

import pytest

import speedcopy
from speedcopy import _report, patched_copyfile

if TYPE_CHECKING:
    from pathlib import Path

#: On Windows, copy2 of Python 3.12 and later calls CopyFile2 itself, as docs/usage.md says.
COPY2_IS_WINDOWS = hasattr(getattr(shutil, "_winapi", None), "CopyFile2")


def by_copy2(*names: Any) -> list[Any]:
    """How many of copy2's copies are ours."""
    return [] if COPY2_IS_WINDOWS else [*names]


@pytest.fixture
def spied(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The names of every copy that is ours."""
    seen: list[tuple[str, str]] = []

    def log(src: Any, dst: Any, _outcome: object) -> None:
        seen.append((os.path.basename(src), os.path.basename(dst)))

    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
    monkeypatch.setattr(_report, "log", log)
    return seen


@pytest.fixture
def tree(folder: Path) -> Path:
    """Three files in two folders."""
    (folder / "tree" / "sub").mkdir(parents=True)
    for name in ("a", "b", "sub/c"):
        (folder / "tree" / name).write_bytes(name.encode() * 1000)
    return folder / "tree"


@pytest.mark.parametrize("copy", [shutil.copy, shutil.copy2], ids=["copy", "copy2"])
def test_copy(copy: Callable[..., Any], tree: Path, spied: list[tuple[str, str]]) -> None:
    """shutil.copy and copy2 copy by ours, and still add mode or all of stat."""
    (tree / "a").chmod(0o755)
    os.utime(tree / "a", (1, 1))
    with patched_copyfile():
        copy(tree / "a", tree / "dst")
    ours = [("a", "dst")]
    assert spied == (by_copy2(*ours) if copy is shutil.copy2 else ours)
    assert (tree / "dst").read_bytes() == b"a" * 1000
    assert os.stat(tree / "dst").st_mode == os.stat(tree / "a").st_mode
    assert (os.stat(tree / "dst").st_mtime == 1) == (copy is shutil.copy2)


def test_copy_into_folder(tree: Path, spied: list[tuple[str, str]]) -> None:
    """A folder as dst of shutil.copy is completed before we see it."""
    with patched_copyfile():
        assert shutil.copy(tree / "a", tree / "sub") == str(tree / "sub" / "a")
    assert spied == [("a", "a")]


def test_copytree(tree: Path, spied: list[tuple[str, str]]) -> None:
    """Every file of a tree is copied by ours."""
    with patched_copyfile():
        shutil.copytree(tree, tree.parent / "new")
    assert sorted(spied) == by_copy2(("a", "a"), ("b", "b"), ("c", "c"))
    assert (tree.parent / "new" / "sub" / "c").read_bytes() == b"sub/c" * 1000


@pytest.mark.parametrize("name", ["a", "sub"], ids=["file", "folder"])
def test_move(
    name: str, tree: Path, spied: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A move that cannot be a rename copies by ours, then removes src."""

    def rename(*_: Any, **__: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    monkeypatch.setattr(os, "rename", rename)
    with patched_copyfile():
        shutil.move(str(tree / name), str(tree / "moved"))
    assert [src for src, _ in spied] == by_copy2("a" if name == "a" else "c")
    assert not (tree / name).exists()
    assert (tree / "moved").exists()


def test_default_argument(tree: Path, spied: list[tuple[str, str]]) -> None:
    """Functions that were bound before the patch copy by ours all the same."""
    bound = shutil.copy
    with patched_copyfile():
        shutil.copytree(tree, tree.parent / "new", copy_function=bound)
    assert len(spied) == 3
