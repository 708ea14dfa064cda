"""One directory of a tree: its names, its copy, and the errors in it."""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Optional, cast

from speedcopy._fallback import copy_metadata, drop_rights
from speedcopy._trees.alone import folded
from speedcopy._trees.as_cp import complete_directory, make_directory
from speedcopy._trees.entries import (
    NO_INODES,
    Errors,
    Found,
    Ignore,
    Kind,
    Own,
    Settings,
    errors_of,
    found_in,
    has_other_name,
    kind_of,
    prefix_of,
    real_name,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from typing import Protocol

    class Scan(Iterator["os.DirEntry[str]"], Protocol):
        """What os.scandir returns."""

        def close(self) -> None: ...

    from speedcopy._types import Path


#: Behind every position.
_LAST = 1 << 62


class Directory:
    """A directory on its way from src to dst."""

    __slots__ = (
        *("_errors", "_found", "_ignored", "_scan", "dst", "dst_prefix", "folded", "fresh"),
        *("linked", "making", "mode", "names", "parent", "pending", "places", "position", "src"),
        *("src_prefix", "unfinished"),
    )

    def __init__(
        self, src: Path, dst: Path, parent: Optional[Directory] = None, position: int = 0
    ) -> None:
        self._scan: Optional[Scan] = None
        #: As the caller wrote them, for the directory that copytree is called with.
        self.src, self.dst = src, dst
        #: These two are bytes if the caller's paths are, as are the names.
        self.src_prefix, self.dst_prefix = prefix_of(src), prefix_of(dst)
        self.folded = folded(self.dst_prefix)
        self.parent = parent
        #: The position among the names of the parent.
        self.position = position
        #: Position, name and kind of what is still to be copied.
        self.names: Iterator[tuple[int, str, Kind]] = iter(())
        #: Position and name of the directories in it that are not begun.
        self.pending: deque[tuple[int, str]] = deque()
        #: One of the directories in it is being made, or is the next one to be.
        self.making = False
        #: How much in it is not at its end: tasks, directories, and the reading of its names.
        self.unfinished = 1
        #: The tree has made dst itself.
        self.fresh = False
        #: dst, or a directory between the tree's dst and this one, may have another name in dst.
        self.linked: bool = parent is not None and parent.linked
        #: Of src, where dst is made as GNU cp makes it.
        self.mode = 0o777
        #: The device of src, and the directory above that is on the device of dst.
        self.places = 0, self.dst_prefix
        self._found: list[str] = []
        self._ignored: Container[str] = ()
        self._errors: list[tuple[int, Errors]] = []

    def child(self, position: int, name: str) -> Directory:
        """A directory in this one."""
        return Directory(self.src_prefix + name, self.dst_prefix + name, self, position)

    def scan(self, settings: Settings) -> bool:
        """Opens src. Returns False if it must not be copied, as it is what the tree has made.

        The names are read while they are copied: a list of a million entries is 241 MB. An ignore
        function gets a list of names, 73 MB, and only what is no regular file keeps its entry.
        """
        if self._is_one_of(settings.own):
            return False
        sys.audit("shutil.copytree", self.src, self.dst)
        self._scan = scan = cast("Scan", os.scandir(self.src))
        if settings.ignore is None:
            self.names = self._kinds(found_in(scan), settings)
            return True
        entries: dict[int, os.DirEntry[str]] = {}
        try:
            for position, name, entry in found_in(scan):
                self._found.append(name)
                if entry is not None:
                    entries[position] = entry
        finally:
            self.close()
        found = ((at, name, entries.get(at)) for at, name in enumerate(self._found))
        self.names = self._kinds(found, settings)
        return True

    def _is_one_of(self, own: Own) -> bool:
        with suppress(OSError):
            st = os.stat(self.src)
            self.places = st.st_dev, self.dst_prefix
            name = own.get((st.st_dev, st.st_ino))
            is_known = st.st_ino not in NO_INODES
            return name is not None and (is_known or name == real_name(self.src))
        return False

    def choose(self, ignore: Optional[Ignore]) -> None:
        """Calls the ignore function, if there is one."""
        if ignore is not None:
            self._ignored = ignore(cast("str", os.fspath(self.src)), list(self._found))

    def make(self, settings: Settings) -> None:
        """Makes dst. Its parent is there."""
        try:
            if not settings.as_cp:
                os.mkdir(self.dst)
            else:
                self.mode = make_directory(self.src, self.dst)
        except OSError:
            is_followed = not settings.as_cp or not os.path.islink(self.dst)
            if not (settings.dirs_exist_ok and is_followed and os.path.isdir(self.dst)):
                raise
            self.linked |= has_other_name(self.dst, settings)
        else:
            self.fresh = True
            if self.parent is not None:
                self.places = self.places[0], self.parent.places[1]

    def _kinds(self, found: Iterable[Found], settings: Settings) -> Iterator[tuple[int, str, Kind]]:
        """Position, name and kind of what is to be copied."""
        ignored = self._ignored
        try:
            for position, name, entry in found:
                if name in ignored:
                    continue
                kind = Kind.FILE
                if entry is not None:
                    try:
                        kind = kind_of(entry, self.src_prefix + name, settings)
                    except OSError as why:
                        self.fail(position, name, why)
                        continue
                if kind is not Kind.NOTHING:
                    yield position, name, kind
        except OSError as why:  # src could not be read to its end
            self.fail_itself(why)

    def read_on(self) -> None:
        """Reads all names, so that no descriptor is open while a directory in it is copied."""
        self.names = iter(list(self.names))

    def close(self) -> None:
        """Closes src."""
        if self._scan is not None:
            self._scan.close()

    def __del__(self) -> None:
        """Closes it where an interrupt came before that."""
        self.close()

    def finish(self, settings: Settings) -> None:
        """Gives dst the metadata of src, when nothing is written in it any more."""
        try:
            copy_metadata(self.src, self.dst, settings.metadata)
            if settings.umask is None:
                return
            if settings.metadata:
                drop_rights(self.src, self.dst)
            elif self.fresh:
                complete_directory(self.dst, self.mode, settings.umask)
        except OSError as why:
            # As in shutil: Windows may not be able to set the times of a directory.
            if getattr(why, "winerror", None) is None:
                self.fail_itself(why)

    def fail(self, position: int, name: str, why: object) -> None:
        """Notes the error of a name: an OSError or its text."""
        errors = errors_of(why, self.src_prefix + name, self.dst_prefix + name)
        self._errors.append((position, errors))

    def fail_itself(self, why: OSError) -> None:
        """Notes an error of the directory, after those in it."""
        self._errors.append((_LAST, errors_of(why, self.src, self.dst)))

    def take_over(self, child: Directory, errors: Errors) -> None:
        """Notes the errors of a directory in it."""
        if errors:
            self._errors.append((child.position, errors))

    def errors(self) -> Errors:
        """All errors in this directory and those in it, in the order of the names."""
        self._errors.sort(key=lambda item: item[0])
        return [error for _, errors in self._errors for error in errors]


def make_root(root: Directory, settings: Settings) -> Own:
    """Makes the directory of a tree and what is missing above it; says what must not be copied.

    That is all that was made, and dst if it was there: they may lie in src.
    """
    own, above = [root.dst], os.path.dirname(root.dst)
    while above and not os.path.lexists(above):
        own.append(above)
        above = os.path.dirname(above)
    if settings.as_cp:
        root.make(settings)
    else:
        try:
            os.makedirs(root.dst)
        except OSError:
            if not settings.dirs_exist_ok or not os.path.isdir(root.dst):
                raise
        else:
            root.fresh = True
    found: Own = {}
    for path in own:
        with suppress(OSError):
            st = os.stat(path)
            found[st.st_dev, st.st_ino] = real_name(path)
    return found
