"""Which directory of a tree is next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Optional

if TYPE_CHECKING:
    from speedcopy._trees.directories import Directory

#: The reading of a directory waits while so many directories in it are not begun.
_MANY = 1000

#: So many directories may wait like this, as each has a descriptor. Others are read to the end.
_WAITING = 64


class Schedule:
    """Directories that are being read, and those that are not begun.

    Files are drawn from several directories in turn, and directories are made under different
    parents, because a server's client makes what is in one directory one after the other: over
    SMB, 16 threads took 17.3 ms a file in one directory and 5.4 over 16, and a mkdir took 54 ms on
    1 thread and 6.2 on 16 under different parents.
    """

    def __init__(self, root: Directory, most: int) -> None:
        self._most = most
        self._active = deque([root])
        self._opening: set[Directory] = set()
        #: Those whose reading waits.
        self._waiting: set[Directory] = set()
        #: Those with others in them that are not begun, where none is being made. The last one is
        #: next, so that not much is begun at a time.
        self._parents: list[Directory] = []

    def next_to_open(self) -> Optional[Directory]:
        """A directory that is to be opened and made now; then ``opened`` is called."""
        if not self._parents or len(self._active) + len(self._opening) >= self._most:
            return None
        # Removed last, so that the note on an interrupt does not miss it.
        parent = self._parents[-1]
        child = parent.child(*parent.pending[0])
        self._opening.add(child)
        self._parents.pop()
        parent.pending.popleft()
        return child

    def next_to_read(self) -> Optional[Directory]:
        """A directory from which some names are to be drawn; then ``drawn`` is called."""
        return self._active[0] if self._active else None

    def opened(self, child: Directory, parent: Directory, *, is_made: bool) -> None:
        """A directory was opened and made, or it could not be."""
        if is_made:  # first, so that an interrupt finds it here or there
            self._active.append(child)
        self._opening.remove(child)
        parent.making = False
        self._go_on_with(parent)
        if not parent.pending and parent in self._waiting:
            self._waiting.remove(parent)
            self._active.append(parent)
        if not is_made:
            child.close()

    def must_wait(self, directory: Directory) -> bool:
        """Whether others should be begun before the directory is read on."""
        return len(directory.pending) >= _MANY and len(self._waiting) < _WAITING

    def drawn(self, directory: Directory, *, at_the_end: bool) -> None:
        """Some names were drawn, perhaps the last ones."""
        self._go_on_with(directory)
        self._active.popleft()
        if at_the_end:
            directory.close()
        elif self.must_wait(directory):
            self._waiting.add(directory)
        else:
            self._active.append(directory)

    def _go_on_with(self, parent: Directory) -> None:
        if parent.pending and not parent.making:
            parent.making = True
            self._parents.append(parent)

    def close(self) -> list[str]:
        """Closes all that is open. Returns the paths in src that were not read to their end."""
        begun = [*self._active, *self._waiting, *self._opening]
        for directory in begun:
            directory.close()
        parents = {*self._parents, *(child.parent for child in self._opening)}
        pending = [
            parent.src_prefix + name
            for parent in parents
            if parent is not None
            for _, name in parent.pending
        ]
        return [directory.src_prefix for directory in begun] + pending
