"""Putting copyfile in the place of shutil.copyfile, and taking it back."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Callable

from speedcopy._copyfile import copyfile

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.RLock()

#: What copyfile has taken the place of, latest last: somebody may patch over us and we over them.
_replaced: list[Callable[..., Any]] = []

#: How many patched_copyfile() blocks are open, and whether the first of them patched.
_blocks = 0
_patched_by_block = False


def patch_copyfile() -> None:
    """Makes ``shutil.copyfile`` our :func:`copyfile`, and with it copy, copy2, copytree and move.

    Does nothing if it is already. What was there before, the standard library's or somebody
    else's, is kept as ``shutil._orig_copyfile``.

    On Windows, ``shutil.copy2`` of Python 3.12 and later calls CopyFile2 itself where it can, and
    so do copytree and move, which use it: the patch does not change those.
    """
    with _lock:
        if shutil.copyfile is not copyfile:
            _replaced.append(shutil.copyfile)
            setattr(shutil, "_orig_copyfile", shutil.copyfile)  # noqa: B010
            setattr(shutil, "copyfile", copyfile)  # noqa: B010


def unpatch_copyfile() -> None:
    """Puts back what :func:`patch_copyfile` replaced.

    Does nothing if ``shutil.copyfile`` is not ours: nothing was patched, or somebody has
    patched over us, and taking our patch out would lose theirs.
    """
    with _lock:
        if shutil.copyfile is copyfile and _replaced:
            setattr(shutil, "copyfile", _replaced.pop())  # noqa: B010
            setattr(shutil, "_orig_copyfile", _replaced[-1] if _replaced else shutil.copyfile)  # noqa: B010


@contextmanager
def patched_copyfile() -> Iterator[None]:
    """Patches for the length of a ``with`` block.

    Blocks may nest, and overlap in several threads: the last one to end takes the patch back,
    unless it was there before the first one.
    """
    global _blocks, _patched_by_block  # noqa: PLW0603
    with _lock:
        if _blocks == 0:
            _patched_by_block = shutil.copyfile is not copyfile
            patch_copyfile()
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0 and _patched_by_block:
                unpatch_copyfile()
