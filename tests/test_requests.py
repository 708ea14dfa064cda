"""The request budget: what one copy asks of the server, counted by the client.

The table at the end of the run shows ours beside shutil of this Python, cp, and, if
SPEEDCOPY_PEER names a folder that it is installed in (``pip install --target``), another
version of speedcopy. Only ours is asserted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from layout import pattern
from shares import (
    FORGET,
    MIB,
    MOUNTED,
    NO_LAB,
    PREFIX,
    Counts,
    Share,
    forget_requests,
    fresh,
    on,
    operations,
    requests,
    root,
)

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

fcntl: Any = pytest.importorskip("fcntl", reason="no ioctl here")
PEER = os.environ.get("SPEEDCOPY_PEER")
CIFS_IOC_COPYCHUNK_FILE = 0x4004CF03
STATES = ("new", "over")

#: Another version of speedcopy in a process of its own, which has loaded it before the count.
PEER_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import speedcopy
speedcopy.patch_copyfile()
import shutil
print(flush=True)
sys.stdin.readline()
shutil.copyfile(*sys.argv[2:])
"""


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Iterator[Share]:
    """A fresh folder on the mount that the test is parametrised with."""
    with fresh(request.param) as made:
        yield made


@pytest.fixture
def top(request: pytest.FixtureRequest) -> Iterator[Share]:
    """The mount itself: in a folder, to look whether it is still there is three requests."""
    folder = root(request.param)
    made = Share(request.param, folder, Path(os.environ[f"{PREFIX}{request.param}_SERVER"]))
    yield made
    for name in made.names():
        os.unlink(made.disk / name)


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a line of the table, whatever pytest captures."""
    terminal = request.config.pluginmanager.get_plugin("terminalreporter")
    capture = request.config.pluginmanager.get_plugin("capturemanager")

    def write(line: str) -> None:
        if terminal and capture:
            with capture.global_and_fixture_disabled():
                terminal.write_line(f"  {line}")

    return write


def counted(share: Share, call: Callable[[], object]) -> Counts:
    """What a call asks, when the client has forgotten attributes and closed its files."""
    time.sleep(FORGET)
    forget_requests()
    call()
    return requests(share.name)


def copychunk(src: Path, dst: Path) -> Callable[[], object]:
    """The one call that has the server copy, on files that are open, and nothing else."""
    reader, writer = os.open(src, os.O_RDONLY), os.open(dst, os.O_WRONLY | os.O_CREAT)

    def call() -> None:
        try:
            fcntl.ioctl(writer, CIFS_IOC_COPYCHUNK_FILE, reader)
        finally:
            os.close(writer)
            os.close(reader)

    return call


def prepared(share: Share, name: str, size: int, state: str) -> tuple[Path, Path]:
    """A src, and a dst that is new, or as long and known to the client."""
    (share / "src").write_bytes(pattern(size))
    if state == "over":
        (share / name).write_bytes(pattern(size, "dst"))
    return share / "src", share / name


#: At most so many requests, new and over; the IOCTLs of copychunk, as measured, are counted as 2.
BUDGET = {"SMB_EXT4": (4, 4), "SMB_XFS": (4, 4), "SMB_BTRFS": (5, 4)}

#: A busy machine may take so long that the client forgets what it knew in the middle of a copy.
ATTEMPTS = 3


def least(top: Share, size: int, state: str) -> Counts:
    """What ours asks."""
    found = []
    for attempt in range(ATTEMPTS):
        src, dst = prepared(top, f"ours{attempt}", size, state)
        found.append(counted(top, lambda: speedcopy.copyfile(src, dst)))  # noqa: B023
        assert top.stored(dst.name) == pattern(size)
        if found[-1].total <= BUDGET[top.name][STATES.index(state)]:
            break
    return min(found)


@pytest.mark.parametrize("top", BUDGET, indirect=True)
@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [MIB, 32 * MIB], ids=["1 MiB", "32 MiB"])
def test_smb(size: int, state: str, top: Share, say: Callable[[str], None]) -> None:
    """No more than the bare IOCTLs and two opens; no look at a missing dst, no truncation."""
    clones = top.name == "SMB_BTRFS"
    speedcopy.copyfile(*prepared(top, "first", MIB, "new"))  # asks for the type of the share
    floor = 2
    if not clones:
        floor = counted(top, copychunk(*prepared(top, "floor", size, "new"))).kinds["IOCTLs"]
    ours = least(top, size, state)
    label = f"{top.name:10}{size // MIB:3} MiB {state:5}"
    say(f"{label} ours {ours}; IOCTLs alone {floor}")
    say(f"{label} {beside(top, size, state)}")
    assert ours.total - floor <= BUDGET[top.name][STATES.index(state)] - 2
    for kind in ("QueryDirectories", "Reads", "Writes", "Flushes"):
        assert kind not in ours.kinds
    if not clones:
        assert ours.kinds == {
            "Creates": 2 if state == "new" else ours.kinds["Creates"],
            "IOCTLs": floor,
        }


def beside(share: Share, size: int, state: str) -> str:
    """The same counts of others."""
    src, dst = prepared(share, "shutil", size, state)
    version = ".".join(str(part) for part in sys.version_info[:2])
    told = [f"shutil {version}: {counted(share, lambda: shutil.copyfile(src, dst)).total}"]
    src, cp = prepared(share, "cp", size, state)
    run = counted(share, lambda: subprocess.run(["cp", src, cp], check=True))
    told.append(f"cp: {run.total}")
    if PEER:
        src, peer = prepared(share, "peer", size, state)
        told.append(f"peer: {by_peer(share, PEER, src, peer)}")
    return ", ".join(told)


def by_peer(share: Share, folder: str, src: Path, dst: Path) -> Optional[int]:
    """The count of another version of speedcopy; None if it does not run here."""
    with subprocess.Popen(
        [sys.executable, "-c", PEER_SCRIPT, folder, src, dst],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        if not process.stdout.readline():
            return None
        time.sleep(FORGET)
        forget_requests()
        process.communicate(b"\n")
        return requests(share.name).total


@pytest.mark.parametrize("top", ["SMB_XFS"], indirect=True)
def test_again(top: Share) -> None:
    """The type of the share is asked once a thread; a copy of nothing is as cheap."""
    speedcopy.copyfile(*prepared(top, "first", MIB, "new"))
    again = least(top, MIB, "new")
    empty = min(
        counted(top, lambda: speedcopy.copyfile(*names))  # noqa: B023
        for names in (prepared(top, f"nothing{attempt}", 0, "new") for attempt in range(ATTEMPTS))
    )
    assert again.total <= 4
    assert empty.total <= 2


def operations_of(share: Share, call: Callable[[], object]) -> dict[str, int]:
    """What a call asks of an NFS server."""
    before = operations(root(share.name))
    call()
    after = operations(root(share.name))
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


@on("NFS42", "NFS3")
@pytest.mark.parametrize("state", STATES)
def test_nfs(state: str, share: Share, say: Callable[[str], None]) -> None:
    """NFS 4.2 clones and moves no data; NFS 3 has to, and is asked for little else."""
    size = 32 * MIB
    told = {}
    for name, copy in (("shutil", shutil.copyfile), ("ours", speedcopy.copyfile)):
        src, dst = prepared(share, name, size, state)
        time.sleep(3 * FORGET)  # acregmin=3
        told[name] = operations_of(share, lambda: copy(src, dst))  # noqa: B023
        assert share.stored(name) == pattern(size)
        each = ", ".join(f"{number} {kind}" for kind, number in told[name].items())
        say(f"{share.name:10} 32 MiB {state:5} {name} {sum(told[name].values())} ({each})")
    if share.name == "NFS42":
        assert told["ours"]["CLONE"] == 1
        assert not {"READ", "READ_PLUS", "WRITE", "COPY", "SETATTR"} & told["ours"].keys()
        assert sum(told["ours"].values()) <= 8
    else:
        assert sum(told["ours"].values()) <= sum(told["shutil"].values())
