"""What is tried. Each case gets an empty folder and says what happened."""

from __future__ import annotations

import filecmp
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, NoReturn, Optional

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

MIB = 1 << 20

#: Large enough that a plain copy takes longer than a callback waits.
LARGE = 1024 * MIB


#: Seconds: the time of a file that has just been written is no older.
RECENT = 3600


class Skip(Exception):  # noqa: N818
    """This machine cannot do what the case needs."""


class Different(Exception):  # noqa: N818
    """The outcome is not what it should be."""


def expect(outcome: bool, otherwise: str) -> None:
    """Raises Different."""
    if not outcome:
        raise Different(otherwise)


def same_content(one: Path, other: Path) -> None:
    """Raises Different unless both files are the same, byte for byte."""
    expect(filecmp.cmp(one, other, shallow=False), f"{other.name} has other content")


def write(path: Path, size: int) -> None:
    """Makes a file of bytes that differ from block to block."""
    block = os.urandom(MIB)
    with open(path, "wb") as made:
        made.writelines(block[:left] for left in range(size, 0, -MIB))


def run(*command: str) -> str:
    """What a program of the system prints."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Skip(repr(error)) from error


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


def beside_shutil(folder: Path) -> str:
    """Copies src by both, and compares all that can be seen of the results."""
    shutil.copyfile(folder / "src", folder / "theirs")
    result = speedcopy.transfer(folder / "src", folder / "ours")
    same_content(folder / "src", folder / "ours")
    ours, theirs = seen(folder / "ours"), seen(folder / "theirs")
    expect(ours == theirs, f"ours {ours}, shutil's {theirs}; {result}")
    return f"as shutil; {result}"


def new_file(folder: Path) -> str:
    """64 MiB to a new name, with the times of both."""
    write(folder / "src", 64 * MIB)
    started = time.perf_counter()
    shutil.copyfile(folder / "src", folder / "warm")
    theirs = time.perf_counter() - started
    return f"shutil took {theirs:.4f} s; {beside_shutil(folder)}"


def dressed(folder: Path) -> str:
    """Src has a mode, an attribute and a time that dst must not get."""
    write(folder / "src", 100_000)
    with suppress(OSError, Skip):
        if hasattr(os, "setxattr"):
            os.setxattr(folder / "src", "user.speedcopy", b"1")
        else:
            run("xattr", "-w", "speedcopy", "1", str(folder / "src"))
    with suppress(Skip):
        run("chmod", "+a", "everyone allow read", str(folder / "src"))
    (folder / "src").chmod(0o4755)
    os.utime(folder / "src", (1, 1))
    return beside_shutil(folder)


def locked(folder: Path) -> str:
    """Src cannot be changed by its owner."""
    chflags = getattr(os, "chflags", None)
    if not chflags:
        msg = "no chflags"
        raise Skip(msg)
    write(folder / "src", 100_000)
    chflags(folder / "src", 2)
    try:
        return beside_shutil(folder)
    finally:
        chflags(folder / "src", 0)


def quarantine(folder: Path) -> str:
    """Src comes from the internet; dst is new, and then exists."""
    write(folder / "src", 100_000)
    value = "0081;00000000;Safari;"
    run("xattr", "-w", "com.apple.quarantine", value, str(folder / "src"))
    return f"{beside_shutil(folder)}; then over it: {beside_shutil(folder)}"


def existing(folder: Path) -> str:
    """A longer dst keeps its number, its mode and its other name."""
    write(folder / "src", 100_000)
    write(folder / "dst", 300_000)
    (folder / "dst").chmod(0o600)
    with suppress(OSError):
        os.link(folder / "dst", folder / "link")
    before = (folder / "dst").stat()
    result = speedcopy.transfer(folder / "src", folder / "dst")
    after = (folder / "dst").stat()
    same_content(folder / "src", folder / "dst")
    for name in ("st_ino", "st_mode", "st_nlink"):
        expect(getattr(before, name) == getattr(after, name), f"{name} has changed")
    return str(result)


def compressed(folder: Path) -> str:
    """Src is a file that macOS has compressed."""
    (folder / "plain").write_bytes(b"speedcopy" * 100_000)
    run("ditto", "--hfsCompression", str(folder / "plain"), str(folder / "src"))
    return beside_shutil(folder)


def sparse(folder: Path) -> str:
    """Src has a hole, and data that may not be on the disk yet."""
    with open(folder / "src", "wb") as made:
        made.write(os.urandom(MIB))
        made.seek(64 * MIB)
        made.write(os.urandom(MIB))
    return beside_shutil(folder)


def timed(folder: Path, stop: Callable[[int, int], object]) -> str:
    """A long plain copy that something stops."""
    write(folder / "src", LARGE)
    started = time.perf_counter()
    try:
        speedcopy.transfer(folder / "src", folder / "dst", progress=stop, reflink="never")
    except KeyboardInterrupt:
        expect(not (folder / "dst").exists(), "dst is still there")
        return f"stopped {time.perf_counter() - started:.2f} s after its begin"
    return "was faster than the signal"


def cancelled(folder: Path) -> str:
    """The callback raises."""

    def stop(_copied: int, _total: int) -> NoReturn:
        raise KeyboardInterrupt

    return timed(folder, stop)


def ctrl_c(folder: Path) -> str:
    """A signal arrives after 0.2 s."""

    def handler(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise KeyboardInterrupt

    if not hasattr(signal, "setitimer"):
        msg = "no timers"
        raise Skip(msg)
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        return timed(folder, lambda _copied, _total: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


CASES = (new_file, dressed, locked, quarantine, existing, compressed, sparse, cancelled, ctrl_c)
