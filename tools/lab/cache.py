"""Where --setup keeps what it fetched."""

from __future__ import annotations

import os
from pathlib import Path

CACHE_VARIABLE = "SPEEDCOPY_LAB_CACHE"


def folder() -> Path:
    """The cache folder: the lab's own variable, else XDG's."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).resolve()
    xdg = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(xdg).resolve() / "speedcopy-lab"
