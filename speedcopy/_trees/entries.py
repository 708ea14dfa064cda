"""The names in a directory of src, and what is done about each."""

from __future__ import annotations

import os
import shutil
import stat
from enum import Enum
from typing import TYPE_CHECKING, Callable, NamedTuple, Optional, Union, cast

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from speedcopy._types import Metadata, Path

#: Called with a directory and the names in it; returns those that are not copied.
Ignore = Callable[[str, list[str]], "Container[str]"]

#: What a FUSE server that knows no inodes may give to all its files, and the root of each server.
NO_INODES = (0, 1, 0xFFFFFFFF)

#: What shutil.Error holds: src, dst and the text of the error.
Errors = list[tuple[object, object, str]]

#: The real names of the directories that must not be copied, by device and inode. The name is
#: compared as well if the inode is one of NO_INODES. A bind mount has another name.
Own = dict[tuple[int, int], Union[str, bytes]]


class Settings(NamedTuple):
    """What the caller of copytree asks for."""

    symlinks: bool
    ignore: Optional[Ignore]
    ignore_dangling_symlinks: bool
    dirs_exist_ok: bool
    metadata: Optional[Metadata]
    own: Own
    #: The names of the directories in dst that were there, by device and inode.
    known: dict[tuple[int, int], Path]
    #: Not None for ``speedcopy cp``: modes are GNU cp's, and links in dst are not followed.
    umask: Optional[int] = None

    @property
    def as_cp(self) -> bool:
        """Whether this is ``speedcopy cp``."""
        return self.umask is not None


class Kind(Enum):
    """What is done about a name."""

    #: A regular file is copied.
    FILE = "files"
    #: Something else is copied as if it were one: what a link leads to, a device.
    OTHER = "others"
    #: A link becomes a link.
    LINK = "links"
    DIRECTORY = "directories"
    NOTHING = "nothing"


#: Position, name, and the entry of what is not a regular file.
Found = tuple[int, str, "Optional[os.DirEntry[str]]"]


def found_in(scan: Iterable[os.DirEntry[str]]) -> Iterator[Found]:
    """Goes through a directory. Costs no system call per name."""
    for position, entry in enumerate(scan):
        try:
            is_file = entry.is_file(follow_symlinks=False)
        except OSError:
            is_file = False
        yield position, entry.name, None if is_file else entry


def kind_of(entry: os.DirEntry[str], src: str, settings: Settings) -> Kind:
    """What is done about an entry. Raises the errors that shutil notes."""
    is_link = entry.is_symlink()
    if is_link and os.name == "nt":  # a junction looks like a link, and is copied as a directory
        tag = getattr(entry.stat(follow_symlinks=False), "st_reparse_tag", 0)
        is_link = tag != getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
    if is_link and settings.symlinks:
        return Kind.LINK
    # As in shutil, a relative target is looked for in the working directory.
    if is_link and settings.ignore_dangling_symlinks and not os.path.exists(os.readlink(src)):
        return Kind.NOTHING
    return Kind.DIRECTORY if entry.is_dir() else Kind.OTHER


def prefix_of(path: Path) -> str:
    """A directory with a separator at the end; bytes if the path is."""
    name = cast("str", os.fspath(path))
    return os.path.join(name, name[:0])


def real_name(path: Path) -> Union[str, bytes]:
    """The name of a file itself, where a path leads to it by links."""
    return os.path.basename(os.path.realpath(path))


def has_other_name(dst: Path, settings: Settings) -> bool:
    """Whether a directory that was there may have another name in dst: a link, a bind mount."""
    st = os.stat(dst)
    key = st.st_dev, st.st_ino
    if os.path.islink(dst) or key in settings.own:
        return True
    return st.st_ino not in NO_INODES and settings.known.setdefault(key, dst) != dst


def errors_of(why: object, src: object, dst: object) -> Errors:
    """What shutil.Error holds about an error; what it holds already is taken over."""
    if isinstance(why, shutil.Error) and why.args and isinstance(why.args[0], list):
        return cast("Errors", why.args[0])
    return [(src, dst, str(why))]
