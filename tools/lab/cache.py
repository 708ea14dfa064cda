"""Where --setup keeps what it fetched."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CACHE_VARIABLE = "SPEEDCOPY_LAB_CACHE"


def folder() -> Path:
    """The cache folder: the lab's own variable, else XDG's."""
    if own := os.environ.get(CACHE_VARIABLE):
        return Path(own).resolve()
    xdg = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(xdg).resolve() / "speedcopy-lab"


@dataclass(frozen=True)
class Entry:
    """A folder of the cache that is either complete or built anew."""

    path: Path

    @property
    def complete(self) -> bool:
        """Whether it was built to the end."""
        return self._stamp.exists()

    @property
    def _stamp(self) -> Path:
        return self.path / ".complete"

    def build(self, fill: Callable[[Path], None]) -> None:
        """Fill the empty folder; what an interrupted build left is thrown away."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        fill(self.path)
        self._stamp.touch()
