"""``speedcopy cp -r``: trees, and links in them as links."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Optional

from speedcopy import _engine
from speedcopy._cli.messages import Refused, of_directory, of_tree, quoted, reason
from speedcopy._copyfile import Options

if TYPE_CHECKING:
    import argparse

    from speedcopy._cli.meter import Meter
    from speedcopy._types import Metadata

#: All permissions: the umask while it is asked for, so that nobody else can use what is made then.
_ALL = 0o777


def copy_link(src: str, dst: str) -> None:
    """Makes ``dst`` a link that leads where ``src`` leads. What is no directory gives way."""
    target = os.readlink(src)
    try:
        if os.path.lexists(dst):
            if not os.path.islink(dst) and os.path.exists(src) and os.path.samefile(src, dst):
                text = f"{quoted(src)} and {quoted(dst)} are the same file"
                raise Refused(text)
            os.unlink(dst)
        os.symlink(target, dst)
    except OSError as error:
        text = f"cannot create symbolic link {quoted(dst)} to {quoted(target)}: {reason(error)}"
        raise Refused(text) from error


def copy(src: str, dst: str, options: argparse.Namespace, shown: Meter) -> None:
    """Copies a directory. Raises Refused with a line for each file that was not copied."""
    refused: list[str] = []
    try:
        _copy_tree(src, dst, options, shown)
    except shutil.Error as errors:
        refused += [_again(*error) for error in errors.args[0]]
    except OSError as error:
        refused.append(of_directory(str(error), src, dst))
    if any(refused):
        raise Refused("\n".join(filter(None, refused)))


def _again(src: str, dst: str, text: str) -> str:
    """The message about an error in a tree. A link that was there before is replaced instead."""
    if os.path.islink(src):
        if os.path.isdir(dst) and not os.path.islink(dst):
            return f"cannot overwrite directory {quoted(dst)} with non-directory"
        try:
            copy_link(src, dst)
        except Refused as why:
            return str(why)
        return ""
    return of_directory(text, src, dst) if os.path.isdir(src) else of_tree(text, src, dst)


def _copy_tree(src: str, dst: str, options: argparse.Namespace, shown: Meter) -> None:
    """Copies a directory as copytree does; with ``--reflink``, one file after another."""
    # As in copytree: a third of the time that importing speedcopy takes.
    from speedcopy._trees.as_cp import refuse_dst  # noqa: PLC0415
    from speedcopy._trees.copytree import copy_tree  # noqa: PLC0415
    from speedcopy._trees.entries import Settings  # noqa: PLC0415

    umask = os.umask(_ALL)
    os.umask(umask)
    metadata: Optional[Metadata] = "strict" if options.preserve else None
    settings = Settings(
        symlinks=True,
        ignore=None,
        ignore_dangling_symlinks=False,
        dirs_exist_ok=True,
        metadata=metadata,
        own={},
        known={},
        umask=umask,
    )
    files = total = 0

    def one(name: str, new: str) -> None:
        nonlocal files, total
        refuse_dst(new)
        how = Options(
            reflink=options.reflink,
            metadata=metadata,
            progress=(lambda copied, _: shown.update(files, total + copied))
            if shown.is_shown
            else None,
            as_cp=True,
        )
        told = _engine.report(name, new, how)
        files, total = files + 1, total + told.copied
        shown.update(files, total)

    if options.reflink != "auto":
        copy_tree(src, dst, settings, one)
        return
    copy_tree(
        src,
        dst,
        settings,
        workers=options.workers,
        progress=lambda done: shown.update(done.files, done.bytes),
    )
