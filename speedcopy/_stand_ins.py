"""Has somebody put something of their own under ``shutil.copyfile``?

Tests do: a fake file system (pyfakefs), ``mock_open()``, a ``sendfile`` that fails. They want to
see it used, and the native layer would copy real files past it.
"""

from __future__ import annotations

import builtins
import importlib.util
import io
import os
import shutil
from types import FunctionType
from typing import Any, Callable

# The dictionaries themselves: a fake file system puts other modules in the place of these names.
_builtins, _os, _shutil = vars(builtins), vars(os), vars(shutil)

_open = io.open  # not by the name that a test replaces, perhaps around the import of speedcopy
_sendfile = _os.get("sendfile")
_copy_file_range = _os.get("copy_file_range")
_readinto = _shutil.get("_copyfileobj_readinto")


def are_there() -> bool:
    """Whether ``shutil.copyfile`` would call something that was not there at first."""
    return (
        _builtins["open"] is not _open
        or "open" in _shutil
        or _os.get("sendfile") is not _sendfile
        or _os.get("copy_file_range") is not _copy_file_range
        or _shutil.get("_copyfileobj_readinto") is not _readinto
    )


def standard_copyfile() -> Callable[..., Any]:
    """The standard library's ``copyfile``, also while somebody's is in its place.

    A mock, say, around the first import of speedcopy: kept as the way to fall back on, it would
    copy nothing for ever.
    """
    found = shutil.copyfile
    spec = importlib.util.find_spec("shutil")
    if getattr(found, "__globals__", None) is _shutil or not spec or not spec.loader:
        return found
    fresh = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(fresh)
    # The new module's exceptions are not those that callers catch.
    function = FunctionType(fresh.copyfile.__code__, _shutil, "copyfile")
    function.__kwdefaults__ = fresh.copyfile.__kwdefaults__
    return function
