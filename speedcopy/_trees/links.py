"""Links in a tree that become links."""

from __future__ import annotations

import os
from typing import Optional

from speedcopy._fallback import copy_metadata


def copy_link(src: str, dst: str, metadata: Optional[str], *, replaces: bool = False) -> None:
    """Makes a link that leads where ``src`` leads. What is there before may be replaced."""
    target = os.readlink(src)
    try:
        os.symlink(target, dst)
    except FileExistsError:
        if not (replaces and _may_be_replaced(src, dst)):
            raise
        os.unlink(dst)
        os.symlink(target, dst)
    copy_metadata(src, dst, metadata, follow_symlinks=False)


def _may_be_replaced(src: str, dst: str) -> bool:
    """Whether GNU cp removes dst to put a link there: no directory, and not the file itself."""
    if os.path.islink(dst):
        return True
    return not (os.path.isdir(dst) or (os.path.exists(src) and os.path.samefile(src, dst)))
