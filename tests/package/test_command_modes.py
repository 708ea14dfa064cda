"""``speedcopy cp``: who may use what it makes, and what it may not read or write."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from support.command import ENVIRONMENT, IN_PROCESS, OURS, entries, gnu, lay_out, run
from support.process_limits import umask, unprivileged

from speedcopy._cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("dst", ["new", "d"], ids=["new", "over"])
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_umask(mask: int, dst: str, tmp_path: Path) -> None:
    """What is new in a tree has no mode that the umask forbids; the rest keeps its own."""
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    for folder in (ours, theirs):
        for number, mode in enumerate((0o666, 0o4755, 0o600, 0o444, 0o7777)):
            (folder / "y" / str(number)).write_bytes(b"")
            os.chmod(folder / "y" / str(number), mode)
        for name, mode in {"y/wide": 0o777, "y/b": 0o750, "d": 0o1777, "d/b": 0o770}.items():
            os.makedirs(folder / name, exist_ok=True)
            os.chmod(folder / name, mode)
        (folder / "d/2").write_bytes(b"old")
        os.chmod(folder / "y", 0o775)
    with umask(mask):
        assert run([*OURS, "-r", "y/.", dst], ours) == (0, "")
        assert entries(ours)[f"{dst}/4"][0] == stat.filemode(stat.S_IFREG | 0o777 & ~mask)
        if gnu():
            assert run(["cp", "-r", "y/.", dst], theirs) == (0, "")
            assert entries(ours) == entries(theirs)


UNREADABLE = (
    ("secret new", "cannot open 'secret' for reading: Permission denied"),
    ("a closed/new", "cannot create regular file 'closed/new': Permission denied"),
    ("secret a e", "cannot open 'secret' for reading: Permission denied"),
    ("-r sub new", "cannot open 'sub/secret' for reading: Permission denied"),
)


@pytest.mark.parametrize(("arguments", "message"), UNREADABLE, ids=[row[0] for row in UNREADABLE])
def test_forbidden(
    arguments: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that may not be read, a directory that may not be written; the rest is copied.

    In this process, as Python itself may lie where nobody else may start it.
    """
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    for folder in (theirs, ours):
        for name in ("secret", "sub/secret"):
            (folder / name).write_bytes(b"")
            os.chmod(folder / name, 0)
        (folder / "closed").mkdir(mode=0o555)
        for name in (".", "e", "sub"):
            os.chmod(folder / name, 0o777)
    monkeypatch.chdir(ours)
    main(["cp", "-r", "e", "../imported"])  # what a tree needs is imported when one is copied
    with unprivileged():
        if os.access("secret", os.R_OK, effective_ids=os.access in os.supports_effective_ids):
            pytest.skip("everything may be read here")
        code = main(["cp", *arguments.split()])
    told = capsys.readouterr().err.replace("speedcopy cp", "cp")
    assert (code, told) == (1, f"cp: {message}\n")
    if gnu():
        monkeypatch.chdir(theirs)
        with unprivileged():
            done = subprocess.run(
                ["cp", *arguments.split()], env=ENVIRONMENT, capture_output=True, text=True,
                check=False,
            )  # fmt: skip
        assert (done.returncode, done.stderr) == (code, told)
        assert entries(ours) == entries(theirs)


def test_never_wider(tmp_path: Path) -> None:
    """A new file may not be read by more people than its source, not even while it is copied."""
    ours = lay_out(tmp_path / "ours")
    code = (
        f"{IN_PROCESS}"
        "def watched(**given):\n"
        "    given['progress'] = lambda *_: print(oct(os.stat('new').st_mode & 0o777))\n"
        "    return options(**given)\n"
        "cp.Options = watched; sys.exit(main(['cp', 'b', 'new']))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ours, env=ENVIRONMENT, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert told.stdout.split() == ["0o600"]


def test_not_preserved(tmp_path: Path) -> None:
    """What the file system refuses with -p is said; the file is copied."""
    ours = lay_out(tmp_path / "ours")
    code = (
        f"{IN_PROCESS}"
        "import dataclasses\n"
        "copy = cp._engine.report\n"
        "def refusing(src, dst, how):\n"
        "    refused = {'times': 'EPERM', 'mode': 'EIO'}\n"
        "    return dataclasses.replace(copy(src, dst, how), refused=refused)\n"
        "cp._engine.report = refusing; sys.exit(main(['cp', '-p', 'b', 'new']))"
    )
    expected = (
        f"cp: preserving times for 'new': {os.strerror(errno.EPERM)}\n"
        f"cp: preserving permissions for 'new': {os.strerror(errno.EIO)}"
    )
    assert run([sys.executable, "-c", code], ours) == (1, expected)
    assert (ours / "new").read_bytes() == (ours / "b").read_bytes()
