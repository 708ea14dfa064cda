"""Loads the native layer, or finds out why there is none.

``native`` is :mod:`speedcopy._boundary`, or None. ``why_not`` is the reason in the words of
``Transfer.declined``: empty if there is a native layer, or none for this platform.
"""

from __future__ import annotations

import importlib
import sys
import warnings

#: How ``sys.platform`` begins on the systems that have a native layer: the keys of build_ffi.py.
SUPPORTED = ("linux", "win32")

native = None
why_not = ""


def is_main() -> bool:
    """Whether this is the first interpreter of the process, and not a subinterpreter.

    cffi cannot be imported in an isolated one. In one of the older kind, C calls back into
    whatever interpreter the thread was in first, and cffi prints that nobody is there. A trial call
    back shows only where this one thread leads to.
    """
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue
        return bool(module.get_current() == module.get_main())
    return True


def without_native() -> str:
    """Warns that the native layer is missing, and returns how a report says so.

    The warning comes with the import and not with the first copy: where warnings are errors, no
    copy may fail for it. On a platform without a native layer there is nothing to warn of.
    """
    if not sys.platform.startswith(SUPPORTED):
        return ""
    text = (
        "speedcopy is installed without its native layer and copies as the standard library does; "
        "install it from a wheel, or where there is a C compiler"
    )
    warnings.warn(text, RuntimeWarning, stacklevel=4)
    return "not built"


if not is_main():
    why_not = "subinterpreter"
else:
    try:
        from speedcopy import _boundary
    except ModuleNotFoundError as missing:
        # An extension that is there and cannot be loaded is an error.
        if missing.name != "speedcopy._native":
            raise
        why_not = without_native()
    else:
        native = _boundary
