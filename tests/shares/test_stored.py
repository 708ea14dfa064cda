"""What the server has after a copy on each mount of the lab, past the client's caches."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Callable, Optional

import pytest
from shares.states import BEFORES
from support.failure import Failure
from support.lab_mounts import (
    ALL,
    ASKING,
    LOCAL,
    MOUNTED,
    NO_LAB,
    REMOTE,
    ROWS,
    Share,
    fresh,
    on,
    read_only,
)
from support.large_files import assert_large, make_large, noise
from support.layout import make_dst, pattern
from support.sizes import GIB, KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)


@on(*ALL)
def test_read_only(share: Share) -> None:
    """A read-only share raises what shutil raises, for a new dst and an old one."""
    for name in ("src", "dst"):
        (share / name).write_bytes(pattern(100, name))
    with read_only(share.folder):
        for dst in ("new", "dst"):
            theirs = refusal(lambda: shutil.copyfile(share / "src", share / dst))  # noqa: B023
            ours = refusal(lambda: speedcopy.copyfile(share / "src", share / dst))  # noqa: B023
            assert ours == theirs
            assert ours
            assert ours.errno == errno.EROFS
    assert share.stored() == pattern(100, "dst")


NAMES = (
    *("a:b", "a*", "a?", "a<b", "a>b", "a|b", 'a"b', "a\\b", "a.", "a ", " a", "~a"),
    *("u\u0308", "\U0001f600", "\udcff", "\x01", "x" * 255, "x" * 256, "é" * 127 + "x", "日" * 85),
)


def refusal(call: Callable[[], object]) -> Optional[Failure]:
    """The error of a call; None if it works."""
    try:
        call()
    except OSError as error:
        return Failure.of(error)
    return None


@on("EXT4", "BTRFS", "SMB_XFS", "SMB1", "SMB_KSMBD", "NFS42")
def test_names(share: Share) -> None:
    """A name that SMB has to spell another way, as dst and as src."""
    different = {}
    for name in NAMES:
        (share / "src").write_bytes(pattern(3000))
        theirs = refusal(lambda: shutil.copyfile(share / "src", share / name))  # noqa: B023
        if theirs is None:
            os.unlink(share / name)
        ours = refusal(lambda: speedcopy.copyfile(share / "src", share / name))  # noqa: B023
        if ours != theirs:
            different[name] = ours, theirs
        elif ours is None:
            (stored,) = (found for found in share.names() if found != "src")
            assert (name, share.stored(stored)) == (name, pattern(3000))
            speedcopy.copyfile(share / name, share / "src")
            assert (name, share.stored("src")) == (name, pattern(3000))
            os.unlink(share / name)
    assert not different


@on(*ALL)
@pytest.mark.parametrize("size", [0, 1000, MIB, MIB + 1])
def test_stored(size: int, share: Share) -> None:
    """Dst is new, empty, shorter, as long, or longer: the server ends up with src, no more."""
    (share / "src").write_bytes(pattern(size))
    for before in BEFORES:
        make_dst(share.folder, before)
        told = speedcopy.transfer(share / "src", share / "dst")
        assert (before, told.copied) == (before, size)
        assert share.stored() == pattern(size)
        assert (share / "dst").read_bytes() == pattern(size)


@on(*ALL)
def test_over_and_over(share: Share) -> None:
    """A dst that is overwritten several times has each content on the server."""
    for size in (1000, 70_000, 10, MIB, 0, 5, 3 * MIB):
        (share / "src").write_bytes(noise(size, size % 7))
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == noise(size, size % 7)


@on(*ALL)
@pytest.mark.parametrize("by_server", [False, True], ids=["client", "server"])
def test_dst_open_elsewhere(share: Share, *, by_server: bool) -> None:
    """Another process, or a program on the server, has dst open, and sees the new content."""
    seen = seen_by_holder(share, speedcopy.copyfile, by_server=by_server)
    if seen != pattern(MIB + 7):  # SMB 1: a client that has dst open keeps to the size it knew
        assert seen == seen_by_holder(share, shutil.copyfile, by_server=by_server)


def seen_by_holder(share: Share, copy: Callable[[Path, Path], object], *, by_server: bool) -> bytes:
    """What a process reads that has had dst open during a copy."""
    (share / "src").write_bytes(pattern(MIB + 7))
    (share / "dst").write_bytes(pattern(3 * MIB, "dst"))
    held = (share.disk if by_server else share.folder) / "dst"
    with held.open("rb", buffering=0) as opened:
        holder = subprocess.Popen(["sleep", "600"], stdin=opened)
    try:
        copy(share / "src", share / "dst")
        assert share.stored() == pattern(MIB + 7)
        # its own descriptor, from the start
        read = ["dd", f"if=/proc/{holder.pid}/fd/0", "bs=1M", "status=none"]
        return subprocess.run(read, capture_output=True, check=True).stdout
    finally:
        holder.kill()
        holder.wait()


@on(*ALL)
def test_dirty_src(share: Share) -> None:
    """Data that this client has not written back yet is copied; src stays open for writing."""
    with (share / "src").open("wb") as src:
        src.write(noise(2 * MIB + 5, 1))
        src.flush()
        os.fsync(src.fileno())
        src.seek(0)
        src.write(pattern(2 * MIB + 5))
        src.flush()
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == pattern(2 * MIB + 5)
        src.write(noise(MIB, 2))
        src.flush()
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == pattern(2 * MIB + 5) + noise(MIB, 2)


@on(*ALL)
def test_just_written(share: Share) -> None:
    """Src was written by another process an instant ago, and then by it again."""
    for size in (MIB + 3, 900, 2 * MIB):
        data = noise(size, size % 7)
        subprocess.run(["dd", f"of={share / 'src'}", "status=none"], input=data, check=True)
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == data


@on(*ASKING)
@pytest.mark.parametrize("size", [200, 3 * MIB])
def test_written_on_server(size: int, share: Share) -> None:
    """Another client has changed src and dst since this one has read and copied them."""
    for name in ("src", "dst"):
        (share / name).write_bytes(pattern(MIB, name))
        assert (share / name).read_bytes() == pattern(MIB, name)
    (share.disk / "src").write_bytes(noise(size, 1))
    (share.disk / "dst").write_bytes(noise(4 * MIB, 2))
    share.forget()
    speedcopy.copyfile(share / "src", share / "dst")
    is_src = share.stored() == noise(size, 1)  # to spell out the difference would take an hour
    assert is_src


@on(*LOCAL, *ASKING)
def test_sequence(share: Share) -> None:
    """Eight threads copy the 64 pictures of a sequence to another folder, twice."""
    sizes = [20 * KIB + 977 * number for number in range(64)]
    for folder in ("from", "to"):
        (share / folder).mkdir()
    names = [f"shot.{number:04}.exr" for number in range(len(sizes))]
    for turn in (0, 1):
        for number, name in enumerate(names):
            (share.disk / "from" / name).write_bytes(noise(sizes[number], turn + number))
        if turn and share.disk != share.folder:
            share.forget()

        def copy(name: str) -> Path:
            return speedcopy.copyfile(share / "from" / name, share / "to" / name)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(copy, names)) == [share / "to" / name for name in names]
        for number, name in enumerate(names):
            assert share.stored(f"to/{name}") == noise(sizes[number], turn + number), name


@on(*(row.name for row in ROWS.values() if row.is_local or row.best != "client"))
@pytest.mark.parametrize("near", [16 * MIB, 256 * MIB], ids=["16 MiB", "256 chunks"])
def test_chunks(near: int, share: Share) -> None:
    """Sizes around the limit of one request, and of a copy in 256 chunks."""
    if near > 200 * MIB and share.name == "TMPFS":
        pytest.skip("the guest has not the memory")
    for number, size in enumerate((near - 1, near, near + 1)):
        src, dst = f"src{number}", f"dst{number}"
        make_large(share.disk / src, size)
        if number:
            make_large(share.disk / dst, size + 9 * MIB * (-1) ** number)
        told = speedcopy.transfer(share / src, share / dst)
        assert told.copied == size
        assert_large(share.disk / dst, size)


@on(*REMOTE)
def test_close_has_little_to_wait_for(share: Share) -> None:
    """At most two rounds are not written back before close, which nothing can interrupt."""
    size, two_rounds = 64 * MIB, 32 * MIB
    held_back = []

    def progress(copied: int, _total: int) -> None:
        held_back.append(copied - (share.disk / "dst").stat().st_size)

    content = noise(size)
    with fresh("TMPFS") as local:
        (local / "src").write_bytes(content)
        speedcopy.copyfile(local / "src", share / "dst", progress=progress)
    assert max(held_back) <= two_rounds
    assert share.stored() == content


@on("XFS", "SMB_XFS", "NFS42")
def test_4_gib(share: Share) -> None:
    """No length is cut to 32 bits."""
    size = 4 * GIB + 5
    make_large(share.disk / "src", size)
    told = speedcopy.transfer(share / "src", share / "dst")
    assert told.copied == size
    assert_large(share.disk / "dst", size)
