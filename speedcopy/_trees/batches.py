"""The files of a tree in batches, copied by any executor."""

from __future__ import annotations

import contextlib
import filecmp
import os
import stat
from typing import TYPE_CHECKING, Literal, NamedTuple, Optional

from speedcopy import _engine
from speedcopy._copy2 import Copier
from speedcopy._copyfile import Options
from speedcopy._errors import OtherNameError
from speedcopy._trees.as_cp import refuse_dst
from speedcopy._trees.between import Between
from speedcopy._trees.links import copy_link

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
    #: Nothing else is being copied: a file that has more names in dst may be written.
    alone: bool = False
    #: The audit hooks have heard of these names.
    heard: bool = False


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
    #: The indexes of names that have to be copied alone. They were not worked on.
    later: tuple[int, ...] = ()


class Stopped(Exception):  # noqa: N818
    """Ends the copy of a file, because the whole tree is given up."""


class Watch:
    """How far a batch in this process has come, and how it is asked to stop."""

    __slots__ = ("copied", "done", "many", "outcome", "stopped")

    def __init__(self) -> None:
        self.copied = 0
        #: Of a batch that has raised.
        self.outcome: Optional[Outcome] = None
        #: A call for many files.
        self.many: Optional[Between] = None
        #: Without the file that is being copied.
        self.done = 0
        self.stopped = False

    def tick(self, copied: int, _total: int) -> None:
        """Called while a file is copied that takes long."""
        self.copied = self.done + copied + (self.many.copied if self.many else 0)
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
        name=_name_of_dst(how),
        as_cp=how.as_cp,
    )
    copier = Copier(options, audits=not how.heard, skip=how.skip)
    opened = how.opened and (how.fresh or not how.as_cp)
    many = watch.many = Between(copier, options, src, dst, names, opened=opened)
    failed: list[tuple[int, str]] = []
    later: list[int] = []
    index = 0

    def outcome() -> Outcome:
        return Outcome(index, watch.done, failed, copier.skip, tuple(later))

    try:
        while index < len(names) and not watch.stopped:
            done, copied = 1, 0
            try:
                done, copied = _copy(copier, many, batch, index)
            except Stopped:
                done, copied, watch.stopped = many.done, many.copied, True
            except OtherNameError:
                later.append(index)
            except OSError as why:
                failed.append((index, str(why)))
            index += done
            many.forget()
            watch.done += copied
    except BaseException:
        index, watch.done = index + many.done, watch.done + many.copied
        watch.outcome = outcome()
        raise
    return outcome()


def audit_batch(batch: Batch) -> None:
    """Raises the events of a batch that is copied where the audit hooks of this process are not."""
    for name in batch.names if not batch.how.heard else ():
        src, dst = batch.src + name, batch.dst + name
        _engine.audit(src, dst, src, dst, batch.how.metadata)


def _name_of_dst(how: How) -> Literal["any", "free", "only"]:
    if how.fresh:
        return "free" if how.nfs else "any"
    return "any" if how.alone else "only"


def link_batch(batch: Batch) -> Outcome:
    """Makes the links of a batch again. An OSError is in the outcome."""
    src, dst, names, how = batch
    failed: list[tuple[int, str]] = []
    for index, name in enumerate(names):
        with _failures(failed, index):
            copy_link(src + name, dst + name, how.metadata, replaces=how.as_cp)
    return Outcome(len(names), 0, failed)


@contextlib.contextmanager
def _failures(failed: list[tuple[int, str]], index: int) -> Iterator[None]:
    try:
        yield
    except OSError as why:
        failed.append((index, str(why)))


def _copy(copier: Copier, many: Between, batch: Batch, index: int) -> tuple[int, int]:
    """Copies the name at this index, and perhaps some behind it; returns how many, and bytes."""
    src, dst, names, how = batch
    old, new = src + names[index], dst + names[index]
    if not how.fresh:
        if how.as_cp:
            refuse_dst(new)
        if not (how.alone or copier.is_native) and _has_other_name(new):
            raise OtherNameError
    try:
        return many.copy(index) or (1, copier(old, new))
    except (IsADirectoryError, PermissionError) as why:
        return 1, _copy_all_the_same(why, copier, batch, names[index])


def _copy_all_the_same(why: OSError, copier: Copier, batch: Batch, name: str) -> int:
    """Copies a file whose copy was refused, or raises the refusal; returns the bytes.

    A directory in the place of dst gets the file inside, as with copy2. That is asked only after a
    refusal, as it costs a request. And an earlier run may have left a file that nobody may write.
    """
    src, dst, _, how = batch
    old, new = src + name, dst + name
    copier.audits = True  # of another name, or of another try
    if not how.fresh and os.path.isdir(new):
        return copier(old, os.path.join(new, name))
    if not (how.elsewhere and isinstance(why, PermissionError) and _is_file(new)):
        raise why
    if _is_equal(old, new):
        return os.stat(new).st_size
    # The very name, not another one in a directory that ignores case.
    if not how.fresh or name not in os.listdir(dst):
        raise why
    if os.name == "nt":
        os.chmod(new, stat.S_IWRITE)
    os.unlink(new)
    return copier(old, new)


def _has_other_name(path: str) -> bool:
    """Whether another name may lead to the same file, as the native layer asks it."""
    try:
        st = os.lstat(path)
    except OSError:
        return False
    return stat.S_ISLNK(st.st_mode) or (stat.S_ISREG(st.st_mode) and st.st_nlink > 1)


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
