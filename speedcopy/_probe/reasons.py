"""What an answer of the probe means, in a sentence that helps a user or a server's admin.

Each sentence names what is missing, and where somebody can switch it on, how.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Callable, Optional

if TYPE_CHECKING:
    from speedcopy._probe.places import Place

    Pair = tuple[Place, Place]

FICLONE, COPYCHUNK = "FICLONE", "CIFS_IOC_COPYCHUNK_FILE"
COPY_FILE_RANGE = "copy_file_range"

_NO_CLONES_ANNOUNCED = (
    "this share does not announce block cloning; Windows does for ReFS, Samba for btrfs with "
    "'vfs objects = btrfs'"
)
_SOME_REFUSED = "Samba refuses some copies between two shares"
_TWO_SESSIONS = (
    "the two paths are different sessions: to two servers, as two users, or with two versions of "
    "SMB"
)

#: Errnos that say that nobody can do it there.
_NOBODY_CAN = ("EOPNOTSUPP", "ENOTTY", "ENOSYS")

_FORBIDDEN = ("EPERM", "EACCES")


def _always(_pair: Pair) -> bool:
    return True


def _on_smb(pair: Pair) -> bool:
    return pair[0].is_smb and pair[1].is_smb


def _on_nfs(pair: Pair) -> bool:
    return pair[0].is_nfs and pair[1].is_nfs


def _one_file_system(pair: Pair) -> bool:
    return pair[0].device != "" and pair[0].device == pair[1].device


def _older_smb(*version: int) -> Callable[[Pair], bool]:
    """On SMB, one of the two with a version before this."""
    return lambda pair: _on_smb(pair) and any(() < there.version < version for there in pair)


def _older_nfs(pair: Pair) -> bool:
    return _on_nfs(pair) and any(() < there.version < (4, 2) for there in pair)


def _on(*file_systems: str) -> Callable[[Pair], bool]:
    """Dst lies on one of these, a part of whose name may be given."""
    return lambda pair: pair[1].file_system.startswith(file_systems)


def _announced(pair: Pair) -> bool:
    return _on_smb(pair) and bool(pair[1].announces_clones)


#: By mechanism: errnos, what src and dst lie on, and the sentence. The first row that fits counts.
_DECLINED: dict[str, tuple[tuple[tuple[str, ...], Callable[[Pair], bool], str], ...]] = {
    FICLONE: (
        (_NOBODY_CAN, _older_smb(3, 0), "{dst.protocol} cannot clone: mount with vers=3.1.1"),
        (_NOBODY_CAN, _announced, "the share announces block cloning and refuses it all the same"),
        (_NOBODY_CAN, _on_smb, _NO_CLONES_ANNOUNCED),
        (_NOBODY_CAN, _older_nfs, "{dst.protocol} cannot clone: mount with vers=4.2"),
        (_NOBODY_CAN, _on_nfs, "the server's file system cannot clone: XFS and btrfs can"),
        (_NOBODY_CAN, _on("xfs"), "this XFS has no reflinks: it needs mkfs.xfs -m reflink=1"),
        (_NOBODY_CAN, _on("zfs"), "ZFS clones from 2.2 on, with zfs_bclone_enabled=1"),
        (_NOBODY_CAN, _on("overlay"), "the file system below the overlay cannot clone"),
        (_NOBODY_CAN, _on(""), "{dst.file_system} cannot clone: btrfs, XFS, bcachefs and ZFS can"),
        (("EXDEV",), _one_file_system, "Linux clones across mounts of a file system from 5.18 on"),
        (("EXDEV",), _on_smb, "these are two shares, or two mounts: a server clones within one"),
        (("EINVAL",), _on("btrfs"), "one of the directories is 'chattr +C', the other is not"),
    ),
    COPYCHUNK: (
        (("EOPNOTSUPP",), _older_smb(2, 0), "{dst.protocol} cannot: mount with vers=3.1.1"),
        (("EOPNOTSUPP",), _always, "the server has no server-side copy"),
        (("EXDEV",), _always, _TWO_SESSIONS),
        (("ENOTTY",), _always, "dst is not on SMB"),
    ),
}

#: The same for all mechanisms, after those.
_ALL_DECLINED: tuple[tuple[tuple[str, ...], Callable[[Pair], bool], str], ...] = (
    (("ENOENT",), _on_smb, _SOME_REFUSED),
    (("EPERM", "EACCES"), _on_smb, "the server refuses, or seccomp or a security module here"),
    (("EPERM", "EACCES"), _always, "seccomp or a security module refuses"),
    (("EXDEV",), _always, "these are two file systems to the kernel"),
    (("no data",), _always, "the call succeeded and copied nothing"),
)

#: File systems that have no copy of their own: the kernel clones, or else reads and writes.
_copied_by_the_kernel = _on("bcachefs", "btrfs", "exfat", "ext", "f2fs", "tmpfs", "vfat", "xfs")

#: What it means that a mechanism works.
_WORKS = {
    FICLONE: "the two files share the data",
    "fclonefileat": "the two files share the data",
    "__copyfile": "the server copies",
    COPYCHUNK: "the server copies",
    COPY_FILE_RANGE: "the file system copies, or else the kernel of this machine",
    "sendfile": "the kernel of this machine moves the bytes",
    "read/write": "this program moves the bytes",
    "CopyFile2": "Windows has the server or the storage copy where they can",
}


def declined(mechanism: str, refusal: str, src: Place, dst: Place) -> str:
    """Why a mechanism has declined; ``refusal`` is what Transfer.declined has for it."""
    for errnos, fits, sentence in (*_DECLINED.get(mechanism, ()), *_ALL_DECLINED):
        if refusal in errnos and fits((src, dst)):
            return sentence.format(src=src, dst=dst)
    number = getattr(errno, refusal, 0)
    return os.strerror(number) if number else f"refused with {refusal}"


def not_asked(mechanism: str, src: Place, dst: Place) -> str:
    """Why a mechanism does not apply."""
    if mechanism == COPYCHUNK and not (src.is_smb and dst.is_smb):
        return "only for files on SMB"
    if mechanism == "__copyfile":
        return "only for files on SMB, with SPEEDCOPY_MACOS_SERVER_COPY=1"
    if mechanism == COPY_FILE_RANGE:
        return "not used before Linux 5.3, where it could copy nothing without saying so"
    return "does not apply to these files"


def works(
    mechanism: str, src: Place, dst: Place, *, by_server: Optional[bool], clones: bool
) -> str:
    """What it means that a mechanism works.

    ``by_server`` is whether copy_file_range is a server's copy here, None where there is no server
    or the client does not say. ``clones`` is whether FICLONE works.
    """
    if mechanism == COPY_FILE_RANGE and _copied_by_the_kernel((src, dst)):
        if clones:
            return "the two files share the data, where whole blocks are copied"
        return "the kernel copies, and all bytes pass through this machine"
    if mechanism == COPY_FILE_RANGE and by_server is not None:
        if not by_server:
            return "but the client of this machine reads and writes"
        mechanism = COPYCHUNK
    if mechanism == COPYCHUNK and _on_smb((src, dst)) and src.device != dst.device:
        return f"{_WORKS[COPYCHUNK]}; {_SOME_REFUSED}"
    if mechanism == FICLONE and (_on_smb((src, dst)) or _on_nfs((src, dst))):
        return "the server shares the data"
    return _WORKS.get(mechanism, "")
