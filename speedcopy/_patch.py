"""Replaces shutil.copyfile by copyfile, and restores it."""

from __future__ import annotations

import shutil
import threading
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any, Callable

from speedcopy._copyfile import copyfile
from speedcopy._fallback import stdlib_copyfile

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock = threading.RLock()

#: Our functions that were put in, latest last, and what each of them replaced. Each is a separate
#: object, so that we find it again when somebody has removed a patch over it.
_layers: dict[Callable[..., Any], Callable[..., Any]] = {}

#: How many patched_copyfile() blocks are open, and whether the first of them patched.
_blocks = 0
_patched_by_block = False


def _is_ours(function: Callable[..., Any]) -> bool:
    return getattr(function, "__code__", None) is copyfile.__code__


def _twin() -> Callable[..., Any]:
    """Another function that does what :func:`copyfile` does."""
    twin = FunctionType(copyfile.__code__, copyfile.__globals__, copyfile.__name__)
    for name in ("__kwdefaults__", "__doc__", "__module__", "__qualname__", "__annotations__"):
        setattr(twin, name, getattr(copyfile, name))
    return twin


def _install(function: Callable[..., Any]) -> None:
    setattr(shutil, "copyfile", function)  # noqa: B010
    setattr(shutil, "_orig_copyfile", stdlib_copyfile)  # noqa: B010


def patch_copyfile() -> None:
    """Replaces ``shutil.copyfile`` by :func:`speedcopy.copyfile`.

    ``shutil.copy``, ``copy2``, ``copytree`` and ``move`` call it, so they use speedcopy, too. Code
    that has run ``from shutil import copyfile`` before keeps the old function.

    Does nothing if ``shutil.copyfile`` is ours already. :func:`unpatch_copyfile` puts the function
    back that was there before, the standard library's or another. If somebody has patched over our
    patch, another copy of our function is put over theirs. ``shutil._orig_copyfile`` is the
    standard library's function.

    On Windows, ``shutil.copy2`` of Python 3.12 and later calls CopyFile2 itself if it can. So do
    copytree and move, which call copy2. The patch does not change those copies.
    """
    with _lock:
        below = shutil.copyfile
        if _is_ours(below):
            return
        if below is stdlib_copyfile:
            _layers.clear()  # somebody has removed all of our patches
        layer = _twin() if copyfile in _layers else copyfile
        _layers[layer] = below
        _install(layer)


def unpatch_copyfile() -> None:
    """Puts back what :func:`patch_copyfile` replaced.

    Does nothing if ``shutil.copyfile`` is not ours: nothing was patched, or somebody has patched
    over our patch, and their patch would be lost. A patch that somebody put over ours and removed
    again is not restored. In doubt, the standard library's function is put back.
    """
    with _lock:
        if not _is_ours(shutil.copyfile):
            return
        below: Callable[..., Any] = stdlib_copyfile
        while _layers:
            layer, replaced = _layers.popitem()
            if layer is shutil.copyfile:
                below = replaced
                break
        _install(below)


@contextmanager
def patched_copyfile() -> Iterator[None]:
    """Patches ``shutil.copyfile`` during a ``with`` block.

    Blocks may be nested, and may overlap in several threads. The last block to end removes the
    patch, unless ``shutil.copyfile`` was patched before the first block.
    """
    global _blocks, _patched_by_block  # noqa: PLW0603
    with _lock:
        if _blocks == 0:
            _patched_by_block = not _is_ours(shutil.copyfile)
            patch_copyfile()
        _blocks += 1
    try:
        yield
    finally:
        with _lock:
            _blocks -= 1
            if _blocks == 0 and _patched_by_block:
                unpatch_copyfile()
