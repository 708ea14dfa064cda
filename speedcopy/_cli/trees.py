"""``speedcopy cp -r``: trees, and links in them as links."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, Callable

import speedcopy
from speedcopy._cli.messages import Refused, of_tree, quoted, reason

if TYPE_CHECKING:
    import argparse

    from speedcopy._cli.meter import Meter


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
    refused = []
    try:
        _copytree(src, dst, options, shown)
    except shutil.Error as errors:
        for name, new, text in errors.args[0]:
            if os.path.islink(name) and not (os.path.isdir(new) and not os.path.islink(new)):
                try:
                    copy_link(name, new)
                except Refused as why:
                    refused.append(str(why))
            else:
                refused.append(of_tree(text, name, new))
    except OSError as error:
        refused.append(f"cannot copy {quoted(src)} to {quoted(dst)}: {reason(error)}")
    if refused:
        raise Refused("\n".join(refused))


def _copytree(src: str, dst: str, options: argparse.Namespace, shown: Meter) -> None:
    """Copies a directory by :func:`speedcopy.copytree`.

    With ``--reflink``, which that has no argument for, one file after another.
    """
    tree: Callable[..., Any] = getattr(speedcopy, "copytree", shutil.copytree)
    arguments: dict[str, Any] = {"symlinks": True, "dirs_exist_ok": True}
    files = total = 0

    def one(name: str, new: str) -> str:
        nonlocal files, total
        told = speedcopy.transfer(
            name,
            new,
            reflink=options.reflink,
            progress=(lambda copied, _: shown.update(files, total + copied))
            if shown.is_shown
            else None,
        )
        (shutil.copystat if options.preserve else shutil.copymode)(name, new)
        files, total = files + 1, total + told.copied
        shown.update(files, total)
        return new

    if options.reflink != "auto" or tree is shutil.copytree:
        tree(src, dst, copy_function=one, **arguments)
        return
    copy = "copy2" if options.preserve else "copy"
    tree(
        src,
        dst,
        copy_function=getattr(speedcopy, copy),
        workers=options.workers,
        progress=lambda done: shown.update(done.files, done.bytes),
        **arguments,
    )
