"""The lab's mounts as tests see them: names, fresh folders, servers; and which tests run where.

The table is the lab's own, ``tools/lab/vm/mounts.py``; where the mounts are is in the environment
that ``python tools/lab.py -- python -m pytest`` sets. Without it these tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab.vm.mounts import MOUNTS, PREFIX

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from lab.vm.mounts import Mount

#: Names of what is mounted, and of what the lab could not mount.
MOUNTED = tuple(os.environ.get(f"{PREFIX}MOUNTS", "").split())
SKIPPED = tuple(os.environ.get(f"{PREFIX}SKIPPED", "").split())

NO_LAB = "not in the lab: python tools/lab.py -- python -m pytest"

#: How long an SMB client caches attributes and keeps closed files open. Seconds.
FORGET = 1.3

#: How long a server may take to restart. Seconds.
RESTART = 60

ROWS = {row.name: row for row in MOUNTS}
ALL = tuple(ROWS)
LOCAL = tuple(row.name for row in MOUNTS if row.is_local)
REMOTE = tuple(row.name for row in MOUNTS if not row.is_local)

#: Remote mounts whose client caches attributes for three seconds at most.
ASKING = tuple(name for name in REMOTE if not ROWS[name].is_trusting)


def root(name: str) -> Path:
    """Where a mount is. Skips the test if it is not mounted."""
    if name not in MOUNTED:
        pytest.skip(f"the lab could not mount {name}" if name in SKIPPED else f"no mount {name}")
    return Path(os.environ[ROWS[name].variable])


@dataclass(frozen=True)
class Share:
    """A fresh folder on a mount, and the same folder on the server's own disk.

    Where there is no server, ``disk`` is ``folder``.
    """

    name: str
    folder: Path
    disk: Path

    @property
    def row(self) -> Mount:
        """What the lab knows of the mount."""
        return ROWS[self.name]

    def __truediv__(self, name: str) -> Path:
        """A path as the client has it."""
        return self.folder / name

    def stored(self, name: str = "dst") -> bytes:
        """The content of a file on the server's disk."""
        return (self.disk / name).read_bytes()

    def names(self) -> list[str]:
        """The names in the folder on the server's disk."""
        return sorted(os.listdir(self.disk))

    def forget(self) -> None:
        """Waits until the client has forgotten what it knew; on NFS acregmin is 3 s."""
        time.sleep(FORGET if self.row.is_smb else 3 * FORGET)


def on_server(path: str) -> str:
    """The path of the same file on its server's disk; the path itself if it is on no share."""
    full = os.path.abspath(path)
    for name in MOUNTED:
        row = ROWS[name]
        top, server = os.environ[row.variable], os.environ.get(row.server_variable)
        if server and full.startswith(f"{top}/"):
            return server + full[len(top) :]
    return full


def remove(folder: Path) -> None:
    """Removes a folder. A CIFS client may still have a file in it open for a second."""
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
    server = Path(os.environ.get(ROWS[name].server_variable, top))
    folder = Path(tempfile.mkdtemp(prefix="shares-", dir=top))
    try:
        yield Share(name, folder, server / folder.name)
    finally:
        remove(folder)


def on(*names: str) -> pytest.MarkDecorator:
    """Runs a test with the fixture ``share`` on each of these mounts."""
    return pytest.mark.parametrize("share", names, indirect=True)


def restart(server: str) -> None:
    """Restarts a server of the lab, and waits until it is back."""
    request = Path(os.environ[f"{PREFIX}CONTROL"]) / "restart"
    request.write_text(f"{server}\n")
    deadline = time.monotonic() + RESTART
    while request.exists():
        assert time.monotonic() < deadline, f"{server} does not come back"
        time.sleep(0.05)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Makes a folder read-only, by a mount over itself."""
    subprocess.run(["mount", "--bind", folder, folder], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", folder], check=True)
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def filled(disk: Path, free: int) -> Iterator[None]:
    """Fills a file system up to about ``free`` bytes."""
    filler = disk / "filler"
    try:
        with filler.open("wb") as opened:
            room = os.statvfs(disk).f_bfree * os.statvfs(disk).f_frsize - free  # root's part too
            os.posix_fallocate(opened.fileno(), 0, room)
        yield
    finally:
        filler.unlink()


# Which tests a run with --mounts and --deal consists of.


def chosen(wanted: str, names: Iterable[str]) -> list[str]:
    """The names that match one of the patterns; ``wanted`` has them separated by commas."""
    patterns = wanted.split(",")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def words_of(nodeid: str) -> list[str]:
    """The words in the brackets of a test's id."""
    inside = re.search(r"\[(.*)\]$", nodeid, re.DOTALL)
    return re.split(r"[- ]", inside[1]) if inside else []


def is_on(item: pytest.Item, names: Collection[str]) -> bool:
    """Whether a test copies on, or from, one of these mounts."""
    return next((word in names for word in words_of(item.nodeid) if word in ALL), False)


def dealt(items: Iterable[pytest.Item], every: int) -> set[pytest.Item]:
    """Of the tests with the fixture ``folder``, each Nth; on each mount another one is first."""
    kept = set()
    seen: dict[str, int] = {}
    for item in items:
        if "base" not in getattr(item, "fixturenames", ()):
            kept.add(item)
            continue
        name = next((word for word in words_of(item.nodeid) if word in ALL), "")
        number = seen[name] = seen.get(name, ALL.index(name) if name else 0) + 1
        if number % every == 0:
            kept.add(item)
    return kept
