"""A CPython for musl, which Debian has not: compiled with zig from Debian's source, into the cache.

It has no modules that need other libraries: what the contract imports is in the program itself.
"""

from __future__ import annotations

import os
import re
import shutil
import tarfile
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import output
from lab.packages import Mirror, Suite
from lab.pieces import Piece

from cross.chroots import NotHereError, Root, make_places
from cross.targets import ZIG

if TYPE_CHECKING:
    from cross.targets import Target

#: Debian 12's Python, which also has to be here: the new one is compiled with its help.
VERSION, SUITE = "3.11", "bookworm"
HELPER = Path("/usr/bin/python3.11")

#: zig links with the functions of musl 1.2.5, as Debian 13 has it.
MUSL_SUITE = "trixie"

MODULES = (
    *("array", "binascii", "cmath", "fcntl", "grp", "math", "mmap", "resource", "select"),
    *("termios", "unicodedata", "_asyncio", "_bisect", "_blake2", "_contextvars", "_csv"),
    *("_datetime", "_heapq", "_json", "_md5", "_opcode", "_pickle", "_posixsubprocess", "_queue"),
    *("_random", "_sha1", "_sha256", "_sha3", "_sha512", "_socket", "_statistics", "_struct"),
    *("_typing", "_zoneinfo"),
)

CONFIGURED = (
    *("-q", "--prefix=/usr", "--without-ensurepip", "--disable-test-modules", "--disable-ipv6"),
    *("ac_cv_file__dev_ptmx=yes", "ac_cv_file__dev_ptc=no"),
)

#: The program is large, and made once: fast to compile is better than fast.
OPTIONS = "-O1 -g0 -fno-sanitize=undefined -Wno-date-time"

NOT_COPIED = ("test", "idlelib", "lib2to3", "tkinter", "ensurepip", "__pycache__")


def root(target: Target) -> Root:
    """A root with musl and Python, for the processor of the target."""
    name = f"musl-{target.debian}"
    return Root(target.debian, Piece(f"Python on {name}", f"chroots/{name}", partial(fill, target)))


def fill(target: Target, folder: Path) -> None:
    """Fetches musl, and compiles Python: a minute or two."""
    for needed, package in ((HELPER, "python3.11"), ("/usr/bin/make", "make")):
        if not Path(needed).exists():
            msg = f"{needed} is missing: apt-get install {package}"
            raise NotHereError(msg)
    mirror = Mirror.of_this_machine()
    Suite(MUSL_SUITE, mirror, target.debian).unpack(("base-files", "musl"), folder)
    make_places(folder)
    with tempfile.TemporaryDirectory() as name:
        Suite(SUITE, mirror).download_source(f"python{VERSION}", Path(name))
        (archive,) = Path(name).glob("*.orig.tar.*")
        with tarfile.open(archive) as source:
            source.extractall(name, filter="data")
        (source_folder,) = Path(name).glob("Python-*")
        compile_python(target, source_folder, folder)


def compile_python(target: Target, source: Path, root: Path) -> None:
    """Compiles the program, and copies it and the library to the root."""
    modules = re.findall(r"^#((\w+) .*)$", (source / "Modules/Setup").read_text(), re.MULTILINE)
    lines = [line for line, name in modules if name in MODULES]
    (source / "Modules/Setup.local").write_text("\n".join((*lines, "")))
    zig = " ".join(ZIG)
    environment = {
        **os.environ,
        "CC": f"{zig} cc -target {target.triple} -dynamic",
        "AR": f"{zig} ar",
        "RANLIB": f"{zig} ranlib",
        "READELF": shutil.which("readelf") or "readelf",
        "PKG_CONFIG": "false",  # it knows the libraries of this machine
        "CFLAGS": OPTIONS,
    }
    machines = [f"--host={target.triple}", f"--build={os.uname().machine}-linux-gnu"]
    configure = ["./configure", *CONFIGURED, *machines, f"--with-build-python={HELPER}"]
    output(configure, source, environment)
    suffix = f"SOABI=cpython-{VERSION.replace('.', '')}-{target.triple}"
    output(
        ["make", "-s", f"-j{os.cpu_count()}", suffix, "python", "pybuilddir.txt"],
        source,
        environment,
    )
    library = root / "usr" / "lib" / f"python{VERSION}"
    shutil.copytree(source / "Lib", library, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for generated in source.glob("build/lib.*/_sysconfigdata*.py"):
        shutil.copy(generated, library)
    shutil.copy(source / "python", root / "usr/bin/python3")
