"""Detects stand-ins for the functions that ``shutil.copyfile`` calls.

Tests use stand-ins: a fake file system (pyfakefs), ``mock_open()``, a ``sendfile`` that fails.
They expect them to be called, but the native layer would bypass them and copy real files.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import shutil
from types import FunctionType
from typing import Any, Callable

# The dictionaries, because a fake file system replaces the modules under these names.
_builtins, _os, _shutil = builtins.__dict__, os.__dict__, shutil.__dict__

_open = io.open  # builtins.open may be a stand-in while speedcopy is imported
_sendfile = _os.get("sendfile")
_copy_file_range = _os.get("copy_file_range")
_readinto = _shutil.get("_copyfileobj_readinto")

#: What shutil.copystat and shutil.copymode call.
_metadata = tuple(
    (module, name, module.get(name))
    for module, names in (
        (_os, ("stat", "utime", "listxattr", "getxattr", "setxattr", "chmod", "chflags")),
        (_shutil, ("copystat", "copymode", "_copyxattr")),
    )
    for name in names
)


def are_there_for_metadata() -> bool:
    """The same for ``shutil.copystat`` and ``shutil.copymode``."""
    for module, name, standard in _metadata:  # noqa: SIM110 (any() costs as much as a system call)
        if module.get(name) is not standard:
            return True
    return False


def are_there() -> bool:
    """Whether ``shutil.copyfile`` would call a function that has been replaced."""
    return (
        _builtins["open"] is not _open
        or "open" in _shutil
        or _os.get("sendfile") is not _sendfile
        or _os.get("copy_file_range") is not _copy_file_range
        or _shutil.get("_copyfileobj_readinto") is not _readinto
    )


def standard(name: str) -> Callable[..., Any]:
    """Returns ``copyfile`` or ``copy2`` of the standard library, even if shutil's is replaced.

    If a mock that is there during the first import of speedcopy became the fallback, later copies
    would copy nothing.
    """
    found: Callable[..., Any] = getattr(shutil, name)
    spec = importlib.util.find_spec("shutil")
    if getattr(found, "__globals__", None) is _shutil or not spec or not spec.loader:
        return found
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    # With the globals of shutil: callers do not catch the exceptions of the fresh module.
    original = getattr(fresh, name)
    function = FunctionType(original.__code__, _shutil, name)
    function.__kwdefaults__ = original.__kwdefaults__
    return function
