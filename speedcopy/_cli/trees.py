"""``speedcopy cp -r``: trees, and links in them as links."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from typing import TYPE_CHECKING, Any, Callable

import speedcopy
from speedcopy._cli.messages import Refused, of_tree, quoted, reason

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from speedcopy._cli.meter import Meter

#: All permissions: the umask while it is asked for, so that nobody else can use what is made then.
_ALL = 0o777

#: setuid, setgid, sticky.
_SPECIAL = 0o7000


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
    umask = os.umask(_ALL)
    os.umask(umask)
    before = {} if options.preserve else dict(_modes(src, dst))
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
    finally:
        if not options.preserve:
            refused += _correct(src, dst, before, umask)
    if refused:
        raise Refused("\n".join(refused))


def _modes(src: str, dst: str) -> Iterator[tuple[str, int]]:
    """What ``dst`` has of what ``src`` has, without links: paths and their modes."""
    try:
        yield dst, os.stat(dst).st_mode
    except OSError:
        return
    pairs = [(src, dst)]
    while pairs:
        source, copied = pairs.pop()
        with contextlib.suppress(OSError), os.scandir(copied) as entries:
            names = set(os.listdir(source))
            for entry in entries:
                if entry.name in names and not entry.is_symlink():
                    yield entry.path, entry.stat(follow_symlinks=False).st_mode
                    if entry.is_dir():
                        pairs.append((os.path.join(source, entry.name), entry.path))


def _correct(src: str, dst: str, before: dict[str, int], umask: int) -> list[str]:
    """Gives all that was copied the mode that GNU cp gives it; copytree has given it src's.

    What was there before keeps its own, the rest has nothing that the umask forbids, and no
    setuid. Returns a message for each mode that cannot be changed.
    """
    refused = []
    for path, mode in _modes(src, dst):
        forbidden = umask if stat.S_ISDIR(mode) else umask | _SPECIAL
        wanted = before.get(path, mode & ~forbidden)
        if wanted != mode:
            refused += _chmod(path, stat.S_IMODE(wanted))
    return refused


def _chmod(path: str, mode: int) -> list[str]:
    try:
        os.chmod(path, mode)
    except OSError as error:
        return [f"setting permissions for {quoted(path)}: {reason(error)}"]
    return []


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
            metadata="strict" if options.preserve else None,
            progress=(lambda copied, _: shown.update(files, total + copied))
            if shown.is_shown
            else None,
        )
        if not options.preserve:
            shutil.copymode(name, new)
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
