"""Progress: files, bytes, speed and time left, on a terminal only."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import time
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Speed is that of the last seconds.
_WINDOW = 10.0

#: Seconds between two lines, where there is no bar.
_LINE = 1.0


class Meter:
    """Counts, and shows nothing: there is no terminal, or nobody has asked."""

    is_shown = False

    def __init__(self, files: int = 0, total: int = 0) -> None:
        """Takes how many files and bytes there are in all."""
        self._of_files, self._of_bytes = files, total
        self._before = (0, 0)
        self.files = self.bytes = 0
        self._started, self._ended = time.monotonic(), 0.0
        self._samples = deque([(self._started, 0)])

    def close(self) -> None:
        """Shows the end."""
        self._ended = time.monotonic()

    def say(self, text: str) -> None:
        """Prints a message beside the progress."""
        with contextlib.suppress(OSError):  # the copies go on where nothing can be printed
            sys.stderr.write(f"{text}\n")

    def update(self, files: int, copied: int) -> None:
        """Takes how far the current source has come."""
        self.files, self.bytes = self._before[0] + files, self._before[1] + copied
        self._show()

    def next(self) -> None:
        """The current source is done."""
        self._before = self.files, self.bytes

    def _show(self) -> None:
        pass

    def _speed(self) -> float:
        now = time.monotonic()
        if now > self._samples[-1][0]:
            self._samples.append((now, self.bytes))
        while len(self._samples) > 2 and self._samples[1][0] < now - _WINDOW:  # noqa: PLR2004
            self._samples.popleft()
        (begin, first), (end, last) = self._samples[0], self._samples[-1]
        return (last - first) / (end - begin) if end > begin else 0.0

    def share(self) -> float:
        """How much is done, from 0 to 1. Empty files have no bytes."""
        done, of = (self.bytes, self._of_bytes) if self._of_bytes else (self.files, self._of_files)
        return min(done / of, 1.0) if of else 1.0

    def text(self, width: int) -> str:
        """Says how far it is, in at most so many characters."""
        speed = self._speed()
        left = max(self._of_bytes - self.bytes, 0)
        clock, rest = _clock(left / speed) if speed else "-:--", " left"
        if self._ended:
            seconds = self._ended - self._started
            speed, clock, rest = self.bytes / seconds, f"in {_clock(seconds)}", ""
        percent = f"{self.share():4.0%}"
        files, done, rate = f"{self.files}/{self._of_files}", _size(self.bytes), _size(speed)
        for text in (
            f"{percent}  {files} files  {done}/{_size(self._of_bytes)}  {rate}/s  {clock}{rest}",
            f"{percent} {files} {done} {rate}/s {clock}{rest}",
            f"{percent} {files} {done} {rate}/s {clock}",
            f"{percent} {rate}/s {clock}",
        ):
            if len(text) <= width:
                return text
        return percent[:width]


class Lines(Meter):
    """A line each second: there is a terminal and no library for a bar."""

    is_shown = True
    _last = 0.0

    def _show(self) -> None:
        if time.monotonic() - self._last >= _LINE:
            self._line()

    def _line(self) -> None:
        self._last = time.monotonic()
        self.say(self.text(shutil.get_terminal_size().columns - 1))

    def close(self) -> None:
        """Shows the end."""
        super().close()
        self._line()


def meter(sources: Iterable[str], *, wanted: bool, recursive: bool) -> Meter:
    """The meter for copies of ``sources``."""
    if not wanted or not sys.stderr.isatty():
        return Meter()
    files = total = 0
    for source in sources:
        more = _count(source, recursive=recursive)
        files, total = files + more[0], total + more[1]
    if os.environ.get("TERM") != "dumb":
        with contextlib.suppress(ModuleNotFoundError):
            from speedcopy._cli.bar import Bar  # noqa: PLC0415 (an extra, and slow to import)

            return Bar(files, total)
    return Lines(files, total)


def _count(source: str, *, recursive: bool) -> tuple[int, int]:
    """Files and bytes below. What cannot be read is left to the copy, which reports it."""
    try:
        st = os.lstat(source) if recursive else os.stat(source)
    except OSError:
        return 0, 0
    if not stat.S_ISDIR(st.st_mode):
        return 1, st.st_size if stat.S_ISREG(st.st_mode) else 0
    files = total = 0
    folders = [source] if recursive else []
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                        continue
                    files += 1
                    if entry.is_file(follow_symlinks=False):
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return files, total


def _size(size: float) -> str:
    """Bytes in the unit that suits them."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1000:  # noqa: PLR2004 (no more than three digits)
            digits = 0 if unit == "B" or size >= 100 else 1  # noqa: PLR2004
            return f"{size:.{digits}f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
