"""copytree(): shutil's, many files at once."""

from __future__ import annotations

import functools
import shutil
from typing import TYPE_CHECKING, Callable, Optional

from speedcopy import _engine
from speedcopy._copy2 import copy, copy2
from speedcopy._copyfile import Options, check_metadata
from speedcopy._trees.directories import Directory, make_root
from speedcopy._trees.entries import Ignore, Settings

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from speedcopy._types import Metadata, Path, PathT, TreeProgress

CopyFunction = Callable[..., object]


def copytree(  # noqa: PLR0913 (shutil's arguments)
    src: Path,
    dst: PathT,
    symlinks: bool = False,  # noqa: FBT002
    ignore: Optional[Ignore] = None,
    copy_function: CopyFunction = copy2,
    ignore_dangling_symlinks: bool = False,  # noqa: FBT002
    dirs_exist_ok: bool = False,  # noqa: FBT002
    *,
    workers: Optional[int] = None,
    executor: Optional[Executor] = None,
    progress: Optional[TreeProgress] = None,
    metadata: Metadata = "strict",
) -> PathT:
    """Copies a directory and all in it as :func:`shutil.copytree` does, and returns ``dst``.

    With ``copy`` or ``copy2`` of this module as ``copy_function``, ``workers`` threads copy files
    at the same time: as many as there are processors, at most 4, or 16 where one of the directories
    is on a share. With an ``executor``, that is any :class:`concurrent.futures.Executor`, its
    workers copy, and ``workers`` says how many it has. Another ``copy_function`` is called on the
    calling thread for one file after the other, with two paths.

    ``progress(done)`` is called on the calling thread with what is done: ``done.files`` and
    ``done.bytes``, at most every 50 ms and once at the end. Whatever it or a signal handler raises
    (KeyboardInterrupt), or an executor that breaks, ends the copy. What was being copied is
    finished or undone. The exception has a note that names what is missing.

    With ``metadata="best-effort"``, times, modes and extended attributes that the file system
    refuses are not an error. With ``"times"`` they are not either, and no extended attributes are
    copied: on a share that saves 3 requests a file.

    Raises what :func:`shutil.copytree` raises: ``shutil.Error`` with a list of (src, dst, text of
    the error) in shutil's order, when everything else is copied; OSError if ``src`` cannot be
    read or ``dst`` cannot be made. Also raises ValueError for ``workers`` below 1 and for another
    ``metadata``.
    """
    if workers is not None and workers < 1:
        msg = f"workers must be at least 1, not {workers}"
        raise ValueError(msg)
    check_metadata(metadata)
    settings = Settings(symlinks, ignore, ignore_dangling_symlinks, dirs_exist_ok, metadata, {}, {})
    copy_tree(
        src, dst, settings, copy_function, workers=workers, executor=executor, progress=progress
    )
    return dst


def copy_tree(
    src: Path,
    dst: Path,
    settings: Settings,
    copy_function: CopyFunction = copy2,
    *,
    workers: Optional[int] = None,
    executor: Optional[Executor] = None,
    progress: Optional[TreeProgress] = None,
) -> None:
    """Copies a tree as :func:`copytree` does, from the settings."""
    # They add a third to the time that importing speedcopy takes, and not everybody copies trees.
    from speedcopy._trees import targets  # noqa: PLC0415
    from speedcopy._trees.in_order import InOrder  # noqa: PLC0415
    from speedcopy._trees.parallel import Parallel  # noqa: PLC0415

    root = Directory(src, dst)
    try:
        root.scan(settings)
        root.choose(settings.ignore)
        settings.own.update(make_root(root, settings))
        mode_only = copy_function is copy
        is_own = mode_only or copy_function is copy2
        if is_own and not targets.is_below(src, dst):
            target = targets.target(src, dst, workers=workers, executor=executor)
            parallel = Parallel(settings, target, executor, progress, mode_only=mode_only)
            parallel.run(root)
        else:
            if copy_function is copy2:
                copy_function = _one_after_the_other(settings)
            InOrder(settings, copy_function, progress).run(root)
    except BaseException:
        root.close()
        raise
    if errors := root.errors():
        raise shutil.Error(errors)


def _one_after_the_other(settings: Settings) -> CopyFunction:
    """What copies a file where no two may be copied at the same time."""
    if not settings.as_cp and settings.metadata:
        return functools.partial(copy2, metadata=settings.metadata)
    options = Options(metadata=settings.metadata, as_cp=True)
    return functools.partial(_engine.copy, options=options)
