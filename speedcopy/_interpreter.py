"""Whether the native layer can be used here at all, and if not, why."""

from __future__ import annotations

import importlib
import sys
import warnings

#: ``sys.platform`` of the systems that have a native layer, as in build_ffi.py.
SUPPORTED = ("linux", "win32")


def is_main() -> bool:
    """Whether this is the first interpreter of the process, and not a subinterpreter.

    cffi cannot be imported in an isolated one. In one of the older kind, C calls back into
    whatever interpreter the thread was in first, and cffi prints that nobody is there. To ask C
    for such a call and see where it arrives tells no more than where this one thread leads to.
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
    copy may fail for it. A platform that has no native layer has nothing to be warned of.
    """
    if sys.platform not in SUPPORTED:
        return ""
    text = (
        "speedcopy is installed without its native layer and copies as the standard library does; "
        "install it from a wheel, or where there is a C compiler"
    )
    warnings.warn(text, RuntimeWarning, stacklevel=4)
    return "not built"
