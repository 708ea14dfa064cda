"""The files of a tree in batches, copied by any executor."""

from __future__ import annotations

import filecmp
import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from speedcopy._copy_one import Metadata, copy_metadata, copy_one

if TYPE_CHECKING:
    from speedcopy._types import Progress


class Options(NamedTuple):
    """How the files of a batch are copied."""

    metadata: Metadata
    #: As copy does; otherwise as copy2.
    mode_only: bool
    #: The tree has made the directory of dst itself: no name was there before.
    fresh: bool
    #: Another process copies, and a cluster may run a batch a second time.
    elsewhere: bool
    #: Another one for each tree. dask takes two equal calls for one, and runs it once.
    tree: str
    #: Somebody wants to know how many bytes were copied.
    counted: bool
    #: The names are links, and become links.
    links: bool = False


class Batch(NamedTuple):
    """Files of one directory. Small, as it is sent to other processes."""

    #: The directories with a separator at the end. All three are bytes if the caller's paths are.
    src: str
    dst: str
    names: list[str]
    options: Options


class Outcome(NamedTuple):
    """What became of a batch."""

    #: How many of the names were worked on; the rest was not because the copy was stopped.
    tried: int
    copied: int
    #: The index of each name that failed, and the text of its error.
    failed: list[tuple[int, str]]


class Stopped(Exception):  # noqa: N818
    """Ends the copy of a file, because the whole tree is given up."""


class Watch:
    """How far a batch in this process has come, and how it is asked to stop."""

    __slots__ = ("copied", "stopped")

    def __init__(self) -> None:
        self.copied = 0
        self.stopped = False


def copy_batch(batch: Batch, watch: Optional[Watch] = None) -> Outcome:
    """Copies the files of a batch. An OSError is in the outcome, anything else is raised.

    It may be run twice, and may find what an earlier run has left half done.
    """
    src, dst, names, options = batch
    failed: list[tuple[int, str]] = []
    copied = 0
    progress = None
    if watch is None:
        watch = Watch()
    elif options.counted:

        def progress(now: int, _total: int) -> None:
            watch.copied = copied + now
            if watch.stopped:
                raise Stopped

    for index, name in enumerate(names):
        if watch.stopped:
            return Outcome(index, copied, failed)
        try:
            copied += _copy(src, dst, name, options, progress)
        except Stopped:
            return Outcome(index, copied, failed)
        except OSError as why:
            failed.append((index, str(why)))
    return Outcome(len(names), copied, failed)


def _copy(src: str, dst: str, name: str, options: Options, progress: Optional[Progress]) -> int:
    """Copies a name from a directory to another; returns the bytes, if they are counted."""
    new = dst + name
    if options.links:
        copy_link(src + name, new, options.metadata)
        return 0
    try:
        copy_one(src + name, new, options.metadata, progress, mode_only=options.mode_only)
    except (IsADirectoryError, PermissionError) as why:
        new = _again(src + name, dst, name, options, why)
    return os.stat(new).st_size if options.counted else 0


def _again(src: str, directory: str, name: str, options: Options, why: OSError) -> str:
    """Copies what was refused for a reason that may have been ours; returns the new file's path.

    A directory in the place of dst gets the file inside, as with copy2: that is asked only now,
    because it would cost a request for each file. And an earlier run of the same batch may have
    left a file that nobody may write.
    """
    dst = directory + name
    if not options.fresh and os.path.isdir(dst):
        dst = os.path.join(dst, name)
        copy_one(src, dst, options.metadata, None, mode_only=options.mode_only)
    elif options.elsewhere and isinstance(why, PermissionError) and os.path.isfile(dst):
        if _is_equal(src, dst):
            if not options.mode_only:
                copy_metadata(src, dst, options.metadata)
        elif options.fresh and name in os.listdir(directory):
            # The very name, not another one of a directory that ignores case.
            os.unlink(dst)
            copy_one(src, dst, options.metadata, None, mode_only=options.mode_only)
        else:
            raise why
    else:
        raise why
    return dst


def _is_equal(src: str, dst: str) -> bool:
    try:
        return filecmp.cmp(src, dst, shallow=False)
    except OSError:
        return False


def copy_link(src: str, dst: str, metadata: Metadata) -> None:
    """Makes a link that leads where ``src`` leads."""
    os.symlink(os.readlink(src), dst)
    copy_metadata(src, dst, metadata, follow_symlinks=False)
