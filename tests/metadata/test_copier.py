"""What a tree uses: a copier for the files of a directory, and rows that are not tried."""

from __future__ import annotations

import errno
import filecmp
import os
import shutil
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from contract.outcome import Case
from metadata.outcomes import outcome_in, times
from support.interpose import Worker, calls, fail, started_worker
from support.layout import directory, fifo, file, pattern, symlink
from support.process_limits import descriptors_left

import speedcopy
from speedcopy import _engine, _loader
from speedcopy._copy2 import Copier
from speedcopy._copyfile import Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECOND = 10**9


def by_copier(src: Any, dst: Any, follow_symlinks: bool = True) -> Any:  # noqa: FBT002
    """Copies a file that is known to be one."""
    assert follow_symlinks
    size = os.stat(src).st_size if os.path.exists(src) else 0
    assert Copier(Options(metadata="strict", src_is_file=True))(src, dst) == size
    return dst


SRC = (file("src", 9, 0o640), times("src", 5 * SECOND))
CASES = [
    Case("new", SRC),
    Case("bytes", SRC, b"src", b"dst"),
    Case("over", (*SRC, file("dst", 20, 0o600))),
    Case("over itself", SRC, dst="./src"),
    Case("over a link to itself", (*SRC, symlink("dst", "src"))),
    Case("over a FIFO", (*SRC, fifo("dst"))),
    Case("empty", (file("src", 0), times("src", 5 * SECOND))),
    Case("setuid", (file("src", 9, 0o4755), times("src", 5 * SECOND))),
    Case("missing by now", ()),
    Case("a directory by now", (directory("src"),)),
    Case("a FIFO by now", (fifo("src"),)),
]


def between(src: Any, dst: Any, follow_symlinks: bool = True) -> Any:  # noqa: FBT002
    """Copies a file that is known to be one, by its name in an open directory."""
    assert follow_symlinks
    copier = Copier(Options(metadata="strict", src_is_file=True), "./", "./")
    try:
        copier(src, dst)
    finally:
        copier.close()
    return dst


@pytest.mark.parametrize("case", [case for case in CASES if case.dst == "dst"], ids=lambda c: c.id)
def test_between(case: Case, folder: Path) -> None:
    """So have names in open directories."""
    case = replace(case, src="./src", dst="./dst")
    assert outcome_in(folder, between, case) == outcome_in(folder, shutil.copy2, case)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copier has the outcome of copy2, with and without the native layer."""
    theirs = outcome_in(folder, shutil.copy2, case)
    assert outcome_in(folder, by_copier, case) == theirs
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
    assert outcome_in(folder, by_copier, case) == theirs


def test_logged(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each file of a tree is in the log."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DEBUG", True)
    (folder / "src").write_bytes(b"data")
    assert by_copier(str(folder / "src"), str(folder / "dst"))
    assert "4 bytes" in caplog.text


FREE = [
    *CASES,
    Case("over an empty file", (*SRC, file("dst", 0, 0o600))),
    Case("an empty file over itself", (file("src", 0),), dst="./src"),
    Case("over a dangling link", (*SRC, symlink("dst", "f"))),
    Case("over a link", (*SRC, file("f"), symlink("dst", "f"))),
]


@pytest.mark.parametrize("case", FREE, ids=lambda case: case.id)
def test_name_that_should_be_free(case: Case, folder: Path) -> None:
    """A name that is there nevertheless is no harm."""

    def copy(src: Any, dst: Any, follow_symlinks: bool = True) -> Any:  # noqa: FBT002
        Copier(Options(metadata="strict", name_is_free=follow_symlinks))(src, dst)
        return dst

    assert outcome_in(folder, copy, case) == outcome_in(folder, shutil.copy2, case)


@pytest.mark.parametrize(
    "size", [0, 1, 4095, 4096, 4097, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, (40 << 20) + 1]
)
@pytest.mark.parametrize("hole", [False, True])
def test_sizes(size: int, hole: bool, folder: Path) -> None:
    """All of a file is copied between open directories, its last hole too."""
    with open(folder / "src", "wb") as new:
        new.write(pattern(size))
        new.truncate(size + (hole << 20))
    prefix = os.path.join(folder, "")
    copier = Copier(Options(metadata="strict"), prefix, prefix)
    try:
        assert copier(f"{prefix}src", f"{prefix}dst") == size + (hole << 20)
    finally:
        copier.close()
    assert filecmp.cmp(folder / "src", folder / "dst", shallow=False)


def test_growing(folder: Path) -> None:
    """While src grows, dst is what src was at one moment, and at least what it was at first."""
    prefix, data = os.path.join(folder, ""), pattern(1 << 20)
    copier = Copier(Options(metadata="strict"), prefix, prefix)
    done = threading.Event()

    def grow() -> None:
        with open(folder / "src", "ab", buffering=0) as src:
            src.writelines(data[start : start + 1000] for start in range(0, len(data), 1000))
        done.set()

    (folder / "src").touch()
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        while not done.is_set():
            before = os.stat(folder / "src").st_size
            copied = copier(f"{prefix}src", f"{prefix}dst")
            assert before <= copied
            assert (folder / "dst").read_bytes() == data[:copied]
    finally:
        thread.join()
        copier.close()


@pytest.mark.parametrize("name", ["a", "file", "ü"])
@pytest.mark.parametrize("as_bytes", [False, True])
def test_directories(name: str, as_bytes: bool, folder: Path) -> None:
    """A file has the same name in both directories, also where they are held open."""
    for side in ("from", "to"):
        (folder / side).mkdir()
    (folder / "from" / name).write_bytes(b"data")
    encode: Any = os.fsencode if as_bytes else str
    src, dst = (encode(os.path.join(folder, side, "")) for side in ("from", "to"))
    given, missing = encode(name), encode("missing")
    copier = Copier(Options(metadata="strict", src_is_file=True), src, dst)
    try:
        assert copier(src + given, dst + given) == 4
        with pytest.raises(FileNotFoundError) as caught:
            copier(src + missing, dst + missing)
    finally:
        copier.close()
    assert caught.value.filename == src + missing
    assert (folder / "to" / name).read_bytes() == b"data"
    assert os.listdir(folder / "to") == [name]


def test_no_descriptor_left(folder: Path) -> None:
    """The directories are closed before a copy fails for lack of descriptors."""
    (folder / "src").write_bytes(b"data")
    prefix = os.path.join(folder, "")
    copier = Copier(Options(metadata="strict"), prefix, prefix)
    try:
        with descriptors_left(2):
            copier(f"{prefix}src", f"{prefix}dst")
    finally:
        copier.close()
    assert (folder / "dst").read_bytes() == b"data"


def test_no_directory(folder: Path) -> None:
    """Where a directory cannot be opened, the error is that of the file."""
    prefix = os.path.join(folder, "missing", "")
    with pytest.raises(FileNotFoundError) as caught:
        Copier(Options(metadata="strict"), prefix, prefix)(f"{prefix}src", f"{prefix}dst")
    assert caught.value.filename == f"{prefix}src"


def test_audit(folder: Path) -> None:
    """A hook hears of both opens and of the metadata, in shutil's words."""
    heard: list[tuple[object, ...]] = []
    on = [True]

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if on and event in ("shutil.copyfile", "open", "shutil.copystat"):
            heard.append((event, *arguments[:2]))

    (folder / "src").write_bytes(b"data")
    src, dst = str(folder / "src"), str(folder / "dst")
    copier = Copier(Options(metadata="strict"))
    sys.addaudithook(listen)
    copier(src, dst)
    on.clear()
    if not _loader.native:
        pytest.skip("shutil's own")
    assert heard == [
        ("shutil.copyfile", src, dst),
        ("open", src, "r"),
        ("open", dst, "w"),
        ("shutil.copystat", src, dst),
    ]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """A process for all of these."""
    with started_worker() as process:
        yield process


def tried_and_skipped(src: str) -> tuple[int, int]:
    """In the worker: two files by one copier; how often FICLONE was tried, and what is skipped."""
    copier = Copier(Options(metadata="strict"))
    for name in ("one", "two"):
        copier(src, os.path.join(os.path.dirname(src), name))
    return calls().count("FICLONE"), copier.skip


@pytest.mark.parametrize(
    ("code", "tried"),
    [
        *((code, 1) for code in (errno.EOPNOTSUPP, errno.ENOTTY, errno.ENOSYS, errno.EXDEV)),
        *((code, 2) for code in (errno.EINVAL, errno.EPERM, errno.ENOSPC, errno.EIO)),
    ],
)
def test_clones_once_refused(worker: Worker, code: int, tried: int, folder: Path) -> None:
    """FICLONE is not tried again where it can clone no file, and is where it cannot clone this."""
    (folder / "src").write_bytes(b"data")
    answer = worker.call(tried_and_skipped, [fail("FICLONE", code)], folder / "src")
    assert answer == (tried, 1 if tried == 1 else 0)


@pytest.mark.parametrize("row", range(5))
def test_one_row(row: int, folder: Path) -> None:
    """All other rows skipped, a row copies, or the last resort does; a skipped row says nothing."""
    if not _loader.native or len(_loader.native.MECHANISMS) <= row:
        pytest.skip("no such row here")
    names = _loader.native.MECHANISMS
    (folder / "src").write_bytes(b"data")
    skip = ~(1 << row) & 0xFF
    done = _engine.report(folder / "src", folder / "dst", Options(skip=skip))
    assert set(done.declined) <= {names[row]}
    assert done.mechanism in {names[row], names[-1]}
    assert (folder / "dst").read_bytes() == b"data"
