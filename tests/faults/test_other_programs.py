"""What other programs that may write in the directory of src or dst cannot reach.

SECURITY.md lists these claims, and the tests elsewhere that show others. Another program is played
by ``progress``: its last call comes when all data is copied, and before metadata and close.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.layout import pattern, require_links
from support.python import importing

import speedcopy
from speedcopy._probe.scratch import Scratch

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = pattern(5000)
OTHER = b"somebody else's"

#: What the standard library does by name when it copies.
by_descriptor = pytest.mark.skipif(
    os.name == "nt" or speedcopy.why_not_native() != "",
    reason="the system or the standard library goes by names here",
)


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with a ``src`` and a file of somebody else's."""
    (folder / "src").write_bytes(CONTENT)
    (folder / "other").write_bytes(OTHER)
    monkeypatch.chdir(folder)
    return folder


def meanwhile(action: Callable[[], object]) -> Callable[[int, int], None]:
    """A ``progress`` in which something happens, once."""
    left = [action]

    def progress(_copied: int, _total: int) -> None:
        if left:
            left.pop()()

    return progress


@by_descriptor
@pytest.mark.parametrize("existed", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("name", ["src", "dst"])
def test_names_change(here: Path, name: str, existed: bool) -> None:
    """A file that takes a name during a copy is not read, and nothing is written to it."""
    if existed:
        (here / "dst").write_bytes(OTHER * 999)
        os.link("dst", "dst before")
    taken = meanwhile(lambda: os.replace("other", name))
    speedcopy.copyfile("src", "dst", progress=taken)
    assert (here / name).read_bytes() == OTHER
    if name == "src":
        assert (here / "dst").read_bytes() == CONTENT
    elif existed:
        assert (here / "dst before").read_bytes() == CONTENT


@by_descriptor
def test_metadata_of_another(here: Path) -> None:
    """A file that takes the name of dst keeps its mode and its times."""
    os.chmod("src", 0o777)
    os.utime("src", (1, 1))
    os.chmod("other", 0o600)
    before = os.stat("other")
    taken = meanwhile(lambda: os.replace("other", "dst"))
    speedcopy.copy2("src", "dst", progress=taken)
    after = (here / "dst").stat()
    assert after.st_ino == before.st_ino
    assert (after.st_mode, after.st_mtime) == (before.st_mode, before.st_mtime)


@by_descriptor
@pytest.mark.parametrize("name", ["copy", "copy2"])
def test_never_wider(here: Path, name: str) -> None:
    """A private file has no moment in which others may read its copy."""
    os.chmod("src", 0o600)
    modes: list[int] = []
    copy: Callable[..., Any] = getattr(speedcopy, name)
    copy("src", "dst", progress=lambda *_: modes.append(os.stat("dst").st_mode))
    modes.append((here / "dst").stat().st_mode)
    assert [stat.S_IMODE(mode) & 0o077 for mode in modes] == [0] * len(modes)


@pytest.mark.parametrize("copy", [shutil.copyfile, speedcopy.copyfile], ids=["shutil", "ours"])
@pytest.mark.parametrize("target", ["other", "missing"])
def test_links_are_followed(here: Path, copy: Callable[..., Any], target: str) -> None:
    """Who may put a link in the place of dst chooses the file that is written, as with shutil."""
    require_links(here / "dst")
    (here / "dst").symlink_to(target)
    copy("src", "dst")
    assert (here / "dst").is_symlink()
    assert (here / target).read_bytes() == CONTENT


@pytest.mark.parametrize("symlinks", [False, True])
def test_links_in_a_tree(here: Path, symlinks: bool) -> None:
    """Who has made a tree chooses what is read for it, unless links are copied as links."""
    (here / "tree").mkdir()
    require_links(here / "tree" / "link")
    (here / "tree" / "link").symlink_to(here / "other")
    speedcopy.copytree("tree", "copy", symlinks=symlinks)
    assert (here / "copy" / "link").is_symlink() == symlinks
    assert (here / "copy" / "link").read_bytes() == OTHER


WATCHED = """
import sys
seen = []
sys.addaudithook(lambda event, _: seen.append(event))
import speedcopy
speedcopy.copyfile("src", "one")
speedcopy.copy2("src", "two")
speedcopy.transfer("src", "three", reflink="never")
speedcopy.copytree("tree", "copy")
speedcopy.probe(".")
print(*sorted(set(seen)))
"""

#: Beginnings of the events of processes, of the network, and of code in data.
FOREIGN = (
    *("subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system"),
    *("socket.", "pickle."),
)


def test_starts_nothing(here: Path) -> None:
    """No copy starts a program, connects to anything, or runs what is in a file."""
    (here / "tree").mkdir()
    shutil.copy("src", "tree")
    command = [sys.executable, "-B", "-c", WATCHED]
    done = subprocess.run(command, env=importing(), capture_output=True, text=True, check=True)
    events = done.stdout.split()
    assert "shutil.copyfile" in events
    assert [event for event in events if event.startswith(FOREIGN)] == []


def test_temporary_names() -> None:
    """Nobody can put a file in the place of one of probe's or bench's: their names are random."""
    with Scratch() as scratch:
        names = {scratch.new("here") for _ in range(99)}
    assert len(names) == 99
    assert all(re.fullmatch(r"here.\.speedcopy-[0-9a-f]{16}", name) for name in names)
