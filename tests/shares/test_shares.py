"""Every mount of the lab: shares of real servers, and the local file systems beside them.

What a copy came to is read on the server's own disk, not through the client that made it.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from contract.outcome import BEFORE
from support.lab_mounts import (
    ALL,
    CLONING,
    FORGET,
    GIB,
    KIB,
    LOCAL,
    MIB,
    MOUNTED,
    NFS,
    NO_LAB,
    SERVER_SIDE,
    SMB,
    TRUSTING,
    Share,
    assert_large,
    descriptors_below,
    filled,
    fresh,
    make_large,
    noise,
    on,
    read_only,
    restart,
    root,
)
from support.layout import pattern

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

REMOTE = (*SMB, *NFS)
FICLONE, COPYCHUNK = "FICLONE", "CIFS_IOC_COPYCHUNK_FILE"


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """No test may leave a descriptor of a mount open."""
    yield
    assert not descriptors_below(*(str(root(name)) for name in MOUNTED))


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Iterator[Share]:
    """A fresh folder on the mount that the test is parametrised with."""
    with fresh(request.param) as made:
        yield made


# What comes to the same as shutil's, beside the contract: pytest --mounts.


@on(*ALL)
def test_read_only(share: Share) -> None:
    """A share that takes no writes is told as shutil tells it, for a new dst and an old one."""
    for name in ("src", "dst"):
        (share / name).write_bytes(pattern(100, name))
    with read_only(share.folder):
        for dst in ("new", "dst"):
            theirs = refusal(lambda: shutil.copyfile(share / "src", share / dst))  # noqa: B023
            ours = refusal(lambda: speedcopy.copyfile(share / "src", share / dst))  # noqa: B023
            assert ours == theirs
            assert ours[1][0] == errno.EROFS
    assert share.stored() == pattern(100, "dst")


NAMES = (
    *("a:b", "a*", "a?", "a<b", "a>b", "a|b", 'a"b', "a\\b", "a.", "a ", " a", "~a"),
    *("u\u0308", "\U0001f600", "\udcff", "\x01", "x" * 255, "x" * 256, "é" * 127 + "x", "日" * 85),
)


def refusal(call: Callable[[], object]) -> Any:
    """What a call is refused with; None if it works."""
    try:
        call()
    except OSError as error:
        return type(error), error.args, error.filename
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


# What the server has afterwards.


BEFORES = (None, 0, 1000, 5000, 5 * MIB)


def make_dst(share: Share, size: Optional[int]) -> None:
    """What dst is before the copy: None for new."""
    if size is not None:
        (share / "dst").write_bytes(pattern(size, "dst"))
    elif (share / "dst").exists():
        os.unlink(share / "dst")


@on(*ALL)
@pytest.mark.parametrize("size", [0, 1000, MIB, MIB + 1])
def test_stored(size: int, share: Share) -> None:
    """Dst is new, empty, shorter, as long, or longer: the server ends up with src, no more."""
    (share / "src").write_bytes(pattern(size))
    for before in BEFORES:
        make_dst(share, before)
        told = speedcopy.transfer(share / "src", share / "dst")
        assert (before, told.copied) == (before, size)
        assert share.stored() == pattern(size)
        assert (share / "dst").read_bytes() == pattern(size)


@on(*ALL)
def test_over_and_over(share: Share) -> None:
    """One dst takes this, then that, and the server has each."""
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
    """What this client has not written back yet is copied too; src stays open for writing."""
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


@on(*(name for name in REMOTE if name not in TRUSTING))
@pytest.mark.parametrize("size", [200, 3 * MIB])
def test_written_on_server(size: int, share: Share) -> None:
    """Another client has changed src and dst since this one has read and copied them."""
    for name in ("src", "dst"):
        (share / name).write_bytes(pattern(MIB, name))
        assert (share / name).read_bytes() == pattern(MIB, name)
    (share.disk / "src").write_bytes(noise(size, 1))
    (share.disk / "dst").write_bytes(noise(4 * MIB, 2))
    time.sleep(FORGET if share.name in SMB else 3 * FORGET)  # NFS: acregmin=3
    speedcopy.copyfile(share / "src", share / "dst")
    is_src = share.stored() == noise(size, 1)  # to spell out the difference would take an hour
    assert is_src


# Large files: chunks, rounds, 32 bits.


@on(*SERVER_SIDE, *LOCAL)
@pytest.mark.parametrize("near", [16 * MIB, 256 * MIB], ids=["16 MiB", "256 chunks"])
def test_chunks(near: int, share: Share) -> None:
    """Around the most that one request, and one file of 256 chunks, may hold."""
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


@on(*SMB, *NFS)
def test_close_has_little_to_wait_for(share: Share) -> None:
    """What this machine's cache holds back is two rounds at most: nothing interrupts close."""
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


# Which mechanism, and why not a faster one.

DECLINED_CLONE = {FICLONE: "EOPNOTSUPP"}
BY_CHUNKS = (COPYCHUNK, DECLINED_CLONE)
BY_RANGE = ("copy_file_range", DECLINED_CLONE)
BY_CLONE: tuple[str, dict[str, str]] = (FICLONE, {})

MECHANISMS = {
    "EXT4": BY_RANGE,
    "XFS": BY_CLONE,
    "BTRFS": BY_CLONE,
    "TMPFS": BY_RANGE,
    "OVERLAY": BY_RANGE,
    "SMB_EXT4": BY_CHUNKS,
    "SMB_XFS": BY_CHUNKS,
    "SMB_BTRFS": BY_CLONE,
    "SMB_OTHER_SHARE": BY_CHUNKS,
    "SMB_OTHER_SERVER": BY_CHUNKS,
    "SMB_LOOSE": BY_CHUNKS,
    "SMB_NOCACHE": BY_CHUNKS,
    "SMB_NOLEASE": BY_CHUNKS,
    "SMB1": ("sendfile", {FICLONE: "EOPNOTSUPP", COPYCHUNK: "EOPNOTSUPP"}),
    "SMB_KSMBD": BY_CLONE,
    "NFS42": BY_CLONE,
    "NFS3": BY_RANGE,
    "NFS42_NOCTO": BY_CLONE,
    "NFS3_NOCTO": BY_RANGE,
}


@on(*ALL)
def test_mechanism(share: Share) -> None:
    """A whole MiB goes by the fastest that the mount has, and the others say why not."""
    (share / "src").write_bytes(pattern(MIB))
    for before in BEFORES:
        make_dst(share, before)
        told = speedcopy.transfer(share / "src", share / "dst")
        mechanism, declined = MECHANISMS[share.name]
        if share.name in SMB and before and before <= MIB:  # in place, where nothing is cloned
            mechanism = COPYCHUNK if mechanism == FICLONE else mechanism
            declined = {name: why for name, why in declined.items() if name != FICLONE}
        assert (before, told.mechanism, told.declined) == (before, mechanism, declined)
        assert share.stored() == pattern(MIB)


#: What must have declined. Samba takes some copies to another share, and refuses some with ENOENT.
CROSSINGS = {
    ("SMB_XFS", "SMB_OTHER_SHARE"): {FICLONE: "EXDEV"},
    ("SMB_XFS", "SMB_OTHER_SERVER"): {FICLONE: "EXDEV", COPYCHUNK: "EXDEV"},
    ("SMB_OTHER_SERVER", "SMB_XFS"): {FICLONE: "EXDEV", COPYCHUNK: "EXDEV"},
    ("SMB_BTRFS", "SMB_XFS"): {FICLONE: "EXDEV"},
    ("SMB_XFS", "SMB_BTRFS"): {FICLONE: "EXDEV"},
    ("SMB_XFS", "SMB_EXT4"): {FICLONE: "EXDEV"},
    ("SMB_XFS", "SMB_KSMBD"): {FICLONE: "EXDEV", COPYCHUNK: "EXDEV"},
    ("SMB1", "SMB_XFS"): {FICLONE: "EXDEV", COPYCHUNK: "EXDEV"},
    ("SMB_XFS", "SMB1"): {FICLONE: "EXDEV", COPYCHUNK: "EXDEV"},
    ("SMB_XFS", "EXT4"): {FICLONE: "EXDEV", COPYCHUNK: "ENOTTY"},
    ("EXT4", "SMB_XFS"): {FICLONE: "EXDEV", "copy_file_range": "EXDEV"},
    ("NFS42", "NFS3"): {FICLONE: "EXDEV"},
    ("NFS42", "XFS"): {FICLONE: "EXDEV"},
    ("XFS", "NFS42"): {FICLONE: "EXDEV"},
    ("NFS42", "SMB_XFS"): {FICLONE: "EXDEV"},
    ("SMB_XFS", "NFS42"): {FICLONE: "EXDEV"},
    ("SMB_BTRFS", "TMPFS"): {FICLONE: "EXDEV"},
    ("TMPFS", "SMB_BTRFS"): {FICLONE: "EXDEV"},
    ("SMB_KSMBD", "OVERLAY"): {FICLONE: "EXDEV"},
}


@pytest.mark.parametrize("pair", CROSSINGS, ids=" ".join)
@pytest.mark.parametrize("dst_size", [None, 5 * MIB], ids=["new", "over"])
def test_crossing(pair: tuple[str, str], dst_size: Optional[int]) -> None:
    """Between shares, servers, protocols and local disks: what cannot says so, the rest copies."""
    with fresh(pair[0]) as here, fresh(pair[1]) as there:
        (here / "src").write_bytes(pattern(2 * MIB + 5))
        if dst_size:
            (there / "dst").write_bytes(pattern(dst_size, "dst"))
        told = speedcopy.transfer(here / "src", there / "dst")
        assert there.stored() == pattern(2 * MIB + 5)
        assert CROSSINGS[pair].items() <= told.declined.items()
        assert told.declined.get(COPYCHUNK) in {None, "ENOENT", "EXDEV", "ENOTTY"}
        speedcopy.copyfile(there / "dst", here / "back")
        assert here.stored("back") == pattern(2 * MIB + 5)


@on(*ALL)
def test_always(share: Share) -> None:
    """``reflink="always"`` clones, or refuses and leaves everything as it was."""
    (share / "src").write_bytes(pattern(MIB + 1))
    for size in BEFORES:
        make_dst(share, size)
        if share.name in CLONING:
            told = speedcopy.transfer(share / "src", share / "dst", reflink="always")
            assert told.mechanism == FICLONE
            assert share.stored() == pattern(MIB + 1)
            continue
        if size is not None:
            os.utime(share / "dst", (BEFORE, BEFORE))
        with pytest.raises(OSError, match=r"src.*dst") as refused:
            speedcopy.transfer(share / "src", share / "dst", reflink="always")
        assert refused.value.errno == errno.EOPNOTSUPP
        assert share.names() == (["src"] if size is None else ["dst", "src"])
        if size is not None:
            if share.name != "SMB_NOCACHE":  # Samba stamps it some time after it was written
                assert os.stat(share / "dst").st_mtime == BEFORE
            assert share.stored() == pattern(size, "dst")


@on(*ALL)
def test_never(share: Share) -> None:
    """``reflink="never"`` asks nothing that may share extents."""
    (share / "src").write_bytes(pattern(2 * MIB + 1))
    for before in BEFORES:
        make_dst(share, before)
        told = speedcopy.transfer(share / "src", share / "dst", reflink="never")
        assert told.mechanism in {"sendfile", "read/write"}
        assert not {FICLONE, COPYCHUNK, "copy_file_range"} & told.declined.keys()
        assert share.stored() == pattern(2 * MIB + 1)


# Progress, cancelling, failing, restarting.


class StopError(Exception):
    """Somebody has pressed a button."""


@on(*ALL)
@pytest.mark.parametrize("existed", [False, True], ids=["new", "over"])
def test_cancel(share: Share, *, existed: bool) -> None:
    """A copy stopped by ``progress`` leaves no new dst, and its name is free at once."""
    size = 20 * MIB + 3
    make_large(share.disk / "src", size)
    if existed:
        (share / "dst").write_bytes(pattern(3 * MIB, "dst"))

    def stop(copied: int, total: int) -> None:
        assert copied <= total
        raise StopError

    with pytest.raises(StopError):
        speedcopy.copyfile(share / "src", share / "dst", progress=stop)
    assert share.names() == (["dst", "src"] if existed else ["src"])
    assert (share / "dst").exists() == existed
    with (share / "dst").open("wb" if existed else "xb") as again:
        again.write(b"mine")
    assert share.stored() == b"mine"
    calls: list[tuple[int, int]] = []
    speedcopy.copyfile(share / "src", share / "dst", progress=lambda *told: calls.append(told))
    assert calls == sorted(calls)
    assert calls[-1] == (size, size)
    assert_large(share.disk / "dst", size)


#: The disk that a folder lies on, where it can be filled quickly: those of the guest.
FILLED = {"EXT4": "EXT4", "XFS": "XFS", "SMB_KSMBD": "XFS", "NFS42": "XFS", "NFS3": "XFS"}


@on(*FILLED)
@pytest.mark.parametrize("dst_size", [None, 1000], ids=["new", "over"])
def test_full(dst_size: Optional[int], share: Share) -> None:
    """The server's disk is full: told with both names, and no new dst is left."""
    size = 96 * MIB
    with (share.disk / "src").open("wb") as src:
        os.posix_fallocate(src.fileno(), 0, size)
    if dst_size:
        (share / "dst").write_bytes(pattern(dst_size, "dst"))
    with filled(root(FILLED[share.name]), 24 * MIB):
        with pytest.raises(OSError, match=r"src.*dst") as full:
            speedcopy.transfer(share / "src", share / "dst", reflink="never", sparse=False)
        assert full.value.errno in {errno.ENOSPC, errno.EIO}
        for _ in range(5):  # NFS on 6.1 renames it until all that was under way has come back
            if any(name.startswith(".nfs") for name in share.names()):
                time.sleep(1)
        assert share.names() == (["dst", "src"] if dst_size else ["src"])
    (share / "src").write_bytes(pattern(MIB))
    speedcopy.copyfile(share / "src", share / "dst")
    assert share.stored() == pattern(MIB)


@pytest.mark.parametrize(
    ("name", "server"), [("SMB_XFS", "smb"), ("SMB_OTHER_SERVER", "smb-other")]
)
def test_after_restart(name: str, server: str) -> None:
    """The server has been away: the first copy afterwards is whole, or fails as shutil's does."""
    with fresh(name) as share:
        (share / "src").write_bytes(pattern(MIB))
        speedcopy.copyfile(share / "src", share / "dst")
        restart(server)
        (share.disk / "src").write_bytes(noise(2 * MIB, 1))
        time.sleep(FORGET)
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == noise(2 * MIB, 1)
        told = speedcopy.transfer(share / "src", share / "new")
        assert (told.mechanism, told.declined) == BY_CHUNKS
        assert share.stored("new") == noise(2 * MIB, 1)


@pytest.mark.parametrize(("name", "server"), [("SMB_XFS", "smb")])
def test_restart_during_copy(name: str, server: str) -> None:
    """The server goes away in the middle: dst is whole, or there is an error and no new dst."""
    size = 200 * MIB
    with fresh(name) as share:
        make_large(share.disk / "src", size)
        asked = threading.Event()

        def away(copied: int, total: int) -> None:
            if copied < total and not asked.is_set():
                asked.set()
                restart(server)

        try:
            told = speedcopy.transfer(share / "src", share / "dst", reflink="never", progress=away)
        except OSError:
            assert share.names() == ["src"]
        else:
            assert told.copied == size
            assert_large(share.disk / "dst", size)
        assert asked.is_set()
        (share / "small").write_bytes(pattern(MIB))
        speedcopy.copyfile(share / "small", share / "dst")
        assert share.stored() == pattern(MIB)


@on(*(name for name in ALL if name not in TRUSTING))
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
            time.sleep(FORGET if share.name in SMB else 3 * FORGET)

        def copy(name: str) -> Path:
            return speedcopy.copyfile(share / "from" / name, share / "to" / name)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(copy, names)) == [share / "to" / name for name in names]
        for number, name in enumerate(names):
            assert share.stored(f"to/{name}") == noise(sizes[number], turn + number), name
