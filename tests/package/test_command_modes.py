"""``speedcopy cp``: who may use what it makes, and what it may not read or write."""

from __future__ import annotations

import errno
import os
import stat
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Callable

import pytest
from support.command import ENVIRONMENT, IN_PROCESS, OURS, entries, gnu, lay_out, run
from support.process_limits import umask, unprivileged

from speedcopy._cli.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("disabled", ["", "1"], ids=["native", "plain"])
@pytest.mark.parametrize("dst", ["new", "d"], ids=["new", "over"])
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_umask(
    mask: int, dst: str, disabled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is new in a tree has no mode that the umask forbids; the rest keeps its own."""
    monkeypatch.setitem(ENVIRONMENT, "SPEEDCOPY_DISABLE", disabled)
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


#: What is in the way in dst, how it is made, and the message.
IN_THE_WAY: dict[str, tuple[Callable[[Path], object], str]] = {
    "link to a directory": (
        lambda new: new.symlink_to("../../e"),
        "cannot overwrite non-directory 'new/y/folder' with directory 'y/folder'",
    ),
    "dangling link to a directory": (
        lambda new: new.symlink_to("missing"),
        "cannot overwrite non-directory 'new/y/folder' with directory 'y/folder'",
    ),
    "file": (
        lambda new: new.write_bytes(b"old"),
        "cannot overwrite non-directory 'new/y/folder' with directory 'y/folder'",
    ),
    "dangling link": (
        lambda new: new.with_name("x").symlink_to("missing"),
        "not writing through dangling symlink 'new/y/x'",
    ),
    "link to a file": (lambda new: new.with_name("x").symlink_to("../../a"), ""),
    "directory": (
        lambda new: new.with_name("x").mkdir(),
        "cannot overwrite directory 'new/y/x' with non-directory",
    ),
    "directory for a link": (
        lambda new: new.with_name("link").mkdir(),
        "cannot overwrite directory 'new/y/link' with non-directory",
    ),
}


@pytest.mark.parametrize("option", ["", "--reflink=never"], ids=["parallel", "in order"])
@pytest.mark.parametrize(("put", "message"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_in_the_way(
    put: Callable[[Path], object], message: str, option: str, tmp_path: Path
) -> None:
    """What is in dst is not followed and not replaced where GNU cp refuses to; the rest is new."""
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    for folder in (ours, theirs):
        (folder / "y/folder").mkdir()
        (folder / "y/folder/f").write_bytes(b"f")
        (folder / "new/y").mkdir(parents=True)
        try:
            (folder / "y/link").symlink_to("x")
            put(folder / "new/y/folder")
        except OSError:
            pytest.skip("no symbolic links")
    arguments = [*filter(None, [option]), "-r", "y", "new"]
    told = run([*OURS, *arguments], ours)
    assert told == (int(bool(message)), f"cp: {message}" if message else "")
    assert not list((ours / "e").iterdir())
    if gnu():
        assert told == run(["cp", *arguments], theirs)
        assert entries(ours) == entries(theirs)


def default_acl(folder: Path) -> None:
    """Gives new files in a folder all permissions that they ask for, whatever the umask is."""
    rows = ((1, 7), (4, 7), (32, 7))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *row, 0xFFFFFFFF) for row in rows)
    try:
        os.setxattr(folder, "system.posix_acl_default", acl)
    except (AttributeError, OSError):
        pytest.skip("no ACLs here")


@pytest.mark.parametrize("arguments", ["b e", "-r sub y b e", "--reflink=never -r sub e"])
def test_default_acl(arguments: str, tmp_path: Path) -> None:
    """A directory's default ACL is in the place of the umask, and opens no private file."""
    ours, theirs = lay_out(tmp_path / "ours"), lay_out(tmp_path / "theirs")
    for folder in (ours, theirs):
        default_acl(folder / "e")
        os.chmod(folder / "sub", 0o775)
        os.chmod(folder / "sub/x", 0o600)
        os.chmod(folder / "y", 0o500)
    assert run([*OURS, *arguments.split()], ours) == (0, "")
    private = "b" if "b" in arguments.split() else "sub/x"
    assert stat.S_IMODE((ours / "e" / private).stat().st_mode) == 0o600
    if gnu():
        assert run(["cp", *arguments.split()], theirs) == (0, "")
        assert entries(ours) == entries(theirs)


@pytest.mark.parametrize("disabled", ["", "1"], ids=["native", "plain"])
@pytest.mark.parametrize("arguments", ["-p s", "-rp s", "s", "-rp y", "-r y"])
def test_rights_of_another(
    arguments: str, disabled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program does not get the setuid of another owner."""
    ours = lay_out(tmp_path / "ours")
    os.rename(ours / "s", ours / "y/s")
    try:
        os.chown(ours / "y/s", 65534, 65534)
        os.chmod(ours / "y/s", 0o6755)
    except (AttributeError, OSError):
        pytest.skip("only root gives files away")
    *options, name = arguments.split()
    command = [*OURS, *options, "y/s" if name == "s" else name, "e"]
    monkeypatch.setitem(ENVIRONMENT, "SPEEDCOPY_DISABLE", disabled)
    assert run(command, ours) == (0, "")
    assert stat.S_IMODE((ours / "e/s" if name == "s" else ours / "e/y/s").stat().st_mode) == 0o755


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


@pytest.mark.parametrize("arguments", ["a e", "-r sub e", "--reflink=never -r sub e"])
def test_of_another(
    arguments: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Files and directories of another owner that everybody may write are copied over."""
    ours = lay_out(tmp_path / "ours")
    for name in ("e/a", "e/sub/x"):
        (ours / name).parent.mkdir(exist_ok=True)
        (ours / name).write_bytes(b"old content")
        os.chmod(ours / name, 0o666)
    for name in (".", "e", "e/sub", "sub"):
        os.chmod(ours / name, 0o777)
    monkeypatch.chdir(ours)
    main(["cp", "-r", "e", "../imported"])  # what a tree needs is imported when one is copied
    with unprivileged():
        code = main(["cp", *arguments.split()])
    assert (code, capsys.readouterr().err) == (0, "")
    name = "sub/x" if "-r" in arguments else "a"
    assert (ours / "e" / name).read_bytes() == (ours / name).read_bytes()
    assert stat.S_IMODE((ours / "e" / name).stat().st_mode) == 0o666


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
