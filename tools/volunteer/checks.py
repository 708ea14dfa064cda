"""What the cases have in common: files, programs of the system, a comparison with shutil."""

from __future__ import annotations

import filecmp
import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Optional

import speedcopy
from speedcopy._probe import places

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20

#: Seconds: the time of a file that has just been written is no older.
RECENT = 3600


@dataclass(frozen=True)
class Places:
    """Where to copy: an empty folder for each case, and two folders that the volunteer names."""

    folder: Path
    other: Optional[Path] = None
    share: Optional[Path] = None


class NotHere(Exception):  # noqa: N818
    """This machine cannot do what the case needs."""


class Wrong(Exception):  # noqa: N818
    """The outcome is not what it should be."""


def expect(outcome: bool, otherwise: str) -> None:
    """Raises Wrong."""
    if not outcome:
        raise Wrong(otherwise)


def same_content(one: Path, other: Path) -> None:
    """Raises Wrong unless both files are the same, byte for byte."""
    expect(filecmp.cmp(one, other, shallow=False), f"{other.name} has other content")


def write(path: Path, size: int) -> None:
    """Makes a file of bytes that differ from block to block."""
    block = os.urandom(MIB)
    with open(path, "wb") as made:
        made.writelines(block[:left] for left in range(size, 0, -MIB))


def run(*command: str) -> str:
    """What a program of the system prints."""
    if not shutil.which(command[0]):
        msg = f"no program {command[0]}"
        raise NotHere(msg)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"{command[0]}: " + (done.stderr.strip().splitlines() or ["failed"])[-1])
    return done.stdout


def set_attribute(path: Path, name: str, value: str) -> None:
    """Sets an extended attribute, which is a named stream on a share."""
    if hasattr(os, "setxattr"):
        try:
            os.setxattr(path, f"user.{name}", value.encode())
        except OSError as error:
            msg = f"no extended attributes: {error.strerror}"
            raise NotHere(msg) from error
    else:
        run("xattr", "-w", name, value, str(path))


def attributes(path: Path) -> str:
    """The extended attributes of a file, as the system's own program lists them."""
    if hasattr(os, "listxattr"):
        return str(sorted((name, os.getxattr(path, name)) for name in os.listxattr(path)))
    return run("xattr", "-l", str(path))


def seen(path: Path) -> tuple[object, ...]:
    """What a plain copy decides: mode, flags, attributes, and whether the time is a new one."""
    st = path.stat()
    is_new = abs(time.time() - st.st_mtime) < RECENT
    return oct(st.st_mode), getattr(st, "st_flags", 0), attributes(path), is_new


def compare(ours: Path, theirs: Path, result: object) -> None:
    """Raises Wrong unless two copies have the same mode, flags, attributes and age."""
    expect(seen(ours) == seen(theirs), f"ours {seen(ours)}, shutil's {seen(theirs)}; {result}")


def beside_shutil(folder: Path) -> str:
    """Copies src by both, and compares all that can be seen of the results."""
    shutil.copyfile(folder / "src", folder / "theirs")
    result = speedcopy.transfer(folder / "src", folder / "ours")
    same_content(folder / "src", folder / "ours")
    compare(folder / "ours", folder / "theirs", result)
    return f"as shutil; {result}"


def file_system(folder: Path) -> str:
    """The system's name for what a folder lies on."""
    known = places.place(str(folder)).file_system
    if known:
        return known
    here, kind = os.path.realpath(folder), ""
    mounts = re.findall(r" on (/.*?) \((\w+)", run("mount"))
    for point, name in sorted(mounts, key=lambda mount: len(mount[0])):
        if os.path.commonpath([point, here]) == point:
            kind = name
    return kind or "unknown"
