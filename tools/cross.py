"""Builds for other systems with zig, checks what came out, and runs it as far as possible.

    python tools/cross.py build         compile and link for each target, and compare the imports
    python tools/cross.py wheels [--help] [NAME...]
                                        build, check and run all wheels, or some
    python tools/cross.py test [PROCESSOR] [ARGUMENTS OF pytest]
                                        run the tests on the code for macOS (arm64, x86_64) and
                                        FreeBSD (freebsd-x86_64, freebsd-aarch64)
    python tools/cross.py calls         count the system calls of copies by the code for macOS

Needs the extras "test" and "machines". The first build takes some minutes, as zig then compiles the
system libraries of each target; they stay in zig's cache (ZIG_GLOBAL_CACHE_DIR).
"""

import sys

from cross.cli import main

if __name__ == "__main__":
    sys.exit(main(__doc__ or "", sys.argv[1:]))
