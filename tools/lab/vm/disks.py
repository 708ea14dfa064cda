"""File systems in sparse image files: mounted here for smbd, or handed to the guest."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
from typing import TYPE_CHECKING

from common.programs import output

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Sparse: it takes only the space that is used. Room for a file of more than 4 GiB and its copy.
IMAGE_SIZE = 16 << 30

MAKE = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "xfs": ["mkfs.xfs", "-q", "-m", "reflink=1"],
    "btrfs": ["mkfs.btrfs", "-q"],
}

CLONE_NEWNS = 0x00020000


def make_image(file_system: str, image: Path) -> None:
    """An empty file system in a new file."""
    with image.open("wb") as stream:
        os.truncate(stream.fileno(), IMAGE_SIZE)
    output([*MAKE[file_system], str(image)])


@contextlib.contextmanager
def loop_mount(image: Path, directory: Path) -> Iterator[None]:
    """Mount an image; unmounting it frees the loop device."""
    with mounted(["-o", "loop", str(image)], directory):
        yield


@contextlib.contextmanager
def mounted(arguments: list[str], directory: Path) -> Iterator[None]:
    """Mount something on a directory, and unmount it; the directory may be made for it."""
    made = not directory.exists()
    directory.mkdir(parents=True, exist_ok=True)
    output(["mount", *arguments, str(directory)])
    try:
        yield
    finally:
        subprocess.run(["umount", "--recursive", str(directory)], check=False)
        if made:
            directory.rmdir()


def private_mounts() -> None:
    """Mount where only this process and its children see it.

    So nothing stays mounted even if the lab is killed. (os.unshare came with Python 3.12.)
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        message = f"no private mount namespace: {os.strerror(ctypes.get_errno())}"
        raise LabError(message)
    output(["mount", "--make-rprivate", "/"])
