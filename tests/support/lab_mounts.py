"""The lab's mounts, as the tests of :mod:`test_shares` and :mod:`test_requests` see them.

``python tools/lab.py -- python -m pytest tests/test_shares.py tests/test_requests.py`` sets the
environment that this module reads; without it both are skipped.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.layout import pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PREFIX = "SPEEDCOPY_LAB_"

#: Names of what is mounted, and of what the lab could not mount.
MOUNTED = tuple(os.environ.get(f"{PREFIX}MOUNTS", "").split())
SKIPPED = tuple(os.environ.get(f"{PREFIX}SKIPPED", "").split())

NO_LAB = "not in the lab: python tools/lab.py -- python -m pytest"

#: After it the client has forgotten attributes, and has closed what it kept open. Seconds.
FORGET = 1.3

#: A server that was asked to restart is back before. Seconds.
RESTART = 60

LOCAL = ("EXT4", "XFS", "BTRFS", "TMPFS", "OVERLAY")
SMB = (
    *("SMB_EXT4", "SMB_XFS", "SMB_BTRFS", "SMB_OTHER_SHARE", "SMB_OTHER_SERVER"),
    *("SMB_LOOSE", "SMB_NOCACHE", "SMB_NOLEASE", "SMB1", "SMB_KSMBD"),
)
NFS = ("NFS42", "NFS3", "NFS42_NOCTO", "NFS3_NOCTO")
ALL = (*LOCAL, *SMB, *NFS)

#: Where whole files are cloned, by the local file system or by the server.
CLONING = ("XFS", "BTRFS", "SMB_BTRFS", "SMB_KSMBD", "NFS42", "NFS42_NOCTO")

#: Where the bytes of a copy do not come through the client.
SERVER_SIDE = (
    *("SMB_EXT4", "SMB_XFS", "SMB_BTRFS", "SMB_OTHER_SHARE", "SMB_OTHER_SERVER"),
    *("SMB_LOOSE", "SMB_NOCACHE", "SMB_NOLEASE", "SMB_KSMBD", "NFS42", "NFS42_NOCTO"),
)

#: Where the client does not ask again for a minute.
TRUSTING = ("NFS42_NOCTO", "NFS3_NOCTO")


def root(name: str) -> Path:
    """Where a mount is. Skips the test if it is none of the lab's, or could not be had."""
    if name not in MOUNTED:
        pytest.skip(f"the lab could not mount {name}" if name in SKIPPED else f"no mount {name}")
    return Path(os.environ[PREFIX + name])


@dataclass(frozen=True)
class Share:
    """A fresh folder on a mount, and the same folder on the server's own disk.

    Where there is no server, ``disk`` is ``folder``.
    """

    name: str
    folder: Path
    disk: Path

    def __truediv__(self, name: str) -> Path:
        """A path as the client has it."""
        return self.folder / name

    def stored(self, name: str = "dst") -> bytes:
        """The content of a file as the server has it, past all caches of the client."""
        return (self.disk / name).read_bytes()

    def names(self) -> list[str]:
        """What the server has in the folder."""
        return sorted(os.listdir(self.disk))


def on_server(path: str) -> str:
    """The same file as its server has it; the path itself if it is on no share."""
    full = os.path.abspath(path)
    for name in MOUNTED:
        top, server = os.environ[PREFIX + name], os.environ.get(f"{PREFIX}{name}_SERVER")
        if server and full.startswith(f"{top}/"):
            return server + full[len(top) :]
    return full


def remove(folder: Path) -> None:
    """Removes a folder, when nobody has a file in it open any more: a CIFS client for a second."""
    for _ in range(3):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(FORGET)
    shutil.rmtree(folder)


@contextmanager
def fresh(name: str) -> Iterator[Share]:
    """A fresh folder on a mount, gone afterwards."""
    top = root(name)
    server = Path(os.environ.get(f"{PREFIX}{name}_SERVER", top))
    folder = Path(tempfile.mkdtemp(prefix="shares-", dir=top))
    try:
        yield Share(name, folder, server / folder.name)
    finally:
        remove(folder)


def on(*names: str) -> pytest.MarkDecorator:
    """Runs a test with the fixture ``share`` on each of these mounts."""
    return pytest.mark.parametrize("share", names, indirect=True)


def noise(size: int, turn: int = 0) -> bytes:
    """Bytes in which no two blocks are the same, others each turn.

    One pattern for all: to make a new one takes long where the processor is emulated.
    """
    return pattern(size + 4099 * turn)[4099 * turn :]


def windows(size: int) -> list[tuple[int, bytes]]:
    """What a large file holds: bytes of its own at its ends and around every 16th MiB."""
    width = 4 * KIB
    edges = (*range(0, size, 16 * MIB), size)
    found: list[tuple[int, bytes]] = []
    end = 0
    for edge in edges if size < GIB else (0, 16 * MIB, 256 * MIB, 2 * GIB, 4 * GIB, size):
        start, end = max(end, edge - width), min(size, edge + width)
        if start < end:
            found.append((start, noise(end - start, len(found))))
    return found


def make_large(path: Path, size: int) -> None:
    """A file of holes with :func:`windows` in it, made on the server so that it costs nothing."""
    with path.open("wb") as new:
        new.truncate(size)
        for offset, data in windows(size):
            new.seek(offset)
            new.write(data)


def assert_large(path: Path, size: int) -> None:
    """The file has every one of :func:`windows`, and zeros between the first two."""
    assert os.stat(path).st_size == size
    with path.open("rb", buffering=0) as opened:
        for offset, data in windows(size):
            opened.seek(offset)
            assert (offset, opened.read(len(data))) == (offset, data)
        opened.seek(8 * KIB)
        assert opened.read(64 * KIB) == bytes(64 * KIB)


def restart(server: str) -> None:
    """Restarts a server of the lab, and waits until it is back."""
    request = Path(os.environ[f"{PREFIX}CONTROL"]) / "restart"
    request.write_text(f"{server}\n")
    deadline = time.monotonic() + RESTART
    while request.exists():
        assert time.monotonic() < deadline, f"{server} does not come back"
        time.sleep(0.05)


def descriptors_below(*folders: str) -> list[str]:
    """What this process has open there."""
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        if target.startswith(folders):
            found.append(target)
    return found


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder, mounted once more over itself, takes no writes."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """The file system has about ``free`` bytes left."""
    filler = disk / "filler"
    try:
        with filler.open("wb") as opened:
            room = os.statvfs(disk).f_bfree * os.statvfs(disk).f_frsize - free  # root's part too
            os.posix_fallocate(opened.fileno(), 0, room)
        yield
    finally:
        filler.unlink()
