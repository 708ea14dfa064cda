"""Cases on one volume. Each gets an empty folder and says what happened."""

from __future__ import annotations

import os
import shutil
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, NoReturn, Optional

import speedcopy
from speedcopy import _loader
from volunteer.checks import (
    MIB,
    NotHere,
    Places,
    Wrong,
    attributes,
    beside_shutil,
    expect,
    run,
    same_content,
    set_attribute,
    write,
)

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

#: Bytes: more than any disk writes before the copy is stopped. Src has no data, only this size.
LARGE = 4096 * MIB

#: Seconds: nothing takes longer to stop.
PATIENCE = 5


class Halt(Exception):  # noqa: N818
    """Stops a copy on purpose."""


def native(_places: Places) -> str:
    """The compiled layer is there, and its table is read."""
    if _loader.native is None:
        msg = f"no native layer: {_loader.why_not or 'none is built'}"
        raise Wrong(msg)
    return ", ".join(_loader.native.MECHANISMS)


def new_file(places: Places) -> str:
    """64 MiB to a new name, with the times of both; the umask decides about its mode."""
    folder = places.folder
    write(folder / "src", 64 * MIB)
    started = time.perf_counter()
    shutil.copyfile(folder / "src", folder / "warm")
    theirs = time.perf_counter() - started
    before = os.umask(0o27)
    try:
        return f"shutil took {theirs:.4f} s; {beside_shutil(folder)}"
    finally:
        os.umask(before)


def dressed(places: Places) -> str:
    """Src has a mode, a time, an attribute, an ACL and a lock that dst must not get."""
    src = places.folder / "src"
    write(src, 100_000)
    with suppress(NotHere):
        set_attribute(src, "speedcopy", "1")
    with suppress(NotHere):
        run("setfacl", "-m", "u:65534:r", str(src))
    with suppress(NotHere):
        run("chmod", "+a", "everyone allow read", str(src))
    src.chmod(0o4755)
    os.utime(src, (1, 1))
    chflags = getattr(os, "chflags", None)
    if chflags:
        with suppress(OSError):
            chflags(src, 2)
    try:
        return beside_shutil(places.folder)
    finally:
        if chflags:
            chflags(src, 0)


def quarantine(places: Places) -> str:
    """Src comes from the internet; dst is new, and then exists."""
    write(places.folder / "src", 100_000)
    value = "0081;00000000;Safari;"
    run("xattr", "-w", "com.apple.quarantine", value, str(places.folder / "src"))
    return f"{beside_shutil(places.folder)}; then over it: {beside_shutil(places.folder)}"


def existing(places: Places) -> str:
    """A longer dst keeps its number, its mode, its attributes and its other name."""
    src, dst = places.folder / "src", places.folder / "dst"
    write(src, 100_000)
    write(dst, 300_000)
    with suppress(NotHere):
        set_attribute(dst, "speedcopy", "mine")
    dst.chmod(0o600)
    with suppress(OSError):
        os.link(dst, places.folder / "link")
    before, had = dst.stat(), attributes(dst)
    result = speedcopy.transfer(src, dst)
    after = dst.stat()
    same_content(src, dst)
    for name in ("st_ino", "st_mode", "st_nlink"):
        expect(getattr(before, name) == getattr(after, name), f"{name} has changed; {result}")
    expect(attributes(dst) == had, f"attributes have changed; {result}")
    return str(result)


def compressed(places: Places) -> str:
    """Src is a file that the file system has compressed."""
    src, plain = places.folder / "src", places.folder / "plain"
    plain.write_bytes(b"speedcopy" * 100_000)
    if shutil.which("ditto"):
        run("ditto", "--hfsCompression", str(plain), str(src))
    else:
        src.touch()
        run("chattr", "+c", str(src))
        src.write_bytes(plain.read_bytes())
    return beside_shutil(places.folder)


def sparse(places: Places) -> str:
    """Src has a hole, and data that may not be on the disk yet."""
    with open(places.folder / "src", "wb") as made:
        made.write(os.urandom(MIB))
        made.seek(64 * MIB)
        made.write(os.urandom(MIB))
    return beside_shutil(places.folder)


def stopped(folder: Path, progress: Callable[[int, int], object]) -> str:
    """A long plain copy that something stops."""
    try:
        with open(folder / "src", "wb") as made:
            made.truncate(LARGE)
    except OSError as error:
        msg = f"no file of {LARGE} bytes: {error.strerror}"
        raise NotHere(msg) from error
    started = time.perf_counter()
    try:
        result = speedcopy.transfer(
            folder / "src", folder / "dst", progress=progress, reflink="never", sparse=False
        )
    except Halt:
        took = time.perf_counter() - started
        expect(not (folder / "dst").exists(), "dst is still there")
        expect(took < PATIENCE, f"stopped {took:.2f} s after its begin")
        return f"stopped {took:.2f} s after its begin"
    msg = f"ended before it was stopped: {result}"
    raise NotHere(msg)


def cancelled(places: Places) -> str:
    """The callback raises."""

    def stop(_copied: int, _total: int) -> NoReturn:
        raise Halt

    return stopped(places.folder, stop)


def ctrl_c(places: Places) -> str:
    """A signal arrives after 0.2 s, and its handler raises."""

    def handler(_number: int, _frame: Optional[FrameType]) -> NoReturn:
        raise Halt

    if not hasattr(signal, "setitimer"):
        msg = "no timers"
        raise NotHere(msg)
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        return stopped(places.folder, lambda _copied, _total: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
