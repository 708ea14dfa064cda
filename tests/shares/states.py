"""The sizes of dst before a copy on a share, and the names of the mechanisms there."""

from __future__ import annotations

from support.sizes import MIB

FICLONE, COPYCHUNK = "FICLONE", "CIFS_IOC_COPYCHUNK_FILE"
DECLINED_CLONE = {FICLONE: "EOPNOTSUPP"}
BY_CHUNKS = (COPYCHUNK, DECLINED_CLONE)

#: None is no dst.
BEFORES = (None, 0, 1000, 5000, 5 * MIB)
