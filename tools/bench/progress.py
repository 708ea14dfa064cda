"""How far a run is, on stderr: at once on a terminal, elsewhere only when the run is long."""

from __future__ import annotations

import sys
import time

_TERMINAL_SECONDS = 0.1
_LONG_SECONDS = 10.0


def show(text: str) -> None:
    """On a terminal, a line that the next one replaces; an empty one wipes it out."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


class Progress:
    """Counts steps; closing it wipes out its line."""

    def __init__(self, total: int) -> None:
        """Expect ``total`` steps."""
        self._total = total
        self._done = 0
        self._live = sys.stderr.isatty()
        self._every = _TERMINAL_SECONDS if self._live else _LONG_SECONDS
        self._shown = time.monotonic() - (self._every if self._live else 0)

    def step(self, doing: str) -> None:
        """Say what is being done now, unless something was said a moment ago."""
        now = time.monotonic()
        if now - self._shown >= self._every:
            self._shown = now
            text = f"{self._done} of {self._total} done, now {doing}"
            if self._live:
                show(text)
            else:
                print(text, file=sys.stderr, flush=True)
        self._done += 1

    def close(self) -> None:
        """Wipe out the line."""
        show("")
