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

#: By ``why_not``: what it means, for people.
REASONS = {
    "not built": "this is a folder or zip without it: run pip install, and Python elsewhere",
    "no cffi": "this Python has no cffi: run pip install cffi with it",
    "subinterpreter": "C cannot call back into a subinterpreter",
    "": "there is none for this platform",
}

#: By the module that is not there. A folder that several Pythons share (a pipeline's, an add-on's)
#: has the extension for all of them, and cffi for one.
_MISSING = {"speedcopy._native": "not built", "_cffi_backend": "no cffi"}

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


def without_native(why: str) -> str:
    """Warns that the native layer is missing, and returns the reason for a report.

    The warning is given at import, not at the first copy: no copy may fail because warnings are
    errors. There is no warning on a platform without a native layer.
    """
    if not sys.platform.startswith(SUPPORTED):
        return ""
    text = f"speedcopy has no native layer here and copies as shutil does: {REASONS[why]}"
    warnings.warn(text, RuntimeWarning, stacklevel=4)
    return why


if not is_main():
    why_not = "subinterpreter"
else:
    try:
        from speedcopy import _boundary
    except ModuleNotFoundError as missing:
        # If the extension and cffi exist and cannot be loaded, that is an error.
        if missing.name not in _MISSING:
            raise
        why_not = without_native(_MISSING[missing.name])
    else:
        native = _boundary
