"""Prints how ``build_ffi.py`` in the current directory has the extension compiled.

Four lines of words: its name, the compiler's options, the sources, the libraries. A program of its
own, for a Python that has cffi: extension.py [PLATFORM FILE], where FILE gets what cffi generates.
"""

import importlib
import shlex
import sys

sys.path[0] = ""
build_ffi = importlib.import_module("build_ffi")
ffi = build_ffi.make_ffi(sys.argv[1]) if sys.argv[1:] else build_ffi.ffi
if sys.argv[2:]:
    ffi.emit_c_code(sys.argv[2])
name, _, _, listed = ffi._assigned_source  # noqa: SLF001 - cffi has no public name for it
options = [f"-I{folder}" for folder in listed["include_dirs"]]
for macro, value in listed["define_macros"]:
    options.append(f"-D{macro}" if value is None else f"-D{macro}={value}")
options += listed["extra_compile_args"]
for words in ([name], options, listed["sources"], listed.get("libraries", [])):
    print(shlex.join(words))
