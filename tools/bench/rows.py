"""What a run is asked for, and its results: plan, timings, rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MB = 1 << 20


@dataclass(frozen=True)
class Plan:
    """What to copy, and how often.

    ``sizes`` are in bytes. One worker copies one file a round; more are threads, and each of
    them copies a source of its own ``copies_per_worker`` times a round.
    """

    sizes: tuple[int, ...]
    repeats: int
    workers: int
    copies_per_worker: int

    @property
    def threaded(self) -> bool:
        """Whether copies run side by side."""
        return self.workers > 1

    @property
    def copies_per_round(self) -> int:
        """Copies that a tool makes before it is the next one's turn."""
        return self.workers * self.copies_per_worker if self.threaded else 1

    @property
    def copies(self) -> int:
        """Copies that the seconds of a row stand for."""
        return self.copies_per_round if self.threaded else self.repeats

    @property
    def space(self) -> int:
        """Bytes that the files need at the same time, at most."""
        return max(self.sizes) * (self.workers + self.copies_per_round)


@dataclass(frozen=True)
class Timing:
    """One tool, one size: ``seconds`` for all ``copies`` of ``size`` bytes; samples by repeat."""

    size: int
    copies: int
    seconds: float
    samples: tuple[float, ...]

    @property
    def mb_per_s(self) -> float:
        """The bytes of the row, in MB, divided by its seconds."""
        return self.size * self.copies / MB / self.seconds


@dataclass(frozen=True)
class Row:
    """One size: a timing for each tool by name, and what speedcopy reported for a copy."""

    size: int
    timings: dict[str, Timing]
    mechanism: str
    declined: dict[str, str]

    def gain(self, over: str = "shutil") -> float:
        """How many times faster than ``over`` speedcopy is."""
        return self.timings[over].seconds / self.timings["speedcopy"].seconds


def overall_gain(rows: Sequence[Row], over: str = "shutil") -> float:
    """All seconds of ``over``, divided by all of speedcopy's."""
    theirs = sum(row.timings[over].seconds for row in rows)
    return theirs / sum(row.timings["speedcopy"].seconds for row in rows)


def size_mb(size: int) -> str:
    """A size in MB, in short."""
    return f"{size / MB:g}" if size >= MB else f"{size / MB:.3g}"
