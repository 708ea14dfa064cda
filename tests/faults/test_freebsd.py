"""The table of FreeBSD on this system's copy_file_range, which takes the same arguments.

No FreeBSD is here. The files that every platform shares are compiled with that table, and with what
Linux knows of open files.
"""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import subprocess
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.python import ROOT

from speedcopy import _loader

if TYPE_CHECKING:
    from pathlib import Path

POSIX = ROOT / "speedcopy" / "native" / "posix"
SHARED = ("copy", "open", "dst", "table", "rounds", "ticks", "read_write", "metadata")

#: What FreeBSD has in a file that needs its flags of files.
REST = """
#include "posix/posix.h"
int sc_may_copy_in_place(const sc_job *job) { return job == NULL; }
int sc_try_clone(sc_job *job) { return job == NULL ? 0 : -EOPNOTSUPP; }
int sc_tick(void *caller, int64_t copied, int64_t total) { return caller && copied > total; }
"""

KEEP_HOLES, REFLINK_NEVER, REFLINK_ALWAYS = 4, 2, 1


class Report(ctypes.Structure):
    """An sc_report; test_native compares the header with what Python is told of it."""

    _fields_ = [
        ("copied", ctypes.c_int64),
        ("mechanism", ctypes.c_int32),
        ("offloaded", ctypes.c_int32),
        ("declined", ctypes.c_int32 * 8),
        ("refused", ctypes.c_int32 * 3),
    ]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The table, compiled for this system."""
    compiler = shutil.which("cc")
    if not compiler or not POSIX.exists() or not hasattr(os, "copy_file_range"):
        pytest.skip("no compiler, no sources or no copy_file_range")
    if not hasattr(_loader.native and _loader.native.lib, "FICLONE"):
        pytest.skip("the files of Linux cannot be compiled here")
    folder = tmp_path_factory.mktemp("freebsd")
    (folder / "rest.c").write_text(REST)
    sources = [str(POSIX / f"{name}.c") for name in (*SHARED, "freebsd", "linux_files")]
    options = ("-shared", "-fPIC", "-O1", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64")
    defines = ("-DSC_CHAR=char", f"-I{POSIX.parent}", f"-I{POSIX}")
    built = str(folder / "freebsd.so")
    subprocess.run(
        [compiler, *options, *defines, "-o", built, str(folder / "rest.c"), *sources], check=True
    )
    return ctypes.CDLL(built)


@pytest.fixture
def copy(library: Any) -> Callable[..., tuple[int, Report]]:
    """Calls sc_copy."""

    def call(src: Path, dst: Path, flags: int = KEEP_HOLES) -> tuple[int, Report]:
        report = Report()
        names = os.fsencode(src), os.fsencode(dst)
        result = library.sc_copy(None, *names, flags, ctypes.byref(report))
        return result, report

    return call


def test_table(library: Any) -> None:
    """Two rows."""
    library.sc_mechanism_name.restype = ctypes.c_char_p
    names = [library.sc_mechanism_name(row) for row in range(3)]
    assert names == [b"copy_file_range", b"read/write", None]


@pytest.mark.parametrize("old", [None, 0, 9, 5_000_000], ids=["new", "empty", "short", "long"])
@pytest.mark.parametrize("size", [0, 1, 4096, 100_001, 3_000_001])
def test_copy(
    copy: Callable[..., tuple[int, Report]], folder: Path, size: int, old: int | None
) -> None:
    """Dst is a copy, by the first row unless src is empty."""
    content = random.Random(size).randbytes(size)  # noqa: S311
    (folder / "src").write_bytes(content)
    if old is not None:
        (folder / "dst").write_bytes(b"o" * old)
    result, report = copy(folder / "src", folder / "dst")
    assert (result, report.copied) == (0, size)
    assert (folder / "dst").read_bytes() == content
    if not report.declined[0]:
        assert report.mechanism == (0 if size else 1)


@pytest.mark.parametrize("flags", [0, REFLINK_NEVER | KEEP_HOLES])
def test_may_share(copy: Callable[..., tuple[int, Report]], folder: Path, flags: int) -> None:
    """What may share blocks is not asked where that is not wanted."""
    (folder / "src").write_bytes(b"data" * 1000)
    result, report = copy(folder / "src", folder / "dst", flags)
    assert (result, report.mechanism) == (0, 1)


def test_always(copy: Callable[..., tuple[int, Report]], folder: Path) -> None:
    """No call of FreeBSD clones, or fails."""
    (folder / "src").write_bytes(b"data" * 1000)
    result, _ = copy(folder / "src", folder / "dst", REFLINK_ALWAYS | KEEP_HOLES)
    assert result < 0
    assert not (folder / "dst").exists()
