"""Loads the native layer, or finds out why there is none.

``native`` is :mod:`speedcopy._boundary`, or None. ``why_not`` is the reason, as in
``Transfer.declined``. It is empty if the native layer is loaded, or if this platform has none.
"""

from __future__ import annotations

import importlib
import sys
import warnings

#: ``sys.platform`` starts with these where there is a native layer: the keys of build_ffi.py.
SUPPORTED = ("linux", "darwin", "freebsd", "win32")

native = None
why_not = ""


def is_main() -> bool:
    """Whether this is the main interpreter of the process, not a subinterpreter.

    cffi cannot be imported in an isolated subinterpreter. In one of the older kind, C calls back
    into the interpreter in which the thread ran first, and cffi prints that it has no such
    function. A test callback only shows where the calls of the current thread arrive.
    """
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return bool(module.get_current() == module.get_main())
    return True


def without_native() -> str:
    """Warns that the native layer is missing, and returns the reason for a report.

    The warning is given at import, not at the first copy: no copy may fail because warnings are
    errors. There is no warning on a platform without a native layer.
    """
    if not sys.platform.startswith(SUPPORTED):
        return ""
    text = (
        "speedcopy is installed without its native layer and copies as the standard library does; "
        "this is a folder or zip without the extension: run pip install, and Python elsewhere"
    )
    warnings.warn(text, RuntimeWarning, stacklevel=4)
    return "not built"


if not is_main():
    why_not = "subinterpreter"
else:
    try:
        from speedcopy import _boundary
    except ModuleNotFoundError as missing:
        # If the extension exists and cannot be loaded, that is an error.
        if missing.name != "speedcopy._native":
            raise
        why_not = without_native()
    else:
        native = _boundary
