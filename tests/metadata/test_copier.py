"""What a tree uses: a copier, and rows that are not tried."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import pytest
from contract.outcome import Case
from metadata.outcomes import outcome_in, times
from support.interpose import Worker, calls, fail, started_worker
from support.layout import directory, fifo, file, symlink

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
        Copier(Options(metadata="strict", name="free" if follow_symlinks else "any"))(src, dst)
        return dst

    assert outcome_in(folder, copy, case) == outcome_in(folder, shutil.copy2, case)


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
