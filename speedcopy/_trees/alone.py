"""Files that are copied alone, because two names may lead to one file in dst."""

from __future__ import annotations

import heapq
import os
import unicodedata
from typing import TYPE_CHECKING, NamedTuple, Optional, Union

if TYPE_CHECKING:
    from speedcopy._trees.directories import Directory
    from speedcopy._trees.entries import Kind
    from speedcopy._trees.tasks import Task


class Waiting(NamedTuple):
    """A name that waits until nothing else is being copied."""

    #: The positions of the directories above it, and its own: shutil's order.
    order: tuple[int, ...]
    name: str
    directory: Directory
    kind: Kind
    #: The audit hooks have heard of it.
    heard: bool


class Alone:
    """Which names are under way, and which have to wait.

    Two copies that write to one file at the same time mix their data. Names that differ in case or
    in the form of a letter are one file on many file systems, so of these only one is under way.
    What lies in a directory of dst that is a link waits, and so does a file with several links.
    """

    def __init__(self) -> None:
        self._under_way: set[tuple[str, str]] = set()
        self._waiting: list[Waiting] = []

    def enter(self, directory: Directory, position: int, name: str, kind: Kind) -> bool:
        """Whether a name may be copied now. If not, it waits."""
        key = directory.folded, folded(name)
        if directory.linked or key in self._under_way:
            self.wait(directory, position, name, kind, heard=False)
            return False
        self._under_way.add(key)
        return True

    def leave(self, task: Task) -> None:
        """The names of a task are not under way any more."""
        prefix = task.directory.folded
        self._under_way.difference_update((prefix, folded(name)) for name in task.names)

    def wait(
        self, directory: Directory, position: int, name: str, kind: Kind, *, heard: bool
    ) -> None:
        """A name has to be copied alone."""
        directory.unfinished += 1
        order, above = [position], directory
        while above.parent is not None:
            order.append(above.position)
            above = above.parent
        heapq.heappush(self._waiting, Waiting(tuple(order[::-1]), name, directory, kind, heard))

    def first(self) -> Optional[Waiting]:
        """The name that is next, once nothing is under way."""
        return self._waiting[0] if self._waiting else None

    def remove_first(self) -> None:
        """The copy of that name has begun: its task is unfinished now, and so it was until now."""
        heapq.heappop(self._waiting).directory.unfinished -= 1

    def left(self) -> list[str]:
        """The paths in src that still wait."""
        return [waiting.directory.src_prefix + waiting.name for waiting in sorted(self._waiting)]


def folded(name: Union[str, bytes]) -> str:
    """The same for names that a file system takes for one.

    Many ignore case and the form of letters, vfat and exFAT dots and blanks at the end, HFS+ and
    ext4 with casefold letters that are not seen (category Cf).
    """
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name).casefold()
        name = "".join(letter for letter in name if unicodedata.category(letter) != "Cf")
        name = unicodedata.normalize("NFKC", name)
    return name.lower().rstrip(". ")
