"""Copies on the lab's mounts that are cancelled, meet a full disk or lose their server."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import Optional

import pytest
from shares.states import BY_CHUNKS
from support.cancelling import Stop
from support.lab_mounts import ALL, MOUNTED, NO_LAB, Share, filled, fresh, on, restart, root
from support.large_files import assert_large, make_large, noise
from support.layout import make_dst, pattern
from support.sizes import MIB

import speedcopy

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)


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
        raise Stop

    with pytest.raises(Stop):
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


#: Where the disk can be filled quickly: it is one of the guest's.
FILLED = ("EXT4", "XFS", "SMB_KSMBD", "NFS42", "NFS3")


@on(*FILLED)
@pytest.mark.parametrize("dst_size", [None, 1000], ids=["new", "over"])
def test_full(dst_size: Optional[int], share: Share) -> None:
    """The server's disk is full: the error has both names, and no new dst is left."""
    size = 96 * MIB
    with (share.disk / "src").open("wb") as src:
        os.posix_fallocate(src.fileno(), 0, size)
    make_dst(share.folder, dst_size)
    with filled(root(share.row.disk.upper()), 24 * MIB):
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
    """The server was restarted: the first copy afterwards is complete."""
    with fresh(name) as share:
        (share / "src").write_bytes(pattern(MIB))
        speedcopy.copyfile(share / "src", share / "dst")
        restart(server)
        (share.disk / "src").write_bytes(noise(2 * MIB, 1))
        share.forget()
        speedcopy.copyfile(share / "src", share / "dst")
        assert share.stored() == noise(2 * MIB, 1)
        told = speedcopy.transfer(share / "src", share / "new")
        assert (told.mechanism, told.declined) == BY_CHUNKS
        assert share.stored("new") == noise(2 * MIB, 1)


@pytest.mark.parametrize(("name", "server"), [("SMB_XFS", "smb")])
def test_restart_during_copy(name: str, server: str) -> None:
    """The server is restarted during a copy: dst is complete, or there is an error and no dst."""
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
