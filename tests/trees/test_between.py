"""Many files by one call: from one open directory to another, under the same names."""

from __future__ import annotations

import filecmp
import os
import shutil
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from contract.outcome import Case
from metadata.outcomes import outcome_in, times
from support.layout import directory, fifo, file, pattern, symlink
from support.process_limits import descriptors_left

from speedcopy import _loader
from speedcopy._copy2 import Copier
from speedcopy._copyfile import Options
from speedcopy._errors import OtherNameError
from speedcopy._trees.between import Between

if TYPE_CHECKING:
    from pathlib import Path

    from speedcopy._types import Progress

pytestmark = pytest.mark.skipif(
    not (_loader.native and hasattr(_loader.native.lib, "sc_copy_names")),
    reason="one call copies one file here",
)

SECOND = 10**9


@pytest.fixture
def pair(folder: Path) -> tuple[str, str]:
    """Two directories, a separator at the end of each."""
    for side in ("src", "dst"):
        (folder / side).mkdir()
    return os.path.join(folder, "src", ""), os.path.join(folder, "dst", "")


def between(pair: tuple[Any, Any], names: list[Any], **keywords: Any) -> Between:
    """What copies these names, with all metadata."""
    options = Options(metadata="strict", **keywords)
    return Between(Copier(options), options, *pair, names)


def write(pair: tuple[str, str], names: list[str]) -> None:
    """Makes files of three bytes and more."""
    for name in names:
        with open(pair[0] + name, "wb") as new:
            new.write(b"of " + name.encode())


def by_name(src: Any, dst: Any, follow_symlinks: bool = True) -> Any:  # noqa: FBT002
    """Copies a file that is known to be one, by its name in an open directory."""
    assert follow_symlinks
    prefixes = (os.path.join(os.path.dirname(src), ""), os.path.join(os.path.dirname(dst), ""))
    many = between(prefixes, [os.path.basename(src)], src_is_file=True)
    assert many.copy(0) == (1, os.stat(dst).st_size)
    return dst


SRC = (directory("d"), file("src", 9, 0o640), times("src", 5 * SECOND))
CASES = [
    Case("new", SRC),
    Case("over", (*SRC, file("d/src", 20, 0o600))),
    Case("over a link to itself", (*SRC, symlink("d/src", "../src"))),
    Case("over a FIFO", (*SRC, fifo("d/src"))),
    Case("empty", (directory("d"), file("src", 0), times("src", 5 * SECOND))),
    Case("setuid", (directory("d"), file("src", 9, 0o4755), times("src", 5 * SECOND))),
    Case("missing by now", (directory("d"),)),
    Case("a directory by now", (directory("d"), directory("src"))),
    Case("a FIFO by now", (directory("d"), fifo("src"))),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, folder: Path) -> None:
    """The outcome is that of copy2."""
    case = replace(case, src="./src", dst="./d/src")
    assert outcome_in(folder, by_name, case) == outcome_in(folder, shutil.copy2, case)


@pytest.mark.parametrize(
    "size", [0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (40 << 20) + 1]
)
@pytest.mark.parametrize("hole", [False, True])
def test_sizes(size: int, hole: bool, pair: tuple[str, str]) -> None:
    """All of a file is copied, its last hole too."""
    with open(f"{pair[0]}name", "wb") as new:
        new.write(pattern(size))
        new.truncate(size + (hole << 20))
    many = between(pair, ["name"])
    assert many.copy(0) == (1, size + (hole << 20))
    assert filecmp.cmp(f"{pair[0]}name", f"{pair[1]}name", shallow=False)


def test_growing(pair: tuple[str, str]) -> None:
    """While src grows, dst is what src was at one moment, and at least what it was at first."""
    src, dst = (f"{prefix}name" for prefix in pair)
    data = pattern(1 << 20)
    done = threading.Event()

    def grow() -> None:
        with open(src, "ab", buffering=0) as grown:
            grown.writelines(data[start : start + 1000] for start in range(0, len(data), 1000))
        done.set()

    open(src, "wb").close()
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        while not done.is_set():
            before = os.stat(src).st_size
            many = between(pair, ["name"])
            _, copied = many.copy(0) or (0, 0)
            assert before <= copied
            with open(dst, "rb") as new:
                assert new.read() == data[:copied]
    finally:
        thread.join()


@pytest.mark.parametrize("as_bytes", [False, True])
def test_many(as_bytes: bool, pair: tuple[str, str]) -> None:
    """All names up to one that fails, then that error alone, then the others."""
    encode: Any = os.fsencode if as_bytes else str
    names = ["a", "file", "\u00fc", "missing", "z"]
    write(pair, [name for name in names if name != "missing"])
    src, dst = map(encode, pair)
    sizes = [len(f"of {name}".encode()) for name in names]
    many = between((src, dst), [encode(name) for name in names])
    assert many.copy(0) == (1, sizes[0])
    assert many.copy(1) == (2, sizes[1] + sizes[2])
    with pytest.raises(FileNotFoundError) as caught:
        many.copy(3)
    assert many.copy(4) == (1, sizes[4])
    assert caught.value.filename == src + encode("missing")
    match, *different = filecmp.cmpfiles(*pair, [name for name in names if name != "missing"])
    assert (len(match), different) == (4, [[], []])


@pytest.mark.parametrize("left", [0, 1, 2])
def test_no_descriptor_left(left: int, pair: tuple[str, str]) -> None:
    """The directories are closed where there are too few descriptors, and others have to copy."""
    write(pair, ["a", "b"])
    with descriptors_left(left):
        many = between(pair, ["a", "b"])
        assert many.copy(0) is None
    assert not os.listdir(pair[1])


def test_no_directory(folder: Path) -> None:
    """Where a directory cannot be opened, others have to say why."""
    prefix = os.path.join(folder, "missing", "")
    many = between((prefix, prefix), ["a"])
    assert many.copy(0) is None


@pytest.mark.parametrize("kind", ["hard link", "link", "dangling link", "file", "nothing"])
@pytest.mark.parametrize("name", ["any", "only"])
def test_other_names(kind: str, name: str, pair: tuple[str, str]) -> None:
    """A dst that more names lead to is not touched if that is not wanted."""
    write(pair, ["a", "b"])
    path, other = f"{pair[1]}b", f"{pair[1]}other"
    if kind != "nothing":
        with open(path if kind == "file" else other, "wb") as new:
            new.write(b"old")
    if "link" in kind:
        (os.link if kind == "hard link" else os.symlink)(other, path)
    if kind == "dangling link":
        os.unlink(other)
    is_refused = name == "only" and "link" in kind
    many = between(pair, ["a", "b"], name=name)
    assert many.copy(0) == (1, 4)
    if not is_refused:
        assert many.copy(1) == (1, 4)
    else:
        with pytest.raises(OtherNameError):
            many.copy(1)
    if kind != "dangling link" or not is_refused:
        with open(path, "rb") as read:
            assert read.read() == (b"old" if is_refused else b"of b")


class Heard(list[tuple[object, ...]]):
    """The audit events of two directories, and names that a hook refuses."""

    def __init__(self, pair: tuple[str, str], refused: dict[str, BaseException]) -> None:
        """Hooks cannot be removed, only switched off."""
        super().__init__()
        self.on = True
        self._pair, self._refused = pair, refused
        sys.addaudithook(self._listen)

    def _listen(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.on and event in ("shutil.copyfile", "open", "shutil.copystat"):
            path = str(arguments[0])
            if path.startswith(self._pair) and arguments[1] is not None:
                self.append((event, path))
                if event == "open" and os.path.basename(path) in self._refused:
                    raise self._refused[os.path.basename(path)]


@pytest.mark.parametrize("kind", [PermissionError, ValueError])
def test_audit(kind: type[BaseException], pair: tuple[str, str]) -> None:
    """Each event comes once; what a hook raises is the error of that name."""
    names = ["a", "b", "c", "d"]
    write(pair, names)
    heard = Heard(pair, {"c": kind("no")})
    many = between(pair, names)
    assert many.copy(0) == (1, 4)
    assert many.copy(1) == (1, 4)
    with pytest.raises(kind, match="no"):
        many.copy(2)
    if kind is PermissionError:
        assert many.copy(3) == (1, 4)
    heard.on = False
    last = ["d"] if kind is PermissionError else []
    assert sorted(os.listdir(pair[1])) == ["a", "b", *last]
    src, dst = pair
    assert heard == [
        event
        for name in ["a", "b", "c", *last]
        for event in (
            ("shutil.copyfile", src + name),
            ("open", src + name),
            ("open", dst + name),
            ("shutil.copystat", src + name),
        )
        if name != "c" or event in (("shutil.copyfile", src + name), ("open", src + name))
    ]


def test_stopped_between_files(pair: tuple[str, str]) -> None:
    """The callback can end a call between two files, and what was done is known."""

    class Stop(Exception):  # noqa: N818
        pass

    names = [str(number) for number in range(5000)]
    write(pair, names)
    calls: list[int] = []

    def progress(_copied: int, _total: int) -> NoReturn:
        calls.append(many.done)
        raise Stop

    callback: Progress = progress
    many = between(pair, names, progress=callback)
    assert many.copy(0) == (1, 4)
    try:
        many.copy(1)
    except Stop:
        assert len(os.listdir(pair[1])) == calls[0] + 1
        assert len(calls) == 1
    else:  # quicker than a tick
        assert len(os.listdir(pair[1])) == len(names)


def test_ctrl_c_while_hooks_are_called(pair: tuple[str, str]) -> None:
    """A hook that raises KeyboardInterrupt is a signal handler's doing: nothing more is copied."""
    write(pair, ["a", "b"])
    heard = Heard(pair, {"b": KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        between(pair, ["a", "b"]).copy(0)
    heard.on = False
    assert not os.listdir(pair[1])
