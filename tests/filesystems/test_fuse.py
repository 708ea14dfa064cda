"""The contract on real FUSE servers and overlays: the store has what shutil puts there."""

from __future__ import annotations

import errno
import os
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

import pytest
from support.failure import Failure
from support.fuse_contract import (
    BRIEFLY,
    EXECUTORS,
    ROLES,
    Copy,
    Left,
    compare,
    copies,
    faults,
    learn,
)
from support.fuse_mounts import OURS, REAL, Misbehaving
from support.hostile_fuse import Switches
from support.layout import pattern
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

    from support.fuse_mounts import FuseMounts, Mount

SIZES = (0, 1, 4096, 4097, MIB + 1, 3 * MIB + 5)


#: The sizes of src and of a dst that another client changes: equal, larger, smaller.
SIZES_CHANGED = ((11, 11), (5000, 3000), (MIB + 1, MIB + 1), (3000, 9000))


def grow(dst: Path) -> None:
    """It appends."""
    with dst.open("ab") as opened:
        opened.write(pattern(2 * MIB, "tail"))


def shrink(dst: Path) -> None:
    """It truncates."""
    os.truncate(dst, os.stat(dst).st_size // 3)


def replace(dst: Path) -> None:
    """It renames another file over it, as editors do."""
    other = dst.with_name("other")
    other.write_bytes(pattern(20_000, "other"))
    other.rename(dst)


CHANGES: dict[str, Callable[[Any], object]] = {
    "grown": grow,
    "shrunk": shrink,
    "replaced": replace,
    "gone": os.unlink,
}


def changed(mount: Mount, change: Callable[[Any], object], dst: Path, store: Path) -> None:
    """Has the client cache dst's attributes, and then changes dst in the store."""
    if isinstance(mount, Misbehaving):
        mount.behave(Switches(stale=True, believed=3600))
    learn(dst, store)
    change(store)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("mount", [*REAL, *OURS])
def test_contract(mount: str, role: str, fuse: FuseMounts) -> None:
    """Every size over every dst, with holes and without."""
    table = copies(role, SIZES, holes=3 * MIB + 5)
    executors = EXECUTORS if role == "to" else BRIEFLY
    compare(fuse, mount, role, table, executors=executors)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("mount", [*(name for name in REAL if name != "overlay"), *OURS])
def test_changed(mount: str, change: str, fuse: FuseMounts) -> None:
    """A dst that another client has changed is overwritten correctly."""
    table = [Copy(*sizes, id=f"{sizes[0]} over {sizes[1]}") for sizes in SIZES_CHANGED]
    before = partial(changed, fuse[mount], CHANGES[change])
    compare(fuse, mount, "to", table, before)


OLD = Copy(9, 20)
FULL = Failure.of(OSError(errno.ENOSPC, "full", "src", None, "dst"))


@pytest.mark.parametrize(
    ("copy", "theirs", "ours", "what"),
    [
        (OLD, Left(None, ("dst",), pattern(9)), Left(None, ("dst",), pattern(8), 8), "success"),
        (OLD, Left(FULL, ("dst",), b""), Left(None, ("dst",), pattern(8), 8), "success"),
        (OLD, Left(None, ("dst",), pattern(9)), Left(None, ("dst", "x"), pattern(9)), "x"),
        (OLD, Left(None, ("dst",), pattern(9)), Left(FULL, ("dst",), b""), "OSError 28"),
        (OLD, Left(FULL, ("dst",), b""), Left(FULL, ("dst",), pattern(9, "x")), "neither"),
        (OLD, Left(FULL, ("dst",), b""), Left(FULL, (), None), "neither"),
        (Copy(9), Left(FULL, ("dst",), b""), Left(FULL, ("dst",), b""), "left a new file"),
        (
            OLD,
            Left(FULL, ("dst",), b""),
            Left(Failure.of(OSError(errno.EIO, "full", "src", None, "dst")), ("dst",), b""),
            "OSError 5",
        ),
        (
            OLD,
            Left(FULL, ("dst",), b""),
            Left(Failure.of(OSError(errno.ENOSPC, "full", "other")), ("dst",), b""),
            "names",
        ),
    ],
)
def test_comparison_sees(copy: Copy, theirs: Left, ours: Left, what: str) -> None:
    """The comparison reports each kind of difference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", False)
        assert what in next(faults(copy, theirs, ours))


LARGE = 40 * MIB  # more than the upper layer of an overlay has room for


@pytest.mark.parametrize("executor", EXECUTORS)
def test_large_lower(executor: str, fuse: FuseMounts) -> None:
    """A copy over a file of the lower layer does not copy up the old content."""
    mount: Any = fuse["overlay"]
    folder, _ = mount.fresh(f"large {executor}".replace('"', ""))
    (folder / "dst").write_bytes(bytes(LARGE))
    src = fuse.plain() / "src"
    src.write_bytes(pattern(MIB))
    with mount.mounted(folder):
        used = mount.used()
        EXECUTORS[executor](src, folder / "dst")
        assert (folder / "dst").read_bytes() == pattern(MIB)
        assert mount.used() - used < 2 * MIB
    shutil.rmtree(folder)


@pytest.mark.parametrize("dst", ["src", "link", "symlink"])
def test_lower_over_itself(dst: str, fuse: FuseMounts) -> None:
    """A copy of a file of the lower layer over itself is refused, and nothing is copied up."""
    mount: Any = fuse["overlay"]
    folder, _ = mount.fresh(f"itself by {dst}")
    (folder / "src").write_bytes(bytes(LARGE))
    os.link(folder / "src", folder / "link")
    (folder / "symlink").symlink_to("src")
    with mount.mounted(folder):
        used = mount.used()
        for copy in EXECUTORS.values():
            with pytest.raises(shutil.SameFileError):
                copy(folder / "src", folder / dst)
        assert mount.used() - used < MIB
        assert os.stat(folder / "src").st_size == LARGE
    shutil.rmtree(folder)
