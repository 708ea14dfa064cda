"""Has somebody put something of their own under ``shutil.copyfile``?

Tests do: a fake file system (pyfakefs), ``mock_open()``, a ``sendfile`` that fails. They want to
see it used, and the native layer would copy real files past it.
"""

import builtins
import os
import shutil

# The dictionaries themselves: a fake file system puts other modules in the place of these names.
_builtins, _os, _shutil = vars(builtins), vars(os), vars(shutil)

_open = _builtins["open"]
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
