"""Copies a tree on the calling thread, one name after the other in shutil's order."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Optional

from speedcopy._trees.entries import Kind, Settings, errors_of
from speedcopy._trees.links import copy_link
from speedcopy._trees.tasks import TICK, add_note
from speedcopy._types import Done

if TYPE_CHECKING:
    from speedcopy._trees.directories import Directory
    from speedcopy._types import Path, TreeProgress


class InOrder:
    """The copy of one tree by a function that may rely on shutil's order."""

    def __init__(
        self,
        settings: Settings,
        copy_function: Callable[[str, str], object],
        progress: Optional[TreeProgress],
    ) -> None:
        self._settings = settings
        self._copy_function = copy_function
        self._progress = progress
        self._done = Done(0, 0)
        self._next_tick = time.perf_counter() + TICK

    def run(self, root: Directory) -> None:
        """Copies all that is in a directory, which is open and made.

        An exception that ends the copy has a note on what was not copied.
        """
        begun = [root]
        try:
            while begun:
                child = self._copy_until_directory(begun[-1])
                if child is None:
                    self._finish(begun.pop())
                elif self._begin(child):
                    begun.append(child)
        except BaseException as error:
            add_note(error, self._done, [], [directory.src_prefix for directory in begun[::-1]])
            raise
        finally:
            for directory in begun:
                directory.close()
        if self._progress is not None:
            self._progress(self._done)

    def _copy_until_directory(self, directory: Directory) -> Optional[Directory]:
        """Copies names until one is a directory, which is returned."""
        for position, name, kind in directory.names:
            if kind is Kind.DIRECTORY:
                return directory.child(position, name)
            src, dst = directory.src_prefix + name, directory.dst_prefix + name
            try:
                if kind is Kind.LINK:
                    settings = self._settings
                    copy_link(src, dst, settings.metadata, replaces=settings.as_cp)
                else:
                    self._copy_function(src, dst)
            except OSError as why:
                directory.fail(position, name, why)
            else:
                self._count(dst)
        return None

    def _begin(self, child: Directory) -> bool:
        """Opens and makes a directory; returns whether there is anything to copy in it."""
        parent = child.parent
        try:
            if not child.scan(self._settings):
                return False
            child.choose(self._settings.ignore)
            child.make(self._settings)
        except BaseException as why:
            child.close()
            if parent is None or not isinstance(why, OSError):
                raise
            parent.take_over(child, errors_of(why, child.src, child.dst))
            return False
        if parent is not None:
            parent.read_on()
        return True

    def _finish(self, directory: Directory) -> None:
        directory.finish(self._settings)
        if directory.parent is not None:
            directory.parent.take_over(directory, directory.errors())

    def _count(self, dst: Path) -> None:
        size = 0
        if self._progress is not None:
            with suppress(OSError):  # the function may have put it elsewhere
                size = os.lstat(dst).st_size
        self._done = Done(self._done.files + 1, self._done.bytes + size)
        if self._progress is not None and time.perf_counter() >= self._next_tick:
            self._progress(self._done)
            self._next_tick = time.perf_counter() + TICK
