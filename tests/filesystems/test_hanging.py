"""A FUSE server that does not answer, and one that dies: the copy ends, the program goes on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Optional

import pytest
from support.filesystems import UnavailableError
from support.fuse_contract import BRIEFLY, EXECUTORS
from support.fuse_mounts import misbehaving
from support.hostile_fuse import Switches
from support.layout import make_pair, pattern
from support.process_limits import patience
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.fuse_mounts import FuseMounts, Misbehaving

#: How long a copy may take to end after Ctrl-C, on a slow machine. Seconds.
LONG = 10

SIZE = 3 * MIB + 5

#: Which request never gets an answer: the operation, after how many, of which file, and how many
#: bytes dst had.
REQUESTS: dict[str, tuple[str, int, str, Optional[int]]] = {
    "looking up src": ("lookup", 0, "src", None),
    "opening src": ("open", 0, "src", None),
    "reading": ("read", 0, "src", None),
    "reading on": ("read", 1, "src", 5000),
    "creating dst": ("create", 0, "dst", None),
    "opening dst": ("open", 0, "dst", SIZE),
    "writing": ("write", 0, "dst", None),
    "writing on": ("write", 1, "dst", None),
    "writing on over longer": ("write", 1, "dst", SIZE + 5000),
    "closing dst": ("flush", 0, "dst", None),
}


@dataclass
class Pressed:
    """The effect of Ctrl-C: whether the copy was waiting, and whether it went on waiting."""

    asked: bool = False
    hung: bool = False


@contextmanager
def ctrl_c(mount: Misbehaving) -> Iterator[Pressed]:
    """Presses Ctrl-C once the server has the request that it does not answer.

    If the block waits all the same, the server answers after all.
    """
    pressed, ended = Pressed(), threading.Event()

    def press() -> None:
        deadline = time.monotonic() + LONG
        while not ended.wait(0.002) and time.monotonic() < deadline:
            if mount.waiting():
                pressed.asked = True
                os.kill(os.getpid(), signal.SIGINT)
                break
        pressed.hung = not ended.wait(LONG)
        mount.behave(Switches())

    thread = threading.Thread(target=press)
    thread.start()
    try:
        yield pressed
    finally:
        ended.set()
        thread.join()


@pytest.mark.parametrize("executor", BRIEFLY)
@pytest.mark.parametrize("direct_io", [False, True], ids=["cached", "direct"])
@pytest.mark.parametrize("request_", REQUESTS)
def test_ctrl_c(request_: str, executor: str, fuse: FuseMounts, *, direct_io: bool) -> None:
    """Ctrl-C ends a copy that waits for a server, and the mount can be used afterwards."""
    mount: Any = fuse["hostile"]
    operation, skip, on, before = REQUESTS[request_]
    name = f"{request_} {executor} {direct_io}".replace('"', "")
    folder, store = mount.fresh(name)
    make_pair(store, SIZE, before)
    mount.behave(Switches(on=on, direct_io=direct_io, hang=(operation, skip)))
    with pytest.raises(KeyboardInterrupt), ctrl_c(mount) as pressed:
        EXECUTORS[executor](folder / "src", folder / "dst")
    assert pressed.asked
    assert not pressed.hung
    left = (store / "dst").read_bytes() if (store / "dst").exists() else None
    old = None if before is None else pattern(before, "dst")
    if before is None and not speedcopy.SPEEDCOPY_DISABLE:  # shutil leaves what it had written
        assert left in (None, pattern(SIZE))
    assert left == old or (left is not None and pattern(SIZE).startswith(left))
    EXECUTORS[executor](folder / "src", folder / "dst")
    assert (store / "dst").read_bytes() == pattern(SIZE)
    shutil.rmtree(store)


@pytest.mark.parametrize("executor", BRIEFLY)
@pytest.mark.parametrize(
    ("role", "operation", "skip"),
    [
        ("from", "open", 0),
        ("from", "read", 0),
        ("from", "read", 1),
        ("to", "create", 0),
        ("to", "write", 0),
        ("to", "write", 1),
        ("to", "flush", 0),
    ],
)
def test_death(fuse: FuseMounts, role: str, operation: str, skip: int, executor: str) -> None:
    """If the server dies the copy fails, and dst is a prefix of src."""
    top = fuse.plain() / f"{role} {operation} {skip} {executor}".replace('"', "")
    local = top / "local"
    local.mkdir(parents=True)
    try:
        with misbehaving(top / "server") as mount:
            folder, store = mount.fresh("folder")
            src, dst, src_store = (local, folder, local) if role == "to" else (folder, local, store)
            (src_store / "src").write_bytes(pattern(SIZE))
            mount.behave(Switches(die=(operation, skip), on="dst" if role == "to" else "src"))
            with patience(), pytest.raises(OSError, match=r"dst|src|onnect") as failed:
                EXECUTORS[executor](src / "src", dst / "dst")
            paths = (local / "dst", store / "dst")
            left = [path.read_bytes() for path in paths if path.exists()]
    except UnavailableError as error:
        pytest.skip(f"no server of ours here: {error}")
    # the request that was under way is ECONNABORTED, all others are ENOTCONN
    assert failed.value.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    assert all(pattern(SIZE).startswith(content) for content in left)
    if role == "from" and not speedcopy.SPEEDCOPY_DISABLE:
        assert not left
    shutil.rmtree(top)
