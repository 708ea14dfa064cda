"""Mounts of real FUSE servers, and of one that misbehaves, each gone after its ``with`` block.

They vanish when the test run is killed, too: their mounts are private to it, and the kernel ends
the servers with the process that started them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Callable, Optional

import pytest
from support.filesystems import UnavailableError, mount_privately, run, unmount
from support.fuse_server import server_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from support.hostile_fuse import Switches
    from support.summaries import Ledger

#: How long to wait for a server to mount. Seconds.
PATIENCE = 20

#: How long clients cache attributes: longer than any copy takes.
BELIEVED = "attr_timeout=3600,entry_timeout=3600"

SFTP_SERVERS = ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server")


@dataclass(frozen=True)
class Mount:
    """A folder as a client sees it, and the same folder in the backing store.

    ``is_late`` is whether the store may get the content of a file after its close.
    """

    folder: Path
    store: Path
    is_late: bool = False

    def fresh(self, name: str) -> tuple[Path, Path]:
        """A new folder, as the client and as the store has it."""
        (self.folder / name).mkdir()
        return self.folder / name, self.store / name

    @contextmanager
    def mounted(self, _folder: Path) -> Iterator[None]:
        """Called after the files in a fresh folder have been made, for a ``with`` block."""
        yield


def ended_with_us(*command: str) -> list[str]:
    """The command of a process that ends when the one that started it does."""
    for program in ("setpriv", command[0]):
        if not shutil.which(program):
            msg = f"no {program} here"
            raise UnavailableError(msg)
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]


def end(process: subprocess.Popen[bytes]) -> None:
    """Waits for a server that has been unmounted, and kills it if it does not end."""
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def served(top: Path, *command: str, stdin: Optional[int] = None) -> Iterator[None]:
    """Runs a server that mounts ``top / "client"``. Raises UnavailableError."""
    folder, log = top / "client", top / "log"
    with log.open("wb") as told:
        process = subprocess.Popen(
            ended_with_us(*command),
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=told if stdin is None else stdin,
            stderr=told,
            start_new_session=True,
        )
    try:
        wait_for_mount(folder, process, log)
        try:
            yield
        finally:
            unmount(folder)
    except UnavailableError:
        process.kill()
        raise
    finally:
        end(process)


def wait_for_mount(folder: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a server has mounted. Raises UnavailableError if it does not."""
    deadline = time.monotonic() + PATIENCE
    while not os.path.ismount(folder):
        if process.poll() is not None or time.monotonic() > deadline:
            raise UnavailableError(log.read_text().strip()[-200:] or "it does not mount")
        time.sleep(0.005)


def folders(top: Path) -> tuple[Path, Path]:
    """Makes the folders of the client and of the store."""
    for name in ("client", "store"):
        (top / name).mkdir(parents=True)
    return top / "client", top / "store"


@contextmanager
def sshfs(top: Path) -> Iterator[Mount]:
    """sshfs, with OpenSSH's SFTP server at the other end of a socket: no network."""
    client, store = folders(top)
    program = next(filter(os.path.exists, SFTP_SERVERS), "sftp-server")
    with ExitStack() as stack:
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            other = theirs.fileno()
            server = subprocess.Popen(ended_with_us(program), stdin=other, stdout=other)
        stack.callback(end, server)
        options = f"passive,dcache_timeout=3600,{BELIEVED}"
        command = ("sshfs", f"localhost:{store}", str(client), "-f", "-o", options)
        stack.callback(ours.close)
        stack.enter_context(served(top, *command, stdin=ours.fileno()))
        yield Mount(client, store)


@contextmanager
def rclone(mode: str, top: Path) -> Iterator[Mount]:
    """Rclone's mount of a local folder in one of its cache modes."""
    client, store = folders(top)
    options = ("--config", os.devnull, "--cache-dir", str(top / "cache"))
    caching = ("--vfs-cache-mode", mode, "--vfs-write-back", "1ms")
    with served(top, "rclone", "mount", f":local:{store}", str(client), *options, *caching):
        yield Mount(client, store, is_late=True)


@contextmanager
def bindfs(top: Path) -> Iterator[Mount]:
    """Another view of one folder."""
    client, store = folders(top)
    with served(top, "bindfs", "-f", "-o", BELIEVED, str(store), str(client)):
        yield Mount(client, store)


@contextmanager
def mergerfs(top: Path) -> Iterator[Mount]:
    """Two folders as one; what is new goes to the first."""
    client, store = folders(top)
    (top / "second").mkdir()
    caching = "cache.attr=3600,cache.entry=3600"
    options = ("-o", f"category.create=ff,minfreespace=0,{caching}")
    with served(top, "mergerfs", "-f", *options, f"{store}:{top / 'second'}", str(client)):
        yield Mount(client, store)


@dataclass(frozen=True)
class Overlay(Mount):
    """Each fresh folder is the lower layer of an overlay of its own.

    A lower layer may not change while it is mounted.
    """

    def fresh(self, name: str) -> tuple[Path, Path]:
        """A new folder."""
        (self.store / name).mkdir()
        return self.store / name, self.store / name

    @contextmanager
    def mounted(self, folder: Path) -> Iterator[None]:
        """Mounts."""
        upper, work = self.folder / "upper", self.folder / "work"
        for layer in (upper, work):
            layer.mkdir()
        layers = f"lowerdir={folder},upperdir={upper},workdir={work}"
        run("mount", "-t", "overlay", "-o", layers, "overlay", str(folder))
        try:
            yield
        finally:
            run("umount", str(folder))
            for layer in (upper, work):
                shutil.rmtree(layer)

    def used(self) -> int:
        """How much room the upper layer has taken, in bytes."""
        fs = os.statvfs(self.folder)
        return (fs.f_blocks - fs.f_bfree) * fs.f_frsize


@contextmanager
def overlay(top: Path) -> Iterator[Overlay]:
    """An overlay whose upper layer has room for 20 MiB. Raises UnavailableError."""
    client, store = folders(top)
    run("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(client))
    try:
        yield Overlay(client, store)
    finally:
        unmount(client)


@dataclass(frozen=True)
class Misbehaving(Mount):
    """A mount of our own server, which misbehaves when it is asked to."""

    process: Optional[subprocess.Popen[bytes]] = None

    def fresh(self, name: str) -> tuple[Path, Path]:
        """A new folder. It is made in the store, as the server makes none."""
        (self.store / name).mkdir()
        return self.folder / name, self.store / name

    def behave(self, switches: Switches) -> None:
        """Has the server misbehave from now on."""
        self._order(asdict(switches))

    def waiting(self) -> int:
        """How many requests wait for an answer."""
        return self._order(None)

    def _order(self, order: object) -> int:
        assert self.process
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        return int(self.process.stdout.readline())


@contextmanager
def misbehaving(top: Path, options: tuple[str, ...] = ()) -> Iterator[Misbehaving]:
    """Mounts our own server for a ``with`` block. Raises UnavailableError."""
    client, store = folders(top)
    with server_process("support.hostile_fuse", client, store, *options) as process:
        try:
            yield Misbehaving(client, store, process=process)
        finally:
            run("umount", "--lazy", str(client))


REAL: dict[str, Callable[[Path], AbstractContextManager[Mount]]] = {
    "sshfs": sshfs,
    **{f"rclone {mode}": partial(rclone, mode) for mode in ("off", "minimal", "writes", "full")},
    "bindfs": bindfs,
    "mergerfs": mergerfs,
    "overlay": overlay,
}
OURS: dict[str, Callable[[Path], AbstractContextManager[Mount]]] = {
    "hostile": misbehaving,
    "hostile, atomic": partial(misbehaving, options=("atomic",)),
}


class FuseMounts(ExitStack):
    """The mounts of some tests, each made when it is first asked for."""

    def __init__(self, top: Path, ledger: Ledger) -> None:
        """Makes them in ``top``; ``ledger`` gets the reason for each that is missing."""
        super().__init__()
        mount_privately()
        self._top = top
        self.ledger = ledger
        self._known: dict[str, Mount | UnavailableError] = {}
        self._plain: Optional[Path] = None

    def plain(self) -> Path:
        """A folder in memory, beside the stores. Skips the test if nothing can be mounted here."""
        if self._plain is None:
            try:
                run("mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", str(self._top))
            except UnavailableError as error:
                reason = str(error).splitlines()[0]
                self.ledger.skip("all of it", reason)
                pytest.skip(f"no mounting here: {reason}")
            self.callback(unmount, self._top)
            self._plain = self._top / "plain"
            self._plain.mkdir()
        return self._plain

    def __getitem__(self, name: str) -> Mount:
        """A mount by its name. Skips the test if it cannot be had here."""
        self.plain()
        if name not in self._known:
            try:
                opened = {**REAL, **OURS}[name](self._top / name.replace(" ", "-"))
                self._known[name] = self.enter_context(opened)
            except UnavailableError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, UnavailableError):
            self.ledger.skip(name, str(found))
            pytest.skip(f"no {name}: {found}")
        return found
