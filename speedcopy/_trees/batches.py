"""The files of a tree in batches, copied by any executor."""

from __future__ import annotations

import contextlib
import filecmp
import os
import stat
from typing import TYPE_CHECKING, Literal, NamedTuple, Optional

from speedcopy._copy2 import Copier
from speedcopy._copyfile import Options
from speedcopy._fallback import copy_metadata
from speedcopy._trees.as_cp import refuse_dst

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speedcopy._types import Metadata


class How(NamedTuple):
    """How the names of a batch are copied."""

    metadata: Optional[Literal[Metadata, "mode"]]
    #: The names are regular files.
    files: bool
    #: The tree has made the directory of dst itself: no name was there before.
    fresh: bool
    #: Both directories are opened, and names looked up in them: quick locally, slow on shares.
    opened: bool
    #: dst is on NFS, where O_EXCL is one operation more: left out in a fresh directory.
    nfs: bool
    #: Another process copies, and a cluster may run a batch a second time.
    elsewhere: bool
    #: Another one for each tree. dask takes two equal calls for one, and runs it once.
    tree: str
    #: The rows of the platform's table that are not tried, as in an Options.
    skip: int
    #: Modes are GNU cp's, and what is in the place of dst is looked at first.
    as_cp: bool = False


class Batch(NamedTuple):
    """Names of one directory. Small, as it is sent to other processes."""

    #: The directories with a separator at the end. All three are bytes if the caller's paths are.
    src: str
    dst: str
    names: list[str]
    how: How


class Outcome(NamedTuple):
    """What became of a batch."""

    #: How many of the names were worked on; the rest was not because the copy was stopped.
    tried: int
    #: Bytes.
    copied: int
    #: The index of each name that failed, and the text of its error.
    failed: list[tuple[int, str]]
    #: The rows of the platform's table that need not be tried for these two directories.
    skip: int = 0


class Stopped(Exception):  # noqa: N818
    """Ends the copy of a file, because the whole tree is given up."""


class Watch:
    """How far a batch in this process has come, and how it is asked to stop."""

    __slots__ = ("copied", "done", "stopped")

    def __init__(self) -> None:
        self.copied = 0
        #: Without the file that is being copied.
        self.done = 0
        self.stopped = False

    def tick(self, copied: int, _total: int) -> None:
        """Called while a file is copied that takes long."""
        self.copied = self.done + copied
        if self.stopped:
            raise Stopped


def copy_batch(batch: Batch, watch: Optional[Watch] = None) -> Outcome:
    """Copies the names of a batch. An OSError is in the outcome, anything else is raised.

    It may be run twice, and may find what an earlier run has left half done.
    """
    src, dst, names, how = batch
    watch = watch or Watch()
    options = Options(
        progress=watch.tick,
        metadata=how.metadata,
        skip=how.skip,
        src_is_file=how.files,
        name_is_free=how.fresh and how.nfs,
        as_cp=how.as_cp,
    )
    copier = Copier(options, *((src, dst) if how.opened else ()))
    failed: list[tuple[int, str]] = []
    try:
        for index, name in enumerate(names):
            if watch.stopped:
                return Outcome(index, watch.done, failed)
            try:
                watch.done += _copy(copier, src, dst, name, how)
            except Stopped:
                return Outcome(index, watch.done, failed)
            except OSError as why:
                failed.append((index, str(why)))
    finally:
        copier.close()
    return Outcome(len(names), watch.done, failed, copier.skip)


def link_batch(batch: Batch) -> Outcome:
    """Makes the links of a batch again. An OSError is in the outcome."""
    src, dst, names, how = batch
    failed: list[tuple[int, str]] = []
    for index, name in enumerate(names):
        with _failures(failed, index):
            copy_link(src + name, dst + name, how.metadata)
    return Outcome(len(names), 0, failed)


@contextlib.contextmanager
def _failures(failed: list[tuple[int, str]], index: int) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        failed.append((index, str(why)))


def _copy(copier: Copier, src: str, dst: str, name: str, how: How) -> int:
    """Copies a file from one directory to another; returns the bytes.

    A directory in the place of dst gets the file inside, as with copy2. That is asked only after a
    refusal, as it costs a request. And an earlier run may have left a file that nobody may write.
    """
    old, new = src + name, dst + name
    if how.as_cp and not how.fresh:
        refuse_dst(new)
    try:
        return copier(old, new)
    except (IsADirectoryError, PermissionError) as why:
        if not how.fresh and os.path.isdir(new):
            return copier(old, os.path.join(new, name))
        if not (how.elsewhere and isinstance(why, PermissionError) and _is_file(new)):
            raise
        if _is_equal(old, new):
            return os.stat(new).st_size
        # The very name, not another one in a directory that ignores case.
        if not how.fresh or name not in os.listdir(dst):
            raise
        if os.name == "nt":
            os.chmod(new, stat.S_IWRITE)
        os.unlink(new)
        return copier(old, new)


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def _is_equal(src: str, dst: str) -> bool:
    """Whether an earlier run has copied the file. Its mode comes last, and forbids writing."""
    try:
        return filecmp.cmp(src, dst, shallow=False)
    except OSError:
        return False


def copy_link(src: str, dst: str, metadata: Optional[str]) -> None:
    """Makes a link that leads where ``src`` leads."""
    os.symlink(os.readlink(src), dst)
    copy_metadata(src, dst, metadata, follow_symlinks=False)
