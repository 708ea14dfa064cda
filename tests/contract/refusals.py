"""The part of the contract about permissions, limits, full disks and system files.

Here ours is meant to differ from shutil in some cases. Each has a promise with the reason.
"""

from __future__ import annotations

import dataclasses
import errno
import os
import shutil
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest
from contract.crossed import STATES
from contract.outcome import Case, Outcome, Promise
from support.failure import Failure
from support.layout import (
    attribute,
    deep,
    directory,
    fifo,
    file,
    hardlink,
    open_to_all,
    present,
    running,
    symlink,
    tmpfs,
)
from support.process_limits import all_of, descriptors_left, limit, unprivileged
from support.sizes import KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from contextlib import ExitStack

    from support.layout import Step


def failing_midway(src: str = "src", dst: str = "dst", *, gone: str = "") -> Promise:
    """The error has both names, and a new dst (``gone``) is removed."""

    def of(theirs: Outcome) -> Outcome:
        assert theirs.failure
        code, words = theirs.failure.errno, theirs.failure.strerror
        failure = Failure.of(OSError(code, words, src, None, dst))
        tree = dict(theirs.tree)
        if gone:
            del tree[os.path.join(".", gone)]
        return dataclasses.replace(theirs, failure=failure, tree=tree)

    why = "shutil leaves half of a new file" if gone else "shutil does not always tell both names"
    return Promise(why, of)


def copied() -> Promise:
    """The copy succeeds, as src is within the limit."""

    def of(theirs: Outcome) -> Outcome:
        assert theirs.failure
        assert theirs.failure.errno == errno.EFBIG
        src, dst = os.path.join(".", "src"), os.path.join(".", "dst")
        tree = {**theirs.tree, dst: dataclasses.replace(theirs.tree[src], touched=True)}
        written = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        opened = [("src", "r", os.O_RDONLY), ("dst", "w", written)]
        events = [repr(("open", *names, flags | os.O_CLOEXEC)) for *names, flags in opened]
        return Outcome("dst", None, tree, (*theirs.audited, *events))

    return Promise("shutil asks copy_file_range for more than there is", of)


def not_read(device: str) -> Promise:
    """A character device as src is refused like a named pipe."""

    def of(nothing: Outcome) -> Outcome:
        failure = Failure(shutil.SpecialFileError, f"`{device}` is a character device")
        failure = dataclasses.replace(failure, args=(failure.text,))
        return Outcome("nothing", failure, nothing.tree, ("src, dst",))

    return Promise("shutil reads it for ever, until the disk is full", of, runs_shutil=False)


def rights() -> list[Case]:
    """What the system forbids."""
    mine: dict[str, tuple[Step, ...]] = {
        "unreadable src": (file("src", 9, 0),),
        "unreadable src over unwritable dst": (file("src", 9, 0), file("dst", 9, 0o444)),
        "unreadable src over itself": (file("src", 9, 0), hardlink("dst", "src")),
        "unreadable src over fifo": (file("src", 9, 0), fifo("dst")),
        "read-only src": (file("src", 9, 0o444), open_to_all),
        "read-only dst": (file("src"), file("dst", 9, 0o444)),
        "write-only dst": (file("src"), file("dst", 90, 0o222)),
        "unreadable fifo": (fifo("src"), partial(lambda _: os.chmod("src", 0))),
    }
    cases = [
        Case(f"unprivileged {name}", layout, around=unprivileged) for name, layout in mine.items()
    ]
    inside: dict[str, tuple[Step, ...]] = {
        "unwritable folder": (file("src"), directory("sub", 0o555)),
        "unsearchable folder": (file("src"), directory("sub", 0)),
    }
    cases += [
        Case(f"unprivileged {name}", layout, dst="sub/dst", around=unprivileged)
        for name, layout in inside.items()
    ]
    cases += [
        Case(f"chattr +{letter} {name}", (*layout, attribute(name, letter)))
        for letter in "ia"
        for name, layout in (("dst", (file("src"), file("dst"))), ("src", (file("src"),)))
    ]
    cases.append(Case("over a program that runs", (file("src"), running("dst"))))
    return cases


def written_here(_: ExitStack) -> None:
    """Skips the test where the file server writes: limits of this process do not bind it."""
    with open("probe", "wb") as new:
        new.write(b"probe")
    with limit("RLIMIT_FSIZE", 1), suppress(OSError):
        speedcopy.copyfile("probe", "probed", follow_symlinks=False)
    os.unlink("probe")
    if os.path.exists("probed"):
        os.unlink("probed")
        pytest.skip("no limit on what the server writes here")


def limits() -> list[Case]:
    """What runs out."""
    small = partial(limit, "RLIMIT_FSIZE", 4096)
    nobody = partial(all_of, unprivileged, small)
    half = failing_midway(gone="dst")
    asks_for_more = getattr(shutil, "_USE_CP_COPY_FILE_RANGE", False)  # Python 3.14 and later
    cases = [
        Case("no descriptor left", (file("src"),), around=partial(descriptors_left, 0)),
        Case("one descriptor left", (file("src"),), around=partial(descriptors_left, 1)),
        Case("one left over", (file("src"), file("dst")), around=partial(descriptors_left, 1)),
        Case(
            "file size limit kept",
            (file("src", 4096),),
            around=small,
            promise=copied() if asks_for_more else None,
        ),
        Case(
            "file size limit, unprivileged",
            (written_here, file("src", MIB), open_to_all),
            around=nobody,
            promise=half,
        ),
    ]
    cases += [
        Case(
            f"file size limit {size} {on}",
            (written_here, *steps, file("src", size)),
            around=small,
            promise=told,
        )
        for size in (4097, 100_000, 3 * MIB)
        for on, steps, told in (
            ("new", (), half),
            ("deep", (deep,), half),
            ("dangling link", (symlink("dst", "d"),), failing_midway()),
            ("link", (file("d", 99), symlink("dst", "d")), failing_midway()),
            ("over shorter", (file("dst", 99),), failing_midway()),
            ("over equal", (file("dst", size),), failing_midway()),
            ("over longer", (file("dst", 4 * MIB),), failing_midway()),
        )
    ]
    cases += [
        Case(
            f"full disk {size}",
            (file("src", size), tmpfs("full", "64k")),
            dst="full/dst",
            promise=failing_midway(dst="full/dst", gone="full/dst"),
        )
        for size in (64 * KIB + 1, 200_000, 3 * MIB)
    ]
    return cases


def system_files() -> list[Case]:
    """Devices, and files that are not on a disk."""
    procfs = ("/proc/version", "/proc/filesystems", "/proc/self/cmdline", "/proc/sys/kernel/ostype")
    sysfs = ("/sys/kernel/notes", "/sys/kernel/mm/transparent_hugepage/enabled")
    cases = [
        Case(f"{path} {state}", (present(path), *STATES[state](5000)), src=path)
        for path in (*procfs, *sysfs, "/dev/null")
        for state in ("new", "over longer")
    ]
    cases += [
        Case(f"{size} to {path}", (present(path), file("src", size)), dst=path)
        for path in ("/dev/null", "/dev/zero")
        for size in (0, 9, 3 * MIB)
    ]
    cases += [
        Case(
            f"{size} to /dev/full",
            (present("/dev/full"), file("src", size)),
            dst="/dev/full",
            promise=failing_midway(dst="/dev/full"),
        )
        for size in (9, 3 * MIB)
    ]
    cases += [
        Case(
            f"{path} {state}",
            (present(path), *STATES[state](9)),
            src=path,
            around=partial(limit, "RLIMIT_FSIZE", MIB),  # a copy that reads it must not fill disks
            promise=not_read(path),
        )
        for path in ("/dev/zero", "/dev/full", "/dev/urandom")
        for state in ("new", "over equal")
    ]
    unreadable = "/proc/self/mem"
    half = failing_midway(unreadable, gone="dst")
    cases.append(Case("reading fails", (present(unreadable),), src=unreadable, promise=half))
    cases += [
        Case(f"{path} to {what}", (present(path), *layout), path, dst)
        for path in ("/dev/null", "/dev/zero")
        for what, dst, layout in (("itself", path, ()), ("fifo", "dst", (fifo("dst"),)))
    ]
    return cases


REFUSALS = [*rights(), *limits(), *system_files()]
