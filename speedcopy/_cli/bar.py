"""A bar by rich, of the extra ``speedcopy[progress]``."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from speedcopy._cli.meter import Meter

#: A terminal narrower than this has no room for a bar.
_ROOM_FOR_BAR = 80

_NARROWEST_BAR = 12


class Bar(Meter):
    """Drawn ten times a second, by a thread of rich's."""

    is_shown = True

    def __init__(self, files: int, total: int) -> None:
        """Takes how many files and bytes there are in all."""
        super().__init__(files, total)
        self._console = Console(stderr=True)
        no_wrap = Column(no_wrap=True)
        columns: list[Any] = [TextColumn("{task.fields[text]}", table_column=no_wrap, markup=False)]
        if self._console.width >= _ROOM_FOR_BAR:
            columns.insert(0, BarColumn(bar_width=None))
        self._progress = Progress(
            *columns, console=self._console, redirect_stdout=False, expand=True
        )
        self._task = self._progress.add_task("", total=1.0, text=_Text(self))
        self._progress.start()

    def room(self) -> int:
        """How many characters the text may have."""
        width = self._console.width
        return width - _NARROWEST_BAR if width >= _ROOM_FOR_BAR else width

    def close(self) -> None:
        """Shows the end."""
        super().close()
        self._show()
        self._progress.stop()

    def say(self, text: str) -> None:
        """Prints a message above the bar."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _show(self) -> None:
        self._progress.update(self._task, completed=self.share())


class _Text:
    """The text beside the bar, made whenever it is drawn: a slow file has a speed, too."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def __format__(self, _how: str) -> str:
        return self._bar.text(self._bar.room())
