"""Trees of every shape: deep, wide, into themselves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.python import importing

from speedcopy._trees import schedule, targets
from speedcopy._trees.copytree import copytree

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH = 620

#: A directory is a dictionary, a file is its size.
NAMES = st.sampled_from("abcdefgh")
TREES: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 5000),
    lambda inner: st.dictionaries(NAMES, inner, max_size=8),
    max_leaves=60,
)


def make(path: Path, tree: Any) -> None:
    """Makes a generated tree."""
    if isinstance(tree, int):
        path.write_bytes(path.name.encode() * tree)
        return
    path.mkdir()
    for name, inner in tree.items():
        make(path / name, inner)


def contents(top: Path) -> Iterator[tuple[str, Optional[bytes], int]]:
    """Every path below a directory, with content and time."""
    for folder, _, names in os.walk(top):
        yield os.path.relpath(folder, top), None, os.stat(folder).st_mtime_ns
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as opened:
                yield os.path.relpath(path, top), opened.read(), os.stat(path).st_mtime_ns


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """All limits are small, so that small trees reach them; and directories are made by threads."""
    monkeypatch.setattr(schedule, "_MANY", 2)
    monkeypatch.setattr(schedule, "_WAITING", 2)
    target = targets.Target(workers=3, batch=2, remote=True)
    monkeypatch.setattr(targets, "target", lambda *_, **__: target)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(tree=st.dictionaries(NAMES, TREES, max_size=8))
@pytest.mark.usefixtures("small")
def test_generated(tree: Any, folder: Path) -> None:
    """Whatever the tree, all of it is there, with its times."""
    make(folder / "src", tree)
    copytree(folder / "src", folder / "dst")
    assert sorted(contents(folder / "dst")) == sorted(contents(folder / "src"))
    for name in ("src", "dst"):
        shutil.rmtree(folder / name)


@pytest.mark.usefixtures("small")
def test_wide(folder: Path) -> None:
    """Directories with many in them, more than may wait."""
    for number in range(200):
        (folder / "src" / str(number % 20) / str(number)).mkdir(parents=True)
        (folder / "src" / str(number % 20) / str(number) / "file").write_bytes(b"x" * number)
    copytree(folder / "src", folder / "dst")
    assert sorted(contents(folder / "dst")) == sorted(contents(folder / "src"))


DEEP = """
import os, sys
from speedcopy._trees import targets
from speedcopy._trees.copytree import copytree, copy2
if sys.argv[1] == "share":
    targets.share = lambda _: "cifs"
options = {"copy_function": lambda *paths: copy2(*paths)} if sys.argv[1] == "in order" else {}
copytree("src", "dst", **options)
"""


@pytest.mark.parametrize("how", ["local", "share", "in order"])
def test_deep(how: str, folder: Path) -> None:
    """Shutil recurses, and ends at some 500; and no descriptor is open for each directory above."""
    pytest.importorskip("resource")
    top = os.open(folder, os.O_RDONLY)
    try:
        os.mkdir("src", dir_fd=top)
        path = "src"
        for depth in range(DEPTH):
            with open(os.open(f"{path}/f", os.O_CREAT | os.O_WRONLY, dir_fd=top), "w") as new:
                new.write(str(depth))
            path += "/d"
            os.mkdir(path, dir_fd=top)
        limited = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)){DEEP}"
        command = [sys.executable, "-W", "error", "-c", limited, how]
        subprocess.run(command, cwd=folder, env=importing(), check=True, timeout=120)
        path = "dst"
        for depth in range(DEPTH):
            with open(os.open(f"{path}/f", os.O_RDONLY, dir_fd=top)) as copied:
                assert copied.read() == str(depth)
            path += "/d"
        assert os.stat(path, dir_fd=top)
    finally:
        os.close(top)
        subprocess.run(["rm", "-rf", "src", "dst"], cwd=folder, check=True)


@pytest.mark.parametrize("existing", [False, True], ids=["new", "existing"])
@pytest.mark.parametrize("foreign", [False, True], ids=["ours", "foreign"])
@pytest.mark.parametrize("where", ["dst", "sub/dst", "new/er/dst", "sub/new/dst"])
def test_into_itself(where: str, foreign: bool, existing: bool, folder: Path) -> None:
    """Neither dst nor what was made above it is copied into it. In shutil, it may never end."""
    src, dst = folder / "src", folder / "src" / where
    make(src, {"a": 5, "sub": {"b": 6, "dst": {"c": 7}} if where == "dst" else {"b": 6}})
    if existing:
        dst.mkdir(parents=True)
    before = sorted(
        path
        for path, *_ in contents(src)
        if not (Path(path) == Path(where) or (Path(path).parts[:1] == ("new",) and not existing))
    )
    options: dict[str, Any] = {"copy_function": shutil.copy2} if foreign else {}
    copytree(src, dst, dirs_exist_ok=existing, **options)
    assert sorted(path for path, *_ in contents(dst)) == before


@pytest.mark.parametrize("link", [False, True], ids=["directory", "link"])
def test_another_of_the_same_inode(
    link: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A FUSE server may give one inode to all: only what has dst's name, too, is dst."""
    make(folder / "src", {"a": {"b": 5}, "c": {"dst": {"d": 6}}})
    stat = os.stat

    class Same:
        st_dev = st_ino = 1

    def same(path: Any, **options: Any) -> Any:
        looking = sys._getframe(1).f_code.co_name in LOOKS  # noqa: SLF001
        return Same() if looking else stat(path, **options)

    monkeypatch.setattr(os, "stat", same)
    if link:
        (folder / "src" / "e").symlink_to("a")
    copytree(folder / "src", folder / "new")
    monkeypatch.undo()
    assert (folder / "new" / "a" / "b").exists()
    assert (folder / "new" / "c" / "dst" / "d").exists()
    assert (folder / "new" / "e" / "b").exists() == link


#: The functions that look whether a directory is dst.
LOOKS = ("make_root", "_is_one_of")

NAMES_IN_ONE = 200_000

MANY = """
import itertools, os, sys
from speedcopy._trees import batches
from speedcopy._trees.copytree import copytree

def peak():  # ru_maxrss has that of the process that started this one
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))

options = {"ignore": lambda _, names: ()} if sys.argv[1] == "ignore" else {}
copied = itertools.count()
batches._copy = lambda *_: (1, next(copied))  # all but the kernel's part
copytree("few", sys.argv[1] + "few", **options)
before = peak()
copytree("src", sys.argv[1], **options)
print(peak() - before, next(copied))
"""


def test_many_names(folder: Path) -> None:
    """A million names in one directory take less than 100 MB, with an ignore function, too."""
    if not os.path.exists("/proc/self/status") or not hasattr(sys, "getrefcount"):
        pytest.skip("no peak of memory is known here, or it says little: memory is freed later")
    memory = "/dev/shm"  # noqa: S108 (where there is one, it is quick)
    base = memory if os.access(memory, os.W_OK) else folder
    top = Path(tempfile.mkdtemp(prefix="speedcopy-", dir=base))
    try:
        (top / "src").mkdir()
        (top / "few").mkdir()
        for number in range(NAMES_IN_ONE):
            os.close(os.open(top / "src" / f"{number:012}", os.O_CREAT | os.O_WRONLY))
        for how in ("all", "ignore"):
            done = subprocess.run(
                [sys.executable, "-c", MANY, how],
                cwd=top,
                env=importing(),
                check=True,
                capture_output=True,
                text=True,
            )
            kib, files = map(int, done.stdout.split())
            assert files == NAMES_IN_ONE
            assert kib / 1024 * 1_000_000 / NAMES_IN_ONE < 100
    finally:
        shutil.rmtree(top)
