"""What a copy that fails or is stopped removes: the file that it has created, and nothing else.

Another program is played by ``progress``, which is called once more when all is copied and dst is
still open, and raises then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Callable

import pytest
from support.layout import pattern, require_links

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

OTHER = b"somebody else's"


class StopError(Exception):
    """What stops the copies here."""


def stopped(src: str, dst: str, meanwhile: Callable[[], object]) -> None:
    """Copies, has something happen when all is copied, and is stopped."""

    def progress(_copied: int, _total: int) -> None:
        meanwhile()
        raise StopError

    with pytest.raises(StopError):
        speedcopy.copyfile(src, dst, progress=progress)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a ``src`` and a file of somebody else's."""
    (folder / "src").write_bytes(pattern(5000))
    (folder / "other").write_bytes(OTHER)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", ["relative", "absolute"])
def test_created(here: Path, name: str) -> None:
    """What the copy has created is gone."""
    dst = "dst" if name == "relative" else str(here / "dst")
    stopped("src", dst, lambda: None)
    assert sorted(os.listdir(here)) == ["elsewhere", "other", "src"]


def test_replaced(here: Path) -> None:
    """A file that somebody has renamed over dst stays."""
    try:
        stopped("src", "dst", lambda: os.replace("other", "dst"))
    except PermissionError as error:
        pytest.skip(f"no file that is open can be replaced here: {error}")
    assert (here / "dst").read_bytes() == OTHER


def test_recreated(here: Path) -> None:
    """A file that somebody has made in the place of dst stays."""

    def recreate() -> None:
        os.rename("dst", "moved")  # its number is not free then
        with open("dst", "wb") as new:
            new.write(OTHER)

    try:
        stopped("src", "dst", recreate)
    except PermissionError as error:
        pytest.skip(f"no file that is open can be renamed here: {error}")
    assert (here / "dst").read_bytes() == OTHER
    assert (here / "moved").read_bytes() == pattern(5000)


@pytest.mark.parametrize("existed", [False, True], ids=["nothing there", "a file there"])
def test_changed_directory(here: Path, existed: bool) -> None:
    """A relative name means what it meant at first, whoever changes the directory meanwhile."""
    if os.name == "nt":
        pytest.skip("Windows has no directory to remember")
    if existed:
        (here / "elsewhere" / "dst").write_bytes(OTHER)
    stopped("src", "dst", lambda: os.chdir("elsewhere"))
    assert not (here / "dst").exists()
    assert (here / "elsewhere" / "dst").exists() == existed


def test_dangling_link(here: Path) -> None:
    """What a dangling link led to may have been made by somebody else, so it stays."""
    require_links(here / "dst")
    (here / "dst").symlink_to("target")
    stopped("src", "dst", lambda: None)
    assert (here / "dst").is_symlink()
    assert (here / "target").exists()


def test_existing(here: Path) -> None:
    """A file that was there is cut to what was copied, and has its links and its mode."""
    os.chmod(here / "other", 0o600)
    os.link(here / "other", here / "dst")
    before = os.stat(here / "dst")
    stopped("src", "dst", lambda: None)
    after = os.stat(here / "dst")
    assert (after.st_ino, after.st_mode, after.st_nlink) == (before.st_ino, before.st_mode, 2)
    assert pattern(5000).startswith((here / "dst").read_bytes())


def test_existing_and_replaced(here: Path) -> None:
    """Of an existing dst the file that was opened is cut, whatever has its name now."""
    (here / "dst").write_bytes(pattern(9000, "dst"))
    os.link(here / "dst", here / "second")
    try:
        stopped("src", "dst", lambda: os.replace("other", "dst"))
    except PermissionError as error:
        pytest.skip(f"no file that is open can be replaced here: {error}")
    assert (here / "dst").read_bytes() == OTHER
    assert pattern(5000).startswith((here / "second").read_bytes())
