"""Builds the native layer: which headers and sources make it, platform by platform.

The headers in ``speedcopy/native`` are the only declarations. The C sources include them, and
:func:`declarations` makes from the same text what cffi can parse.

A new platform is one row of :data:`PLATFORMS` and one C file with its table.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from cffi import FFI

NATIVE = Path("speedcopy", "native")


class Platform(NamedTuple):
    """What the extension is made of on one platform.

    ``char`` is the C type that a path is made of, ``headers`` are read by the compiler and by
    cffi, ``sources`` are compiled.
    """

    char: str
    headers: tuple[str, ...]
    sources: tuple[str, ...]


_POSIX = ("posix.c", "rounds.c", "read_write.c")

PLATFORMS = {
    "linux": Platform("char", ("speedcopy.h", "linux.h"), (*_POSIX, "linux.c")),
}


def declarations(header: str) -> str:
    """Makes cffi declarations of a C header: constants by name, callbacks as cffi's own."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    text = re.sub(r"^#define (\w+) (?!extern).+$", r"@define \1 ...", text, flags=re.MULTILINE)
    text = re.sub(r"^#.*$", "", text, flags=re.MULTILINE)
    return text.replace("@define", "#define").replace("SC_PYTHON", 'extern "Python+C"')


def make_ffi(platform: str) -> FFI:
    """The cffi builder of ``speedcopy._native`` for a key of :data:`PLATFORMS`.

    Raises KeyError for a platform without a native layer.
    """
    row = PLATFORMS[platform]
    headers = [NATIVE / name for name in row.headers]
    ffi = FFI()
    cdef = "".join(declarations(path.read_text()) for path in headers)
    ffi.cdef(re.sub(r"\bSC_CHAR\b", row.char, cdef))
    ffi.set_source(
        "speedcopy._native",
        "".join(f'#include "{name}"\n' for name in row.headers),
        sources=[(NATIVE / name).as_posix() for name in row.sources],
        depends=[path.as_posix() for path in sorted(NATIVE.glob("*.h"))],
        include_dirs=[NATIVE.as_posix()],
        define_macros=[("SC_CHAR", row.char), ("_GNU_SOURCE", None), ("_FILE_OFFSET_BITS", "64")],
    )
    return ffi


if sys.platform in PLATFORMS:
    ffi = make_ffi(sys.platform)
