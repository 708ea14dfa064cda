"""Cases on another volume and on a share, in folders of their own there."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import speedcopy
from volunteer.checks import (
    MIB,
    NotHere,
    Places,
    beside_shutil,
    compare,
    file_system,
    same_content,
    set_attribute,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "speedcopy-report-"

#: Where another volume may be.
LIKELY = ("/dev/shm", tempfile.gettempdir(), os.path.expanduser("~"), "/var/tmp")  # noqa: S108

#: bsd/sys/attr.h: what a volume can do.
COPYFILE, CLONE = 0x20, 0x10000

#: The variable is read when the package is imported.
COPY = "import sys, speedcopy; print(speedcopy.transfer(*sys.argv[1:]))"


@contextmanager
def folder_in(parent: Optional[Path], option: str) -> Iterator[Path]:
    """A fresh folder."""
    if parent is None:
        msg = f"name a folder there with {option}"
        raise NotHere(msg)
    with tempfile.TemporaryDirectory(dir=parent, prefix=PREFIX) as made:
        yield Path(made)


def another(places: Places) -> Optional[Path]:
    """A folder on another volume."""
    here = places.folder.stat().st_dev
    for name in (places.other, *LIKELY):
        if name and os.access(name, os.W_OK) and os.stat(name).st_dev != here:
            return Path(name)
    return places.other


def other_volume(places: Places) -> str:
    """Src is here, dst is there."""
    with folder_in(another(places), "--other") as there:
        write(places.folder / "src", 10 * MIB)
        result = speedcopy.transfer(places.folder / "src", there / "dst")
        same_content(places.folder / "src", there / "dst")
        same = places.folder.stat().st_dev == there.stat().st_dev
        kinds = f"{file_system(places.folder)} to {file_system(there)}"
    return f"{kinds}{', one volume' if same else ''}; {result}"


def capabilities(folder: Path) -> str:
    """What a volume of macOS announces: getattrlist(2)."""
    if sys.platform != "darwin":
        return ""
    wanted = ctypes.create_string_buffer(struct.pack("<HHIIIII", 5, 0, 0, 0x80020000, 0, 0, 0))
    found = ctypes.create_string_buffer(36)
    library = ctypes.CDLL(None, use_errno=True)
    if library.getattrlist(os.fsencode(folder), wanted, found, 36, 0):
        return f"getattrlist: {os.strerror(ctypes.get_errno())}"
    _, _, interfaces, *_ = struct.unpack("<9I", found.raw[:36])
    has = [name for name, bit in (("copyfile", COPYFILE), ("clone", CLONE)) if interfaces & bit]
    return f"the volume announces {' and '.join(has) or 'neither copyfile nor clone'}; "


@contextmanager
def folder_on_smb(places: Places) -> Iterator[Path]:
    """A fresh folder on a share."""
    with folder_in(places.share, "--share") as there:
        kind = file_system(there)
        if kind not in ("smbfs", "cifs", "smb3"):
            msg = f"{kind} is no SMB"
            raise NotHere(msg)
        yield there


def share(places: Places) -> str:
    """What the share can, and a copy on it. The server's name is nobody's business."""
    with folder_on_smb(places) as there:
        found = speedcopy.probe(there)
        answers = ", ".join(f"{each.name} {each.errno or each.answer}" for each in found.mechanisms)
        write(there / "src", 10 * MIB)
        copied = beside_shutil(there)
        protocol = found.dst.protocol or "SMB"
        return f"{protocol}; {capabilities(there)}{answers}; {copied}"


def server_copy(places: Places) -> str:
    """The server copies a file with a stream and an old time, if it is asked to."""
    with folder_on_smb(places) as there:
        src, dst = there / "src", there / "dst"
        write(src, 64 * MIB)
        with suppress(NotHere):
            set_attribute(src, "speedcopy", "1")
        os.utime(src, (1, 1))
        started = time.perf_counter()
        shutil.copyfile(src, there / "theirs")
        theirs = time.perf_counter() - started
        environment = {**os.environ, "SPEEDCOPY_MACOS_SERVER_COPY": "1"}
        done = subprocess.run(
            [sys.executable, "-c", COPY, str(src), str(dst)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        same_content(src, dst)
        compare(dst, there / "theirs", done.stdout.strip())
        return f"shutil took {theirs:.2f} s; {done.stdout.strip()}"
