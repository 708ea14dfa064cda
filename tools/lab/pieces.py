"""What --setup provides, and what is missing at run time."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab import cache
from lab.errors import MissingPieceError
from lab.packages import install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True)
class Piece:
    """A folder of the cache that a run needs; it is either complete or built anew."""

    name: str
    place: str  # in the cache
    fill: Callable[[Path], None]
    option: str = ""  # that --setup must be given as well

    @property
    def path(self) -> Path:
        """Where it is, or will be."""
        return cache.folder() / self.place

    @property
    def complete(self) -> bool:
        """Whether it was built to the end."""
        return self._stamp.exists()

    @property
    def _stamp(self) -> Path:
        return self.path / ".complete"

    def build(self) -> None:
        """Fill the empty folder; what an interrupted build left is removed first."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(parents=True)
        self.fill(self.path)
        self._stamp.touch()


def missing(packages: Mapping[str, str]) -> list[str]:
    """The Debian packages whose file is not here; to ask dpkg would be slow."""
    return [package for package, file in packages.items() if not Path(file).exists()]


def provide(
    packages: Mapping[str, str], pieces: Iterable[Piece], say: Callable[[str], None]
) -> None:
    """Installs the Debian packages, and builds the pieces, that are not here yet."""
    started = time.monotonic()
    wanted = missing(packages)
    say(f"Debian packages: {'installing ' + ' '.join(wanted) if wanted else 'here'}")
    if wanted:
        install(wanted)
    for piece in pieces:
        if piece.complete:
            say(f"{piece.name}: here")
        else:
            say(f"{piece.name}: into {piece.path}")
            piece.build()
    say(f"set up in {time.monotonic() - started:.0f} s")


def require(packages: Mapping[str, str], pieces: Iterable[Piece], setup: str = "--setup") -> None:
    """Raises MissingPieceError for the first package or piece that is not here."""
    for package in missing(packages):
        name = f"Debian package {package}"
        raise MissingPieceError(name, setup)
    for piece in pieces:
        if not piece.complete:
            raise MissingPieceError(piece.name, f"{setup}{piece.option}")
