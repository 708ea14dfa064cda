"""The mounts of the lab, in the one table that everything else reads.

The name of a row is its environment variable without the prefix, and in lower case its share
and its directory. To add a mount, add a row.
"""

from __future__ import annotations

from typing import NamedTuple

PREFIX = "SPEEDCOPY_LAB_"
SHARE_MOUNT = "SMB_XFS"  # what $SHARE names

FILE_SYSTEMS = ("ext4", "xfs", "btrfs")

# Where the guest sees the scratch directory and the writable ones of the host, uncached.
GUEST_SCRATCH = "/run/lab/scratch"
GUEST_WRITABLE = "/run/lab/writable"


class Mount(NamedTuple):  # not a dataclass: the guest would import that for half a second
    """One row: where a directory comes from and why it is worth a test."""

    name: str
    kind: str  # disk, tmpfs, overlay, smb, nfs or ksmbd: one function each in guest.py
    text: str
    disk: str = ""  # the file system that holds its bytes
    server: str = ""  # which smbd
    options: str = ""

    @property
    def share(self) -> str:
        """Name of its share, and of its directory on the disk."""
        return self.name.lower()

    @property
    def variable(self) -> str:
        """Environment variable that holds where it is mounted."""
        return PREFIX + self.name

    @property
    def server_variable(self) -> str:
        """Environment variable that holds the same directory on the server's own disk."""
        return f"{self.variable}_SERVER"


# Local rows first: the servers inside the guest export directories of the local XFS.
MOUNTS = (
    Mount("EXT4", "disk", "local ext4", "ext4"),
    Mount("XFS", "disk", "local XFS with reflinks", "xfs"),
    Mount("BTRFS", "disk", "local btrfs", "btrfs"),
    Mount("TMPFS", "tmpfs", "tmpfs: in memory, no reflinks"),
    Mount("OVERLAY", "overlay", "overlay of two directories of the local ext4", "ext4"),
    Mount(
        "SMB_EXT4", "smb", "SMB 3.1.1 on ext4: copychunk, no FICLONE", "ext4", "smb", "vers=3.1.1"
    ),
    Mount("SMB_XFS", "smb", "SMB 3.1.1 on XFS: copychunk, no FICLONE", "xfs", "smb", "vers=3.1.1"),
    Mount("SMB_BTRFS", "smb", "SMB 3.1.1 on btrfs: answers FICLONE", "btrfs", "smb", "vers=3.1.1"),
    Mount("SMB_OTHER_SHARE", "smb", "another share of the same server", "xfs", "smb", "vers=3.1.1"),
    Mount(
        "SMB_OTHER_SERVER", "smb", "a share of a second server", "xfs", "smb-other", "vers=3.1.1"
    ),
    Mount(
        "SMB_LOOSE",
        "smb",
        "SMB 3.1.1 with cache=loose: caches without leave of the server",
        "xfs",
        "smb",
        "vers=3.1.1,cache=loose",
    ),
    Mount("SMB_NOCACHE", "smb", "SMB 3.1.1 with cache=none", "xfs", "smb", "vers=3.1.1,cache=none"),
    Mount("SMB_NOLEASE", "smb", "SMB 3.1.1 with nolease", "xfs", "smb", "vers=3.1.1,nolease"),
    Mount("SMB1", "smb", "SMB 1.0: no server-side copy", "xfs", "smb", "vers=1.0"),
    Mount("SMB_KSMBD", "ksmbd", "SMB 3.1.1 of ksmbd in the guest, on XFS", "xfs", "", "vers=3.1.1"),
    Mount("NFS42", "nfs", "NFS 4.2 on XFS: clones", "xfs", "", "vers=4.2"),
    Mount("NFS3", "nfs", "NFS 3 on XFS: no server-side copy", "xfs", "", "vers=3,nolock"),
    Mount(
        "NFS42_NOCTO",
        "nfs",
        "NFS 4.2 that trusts attributes for a minute",
        "xfs",
        "",
        "vers=4.2,nocto,actimeo=60",
    ),
    Mount(
        "NFS3_NOCTO",
        "nfs",
        "NFS 3 that trusts attributes for a minute",
        "xfs",
        "",
        "vers=3,nolock,nocto,actimeo=60",
    ),
)

SMB_SERVERS = tuple(dict.fromkeys(row.server for row in MOUNTS if row.server))

OTHER_VARIABLES = (
    ("SHARE", f"the same as {PREFIX}{SHARE_MOUNT}"),
    (f"{PREFIX}NAME_SERVER", "for a share: the same directory on the server's own disk, uncached"),
    (f"{PREFIX}MOUNTS", "names of the rows that are mounted, separated by spaces"),
    (f"{PREFIX}SKIPPED", "names of the rows that could not be had"),
    (f"{PREFIX}SCRATCH", "a writable directory of the host, removed afterwards"),
    (f"{PREFIX}CONTROL", "write a server's name and a newline to the file restart in here;"),
    ("", f"it vanishes when the server is back (servers: {', '.join(SMB_SERVERS)})"),
)


def described() -> str:
    """The table as --help shows it."""
    rows = [(row.variable, row.text) for row in MOUNTS] + list(OTHER_VARIABLES)
    return "\n".join(f"  {variable:32}{text}" for variable, text in rows)
