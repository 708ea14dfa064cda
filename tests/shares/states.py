"""What dst is before a copy on a share, and what the mechanisms there are called."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional

from support.layout import pattern
from support.sizes import MIB

if TYPE_CHECKING:
    from support.lab_mounts import Share

FICLONE, COPYCHUNK = "FICLONE", "CIFS_IOC_COPYCHUNK_FILE"
DECLINED_CLONE = {FICLONE: "EOPNOTSUPP"}
BY_CHUNKS = (COPYCHUNK, DECLINED_CLONE)

BEFORES = (None, 0, 1000, 5000, 5 * MIB)


def make_dst(share: Share, size: Optional[int]) -> None:
    """What dst is before the copy: None for new."""
    if size is not None:
        (share / "dst").write_bytes(pattern(size, "dst"))
    elif (share / "dst").exists():
        os.unlink(share / "dst")
