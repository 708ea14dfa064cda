"""Builds the native layer: the headers and sources of each platform.

The headers in ``speedcopy/native`` are the only declarations. The C sources include them, and
:func:`declarations` turns the same text into what cffi can parse.

A new platform is one row of :data:`PLATFORMS`, its key in ``_loader.SUPPORTED``, and one C file
with its table.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple, Optional

from cffi import FFI

NATIVE = Path("speedcopy", "native")


class Platform(NamedTuple):
    """What the extension is made of on one platform.

    ``char`` is the C type of a character in a path. ``headers`` are read by the compiler and by
    cffi. ``sources`` are compiled with ``macros``, which select the system's interfaces, and with
    the compiler's ``options``.
    """

    char: str
    headers: tuple[str, ...]
    sources: tuple[str, ...]
    macros: tuple[tuple[str, Optional[str]], ...]
    options: tuple[str, ...] = ()


def _files(folder: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{folder}/{name}.c" for name in names)


_POSIX = _files(
    "posix", "copy", "open", "dst", "table", "rounds", "ticks", "read_write", "metadata"
)
_LARGE_FILES = ("_FILE_OFFSET_BITS", "64")

#: Otherwise a function of the host program could replace ours of the same name.
_HIDDEN = ("-fvisibility=hidden",)

#: Apple's and FreeBSD's compilers do so unless told otherwise, zig does not.
_GUARDED = ("-fstack-protector-strong",)

#: The key is ``sys.platform`` without a version number.
PLATFORMS = {
    "linux": Platform(
        "char",
        ("speedcopy.h", "posix/directories.h", "posix/linux.h"),
        (*_POSIX, *_files("posix", "linux", "linux_files", "linux_clone")),
        (("_GNU_SOURCE", None), _LARGE_FILES),
        _HIDDEN,
    ),
    "darwin": Platform(
        "char",
        ("speedcopy.h", "posix/directories.h"),
        (*_POSIX, *_files("posix", "macos", "macos_clone", "macos_smb", "defaults")),
        (_LARGE_FILES,),
        _HIDDEN + _GUARDED,
    ),
    "freebsd": Platform(
        "char",
        ("speedcopy.h", "posix/directories.h"),
        (*_POSIX, *_files("posix", "freebsd", "defaults")),
        (_LARGE_FILES,),
        _HIDDEN + _GUARDED,
    ),
    "win32": Platform(
        "wchar_t",
        ("speedcopy.h", "windows/copyfile2.h"),
        _files("windows", "copy", "copyfile2", "files", "paths"),
        (("_WIN32_WINNT", "0x0a00"), ("WIN32_LEAN_AND_MEAN", None)),
    ),
}

#: The environment variable with the ``sys.platform`` to cross-compile for.
TARGET = "SPEEDCOPY_TARGET"


def key_of(platform: str) -> str:
    """The key of :data:`PLATFORMS` for a ``sys.platform``: "freebsd" for "freebsd14"."""
    return platform.rstrip("0123456789.") if platform not in PLATFORMS else platform


def target() -> Optional[str]:
    """The key of the platform to compile for, or None if that has no native layer."""
    key = key_of(os.environ.get(TARGET) or sys.platform)
    return key if key in PLATFORMS else None


def declarations(header: str) -> str:
    """Makes cffi declarations of a C header.

    A constant becomes ``#define NAME ...``, a callback ``extern "Python+C"``.
    """
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
        depends=[path.as_posix() for path in sorted(NATIVE.rglob("*.h"))],
        include_dirs=[NATIVE.as_posix()],
        define_macros=[("SC_CHAR", row.char), *row.macros],
        extra_compile_args=list(row.options),
    )
    return ffi


_target = target()
if _target:
    ffi = make_ffi(_target)
