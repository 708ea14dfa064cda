"""Compiles and links for each target, and compares what the libraries import with a list."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import lief
from common.errors import ToolError

from cross.targets import OUTPUT, TARGETS, ZIG, build_ffi

if TYPE_CHECKING:
    from pathlib import Path

    from cross.targets import Target

lief.logging.disable()

WARNINGS = (
    *("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Wstrict-prototypes"),
    "-Werror",
)

OPTIMIZED = ("-O2", "-s")
CHECKED = ("-O1", "-fsanitize=address", "-fno-sanitize-link-runtime")

#: What a library of each platform is linked with. Python's callback is missing in it.
LINKING = {
    "darwin": ("-dynamiclib", "-undefined", "dynamic_lookup"),
    "freebsd": ("-shared", "-fPIC"),
    "win32": ("-shared",),
}

#: The extension exports a function of Python, which calls these. A DLL has to be complete.
EXPORTS = """
#include "speedcopy.h"
#ifndef _WIN32
#include "posix/directories.h"
#define EXPORTED __attribute__((visibility("default")))
#else
int sc_tick(void *caller, int64_t copied, int64_t total)
{
    (void)caller;
    return copied < total;
}
#define EXPORTED __declspec(dllexport)
#endif
EXPORTED const struct {
    int (*copy)(void *, const sc_char *, const sc_char *, int, sc_report *);
    const char *(*mechanism_name)(int);
#ifdef SPEEDCOPY_DIRECTORIES_H
    int (*copy_names)(void *, const sc_char *, const sc_char *, const sc_char *, int, int,
                      sc_batch *);
} speedcopy = {sc_copy, sc_mechanism_name, sc_copy_names};
#else
} speedcopy = {sc_copy, sc_mechanism_name};
#endif
"""


class BuildError(ToolError):
    """A library is not what it should be."""

    exit_code = 1


def command(target: Target) -> list[str]:
    """The compiler's command line, from the rows of build_ffi.py."""
    builder = build_ffi()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    row = builder.PLATFORMS[target.platform]
    macros = [("SC_CHAR", row.char), *row.macros]
    defines = [f"-D{name}" if value is None else f"-D{name}={value}" for name, value in macros]
    sources = [str(builder.NATIVE / name) for name in row.sources]
    exports = OUTPUT / "exports.c"
    exports.write_text(EXPORTS)
    return [
        *(*ZIG, "cc", "-target", target.triple, "-std=c11"),
        *(CHECKED if target.checked else OPTIMIZED),
        *(*row.options, *WARNINGS, *defines, f"-I{builder.NATIVE}"),
        *(*LINKING[target.platform], "-o", str(target.library), str(exports), *sources),
    ]


def imports(library: Path) -> set[str]:
    """The symbols that a library expects of the system."""
    binary = lief.parse(str(library))
    if isinstance(binary, lief.PE.Binary):
        return {str(entry.name) for dll in binary.imports for entry in dll.entries}
    if binary is None:
        msg = f"{library} is no library"
        raise BuildError(msg)
    if isinstance(binary, lief.ELF.Binary):
        return {str(symbol.name) for symbol in binary.dynamic_symbols if symbol.shndx == 0} - {""}
    return {str(symbol.name).removeprefix("_") for symbol in binary.imported_symbols}


def check_imports(target: Target) -> None:
    """Compares the imports with the list, where each line is a symbol."""
    found = imports(target.library)
    listed = set(target.symbols.read_text().split())
    if found != listed:
        msg = (
            f"{target.name} does not import what {target.symbols.name} lists: "
            f"more {sorted(found - listed)}, missing {sorted(listed - found)}"
        )
        raise BuildError(msg)


def build(target: Target) -> None:
    """Builds one target and checks it."""
    started = time.monotonic()
    done = subprocess.run(command(target), capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"{target.name}: zig failed\n{done.stderr}"
        raise BuildError(msg)
    if not target.checked:
        check_imports(target)
    size = target.library.stat().st_size
    print(f"{target.name}: {size} bytes, {time.monotonic() - started:.1f} s")


def build_all() -> int:
    """Builds every target with a list of what it imports."""
    for target in TARGETS:
        if target.symbols.exists():
            build(target)
    return 0
