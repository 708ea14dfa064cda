"""File systems of all kinds, made and mounted for the tests where the machine allows it."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import pytest
from support.sizes import MIB

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Kind:
    """How a file system is made, and what it can.

    ``make`` is the program that makes it in a file of ``size`` bytes; without one it needs no
    file. ``options`` are mount's.
    """

    make: tuple[str, ...] = ()
    size: int = 0
    options: tuple[str, ...] = ()
    clones: bool = False
    holes: bool = True


KINDS = {
    "btrfs": Kind(("mkfs.btrfs", "-q"), 400 * MIB, ("-o", "loop"), clones=True),
    "xfs": Kind(("mkfs.xfs", "-q", "-m", "reflink=1"), 400 * MIB, ("-o", "loop"), clones=True),
    "xfs without reflink": Kind(("mkfs.xfs", "-q", "-m", "reflink=0"), 400 * MIB, ("-o", "loop")),
    "ext4 of 1 KiB blocks": Kind(
        ("mkfs.ext4", "-q", "-F", "-b", "1024"), 120 * MIB, ("-o", "loop")
    ),
    "vfat": Kind(("mkfs.vfat",), 120 * MIB, ("-o", "loop"), holes=False),
    "tmpfs": Kind(options=("-t", "tmpfs", "-o", "size=120m")),
    "overlay": Kind(options=("-t", "overlay"), holes=False),
    "host": Kind(holes=False),
}
CLONING = [name for name, kind in KINDS.items() if kind.clones]


class UnavailableError(Exception):
    """This machine has no such file system, or does not let us mount it."""


def run(*command: str) -> None:
    """Runs a program.

    Raises UnavailableError if it is not installed or fails.
    """
    if not shutil.which(command[0]):
        msg = f"no {command[0]} here"
        raise UnavailableError(msg)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        msg = f"{' '.join(command[:3])}: {done.stderr.strip()}"
        raise UnavailableError(msg)


def unmount(folder: Path) -> None:
    """Unmounts. If a file there is still open, the loop device is detached once it is closed."""
    try:
        run("umount", str(folder))
    except UnavailableError:
        run("umount", "--lazy", str(folder))


@contextmanager
def mounted(name: str, folder: Path) -> Iterator[Path]:
    """Makes and mounts a file system for a ``with`` block.

    Raises UnavailableError.
    """
    kind = KINDS[name]
    inside, image = folder / "mounted", folder / "image"
    inside.mkdir(parents=True)
    try:
        if kind.make:
            with image.open("wb") as new:
                new.truncate(kind.size)
            run(*kind.make, str(image))
        if name == "overlay":
            layers = {layer: folder / layer for layer in ("lowerdir", "upperdir", "workdir")}
            for layer in layers.values():
                layer.mkdir()
            joined = ",".join(f"{layer}={path}" for layer, path in layers.items())
            run("mount", *kind.options, "-o", joined, "overlay", str(inside))
        elif kind.options:
            run("mount", *kind.options, str(image) if kind.make else "none", str(inside))
        try:
            yield inside
        finally:
            if kind.options:
                unmount(inside)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def mount_privately() -> None:
    """Makes later mounts private to this process, so that they vanish when it ends."""
    clone_newns = 0x00020000
    try:
        import ctypes  # a small CPython may have been built without it

        if ctypes.CDLL(None).unshare(clone_newns) == 0:
            run("mount", "--make-rprivate", "/")
    except (AttributeError, ImportError, OSError, TypeError, UnavailableError):
        return  # they are unmounted in time if nobody kills the process


class Mounts:
    """The file systems of one test run, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        """Makes them in ``folder``."""
        mount_privately()
        self._folder = folder
        self._stack = ExitStack()
        self._known: dict[str, Path | UnavailableError] = {}

    def __getitem__(self, name: str) -> Path:
        """A file system of a kind. Skips the test if it cannot be made or mounted here."""
        if name not in self._known:
            try:
                context = mounted(name, self._folder / name.replace(" ", "-"))
                self._known[name] = self._stack.enter_context(context)
            except UnavailableError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, UnavailableError):
            pytest.skip(f"no {name}: {found}")
        return found

    def close(self) -> None:
        """Unmounts everything."""
        self._stack.close()


class Extent(NamedTuple):
    """One extent of a file, in bytes."""

    logical: int
    physical: int
    length: int
    shared: bool


def extents(path: Path) -> list[Extent]:
    """The extents of a file, after it has been flushed: ioctl_fiemap(2)."""
    fcntl: Any = pytest.importorskip("fcntl", reason="no ioctl here")
    fs_ioc_fiemap, sync, shared, count = 0xC020660B, 1, 0x2000, 256
    head, row = struct.Struct("=QQLLLL"), struct.Struct("=QQQQQLLLL")
    buffer = bytearray(head.size + count * row.size)
    head.pack_into(buffer, 0, 0, 2**64 - 1, sync, 0, count, 0)
    with path.open("rb") as opened:
        try:
            fcntl.ioctl(opened.fileno(), fs_ioc_fiemap, buffer)
        except OSError as error:
            pytest.skip(f"no extents here: {error}")
    found = head.unpack_from(buffer)[3]
    rows = (row.unpack_from(buffer, head.size + index * row.size) for index in range(found))
    return [Extent(one[0], one[1], one[2], bool(one[5] & shared)) for one in rows]


def loop_device(image: Path, stack: ExitStack) -> str:
    """A block device of the bytes of a file, until the stack is closed."""
    try:
        run("losetup", "--version")
        command = ["losetup", "--find", "--show", str(image)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (UnavailableError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no loop devices here: {error}")
    device: Optional[str] = done.stdout.strip()
    assert device
    stack.callback(run, "losetup", "--detach", device)
    return os.fspath(device)
