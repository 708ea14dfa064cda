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
    kind: str  # disk, tmpfs, overlay, smb, nfs or ksmbd: one function each in guest_mounts.py
    best: str  # how a whole file is copied: by a clone, or its bytes by the server or the client
    text: str
    disk: str = ""  # the file system that holds its bytes
    server: str = ""  # which smbd
    options: str = ""

    @property
    def is_local(self) -> bool:
        """Whether there is no server."""
        return self.kind in {"disk", "tmpfs", "overlay"}

    @property
    def is_smb(self) -> bool:
        """Whether it is mounted by the CIFS client."""
        return self.kind in {"smb", "ksmbd"}

    @property
    def is_trusting(self) -> bool:
        """Whether the client does not look up known attributes again for a minute."""
        return TRUSTING in self.options

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


SMB3 = "vers=3.1.1"
TRUSTING = "nocto,actimeo=60"


def smb(
    name: str, best: str, text: str, options: str = SMB3, disk: str = "xfs", server: str = "smb"
) -> Mount:
    """A share of one of the smbd."""
    return Mount(name, "smb", best, text, disk, server, options)


def nfs(name: str, best: str, text: str, options: str) -> Mount:
    """A directory of the local XFS by NFS."""
    return Mount(name, "nfs", best, text, "xfs", "", options)


# Local rows first: the servers inside the guest export directories of the local XFS.
MOUNTS = (
    Mount("EXT4", "disk", "client", "local ext4", "ext4"),
    Mount("XFS", "disk", "clone", "local XFS with reflinks", "xfs"),
    Mount("BTRFS", "disk", "clone", "local btrfs", "btrfs"),
    Mount("TMPFS", "tmpfs", "client", "tmpfs: in memory, no reflinks"),
    Mount("OVERLAY", "overlay", "client", "overlay of two directories of the local ext4", "ext4"),
    smb("SMB_EXT4", "server", "SMB 3.1.1 on ext4: copychunk, no FICLONE", disk="ext4"),
    smb("SMB_XFS", "server", "SMB 3.1.1 on XFS: copychunk, no FICLONE"),
    smb("SMB_BTRFS", "clone", "SMB 3.1.1 on btrfs: answers FICLONE", disk="btrfs"),
    smb("SMB_OTHER_SHARE", "server", "another share of the same server"),
    smb("SMB_OTHER_SERVER", "server", "a share of a second server", server="smb-other"),
    smb(
        "SMB_LOOSE",
        "server",
        "SMB 3.1.1 with cache=loose: caches without leave of the server",
        f"{SMB3},cache=loose",
    ),
    smb("SMB_NOCACHE", "server", "SMB 3.1.1 with cache=none", f"{SMB3},cache=none"),
    smb("SMB_NOLEASE", "server", "SMB 3.1.1 with nolease", f"{SMB3},nolease"),
    smb("SMB1", "client", "SMB 1.0: no server-side copy", "vers=1.0"),
    Mount(
        "SMB_KSMBD", "ksmbd", "clone", "SMB 3.1.1 of ksmbd in the guest, on XFS", "xfs", "", SMB3
    ),
    nfs("NFS42", "clone", "NFS 4.2 on XFS: clones", "vers=4.2"),
    nfs("NFS3", "client", "NFS 3 on XFS: no server-side copy", "vers=3,nolock"),
    nfs(
        "NFS42_NOCTO",
        "clone",
        "NFS 4.2 that trusts attributes for a minute",
        f"vers=4.2,{TRUSTING}",
    ),
    nfs(
        "NFS3_NOCTO",
        "client",
        "NFS 3 that trusts attributes for a minute",
        f"vers=3,nolock,{TRUSTING}",
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
