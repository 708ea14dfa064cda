"""Which mechanism copies on each mount of the lab, and why a faster one has declined."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Optional

import pytest
from contract.outcome import BEFORE
from faults.mechanisms import NOT_SHARING, SHARING
from shares.states import BEFORES, BY_CHUNKS, COPYCHUNK, DECLINED_CLONE, FICLONE
from support.lab_mounts import ALL, MOUNTED, NO_LAB, Share, fresh, on
from support.layout import make_dst, pattern
from support.sizes import MIB

import speedcopy

if TYPE_CHECKING:
    from lab.vm.mounts import Mount

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

BY_RANGE = ("copy_file_range", DECLINED_CLONE)
BY_CLONE: tuple[str, dict[str, str]] = (FICLONE, {})
BY_SENDFILE = ("sendfile", {**DECLINED_CLONE, COPYCHUNK: "EOPNOTSUPP"})


def expected(row: Mount) -> tuple[str, dict[str, str]]:
    """The mechanism for a mount, and why the faster ones decline."""
    if row.best == "clone":
        return BY_CLONE
    if row.is_smb:
        return BY_CHUNKS if row.best == "server" else BY_SENDFILE
    return BY_RANGE


@on(*ALL)
def test_mechanism(share: Share) -> None:
    """A MiB is copied by the fastest mechanism of the mount; faster ones report an errno."""
    (share / "src").write_bytes(pattern(MIB))
    for before in BEFORES:
        make_dst(share.folder, before)
        told = speedcopy.transfer(share / "src", share / "dst")
        mechanism, declined = expected(share.row)
        if share.row.is_smb and before and before <= MIB:  # in place, where nothing is cloned
            mechanism = COPYCHUNK if mechanism == FICLONE else mechanism
            declined = {name: why for name, why in declined.items() if name != FICLONE}
        assert (before, told.mechanism, told.declined) == (before, mechanism, declined)
        assert share.stored() == pattern(MIB)


#: What must decline. Samba accepts some copies to another share, and refuses some with ENOENT.
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
    """Copies between shares, servers, protocols and local disks, there and back."""
    with fresh(pair[0]) as here, fresh(pair[1]) as there:
        (here / "src").write_bytes(pattern(2 * MIB + 5))
        make_dst(there.folder, dst_size)
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
        make_dst(share.folder, size)
        if share.row.best == "clone":
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
    """``reflink="never"`` calls no mechanism that may share extents."""
    (share / "src").write_bytes(pattern(2 * MIB + 1))
    for before in BEFORES:
        make_dst(share.folder, before)
        told = speedcopy.transfer(share / "src", share / "dst", reflink="never")
        assert told.mechanism in NOT_SHARING
        assert not SHARING & told.declined.keys()
        assert share.stored() == pattern(2 * MIB + 1)
