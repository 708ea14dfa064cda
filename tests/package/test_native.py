"""The boundary: what the compiler made of the headers, and what Python is told of it."""

from __future__ import annotations

import ast
import ctypes
import errno
import functools
import importlib
import operator
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import pytest
from faults.mechanisms import EXPECTED, MISSING

import speedcopy
from speedcopy import _errors, _loader, _plain, _results

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
NATIVE = ROOT / "speedcopy" / "native"

native = pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
ffi, lib = native.ffi, native.lib
boundary = pytest.importorskip("speedcopy._boundary")
encode, MECHANISMS = boundary.encode, boundary.MECHANISMS

#: Request numbers by the direction bits in the kernel headers of a family of machines.
GENERIC = {
    "FICLONE": 0x40049409,
    "FICLONERANGE": 0x4020940D,
    "FIDEDUPERANGE": 0xC0189436,
    "CIFS_IOC_COPYCHUNK_FILE": 0x4004CF03,
    "CIFS_IOC_GET_MNT_INFO": 0x8040CF05,
}
OTHERS = {
    "FICLONE": 0x80049409,
    "FICLONERANGE": 0x8020940D,
    "FIDEDUPERANGE": 0xC0189436,
    "CIFS_IOC_COPYCHUNK_FILE": 0x8004CF03,
    "CIFS_IOC_GET_MNT_INFO": 0x4040CF05,
}

NUMBERS = {
    **dict.fromkeys(("x86_64", "i386", "i486", "i586", "i686"), GENERIC),
    **dict.fromkeys(("aarch64", "armv5tel", "armv6l", "armv7l", "armv8l"), GENERIC),
    **dict.fromkeys(("riscv64", "s390x", "loongarch64", "ia64", "m68k"), GENERIC),
    **dict.fromkeys(("mips", "mips64", "ppc", "ppc64", "ppc64le"), OTHERS),
    **dict.fromkeys(("sparc", "sparc64", "alpha"), OTHERS),
}


#: The codes for what has no errno, by name.
OWN_CODES: dict[str, int] = dict(ffi.typeof("enum sc_code").relements)


@pytest.fixture
def build_ffi(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The builder, which reads the sources from the folder it runs in."""
    if not (ROOT / "build_ffi.py").exists():
        pytest.skip("the sources are not here")
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("build_ffi")


def without_comments(text: str) -> str:
    """C without its comments."""
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def names_in(header: str) -> set[str]:
    """What a header declares: constants, enumerators and functions."""
    text = without_comments(header)
    defines = re.findall(r"^#define (\w+) (?!extern)\S", text, re.MULTILINE)
    enums = "".join(re.findall(r"enum \w+ \{([^}]*)\}", text))
    functions = re.findall(r"\b(sc_\w+)\(", text)
    return {*defines, *re.findall(r"(\w+) =", enums), *functions}


@pytest.mark.parametrize("name", sorted(GENERIC))
def test_request_numbers(name: str) -> None:
    """The header and this machine's compiler come to the number that the kernel knows."""
    if not hasattr(lib, name):
        pytest.skip(f"the platform's header has no {name}")
    machine = os.uname().machine
    if machine not in NUMBERS:
        pytest.skip(f"nobody has looked up the numbers of {machine}")
    assert hex(getattr(lib, name)) == hex(NUMBERS[machine][name])


def test_every_name_of_the_headers(build_ffi: ModuleType) -> None:
    """What the headers declare is in the extension, and nothing else is."""
    headers = build_ffi.PLATFORMS[build_ffi.target()].headers
    declared = {name for header in headers for name in names_in((NATIVE / header).read_text())}
    assert {"sc_copy", "SC_AT_BOTH", "SC_MAX_MECHANISMS"} <= declared
    assert set(dir(lib)) == declared


def test_stub(build_ffi: ModuleType) -> None:
    """The stub names the functions of the extension; the package uses only what is declared."""
    stub = ast.parse((ROOT / "speedcopy" / "_native.pyi").read_text())
    (body,) = (
        node.body for node in stub.body if isinstance(node, ast.ClassDef) and node.name == "_Lib"
    )
    functions = {node.name for node in body if isinstance(node, ast.FunctionDef)} - {"__getattr__"}
    headers = {name for row in build_ffi.PLATFORMS.values() for name in row.headers}
    declared = {name for header in headers for name in names_in((NATIVE / header).read_text())}
    used = {
        name
        for path in Path(speedcopy.__file__).parent.glob("*.py")
        for name in re.findall(r"\blib\.(\w+)", path.read_text())
    }
    assert {"sc_copy", "SC_AT_BOTH"} <= used
    assert functions | used <= declared
    assert {name for name in used if name.startswith("sc_")} <= functions


def defines_and_uses(path: Path) -> tuple[set[str], set[str]]:
    """The names of ours that a C file defines, functions and tables, and all that it mentions."""
    text = without_comments(path.read_text())
    functions = re.findall(r"^\w[\w *]*?\b(sc_\w+)\([^;{]*\)\n\{", text, re.MULTILINE)
    tables = re.findall(r"^const \w+ (sc_\w+)\[", text, re.MULTILINE)
    return {*functions, *tables}, set(re.findall(r"\bsc_\w+", text))


@pytest.mark.parametrize("folder", ["posix", "windows"])
def test_no_circle(build_ffi: ModuleType, folder: str) -> None:
    """No C file of a platform needs one that, directly or not, needs it."""
    rows = [row.sources for row in build_ffi.PLATFORMS.values() if folder in row.sources[0]]
    for sources in rows:
        files = {name: defines_and_uses(NATIVE / name) for name in sources}
        home = {name: file for file, (defined, _) in files.items() for name in defined}
        needs = {
            file: {home[name] for name in used if home.get(name, file) != file}
            for file, (_, used) in files.items()
        }
        assert any(needs.values())
        while needs:
            leaves = {file for file, needed in needs.items() if not needed & set(needs)}
            assert leaves, f"a circle among {sorted(needs)}"
            needs = {file: needed for file, needed in needs.items() if file not in leaves}
    assert rows


def test_shared_constants() -> None:
    """Copies that Python makes alone use the values that the header declares."""
    assert _plain.TICK == lib.SC_TICK_MS / 1000
    assert (_plain.SMALLEST_BUFFER, _plain.LARGEST_BUFFER) == (
        lib.SC_SMALLEST_BUFFER,
        lib.SC_LARGEST_BUFFER,
    )


@pytest.mark.parametrize(
    ("name", "key"),
    [
        *(("amoeba", "amoeba"), ("amoeba5", "amoeba"), ("amoeba5.3", "amoeba")),
        *(("plan9", "plan9"), ("plan10", None), ("inferno", None)),
    ],
)
def test_target(
    build_ffi: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str, key: Optional[str]
) -> None:
    """A platform is known with and without its version; another one can be compiled for."""
    monkeypatch.setattr(build_ffi, "PLATFORMS", {"amoeba": None, "plan9": None})
    monkeypatch.setenv(build_ffi.TARGET, name)
    assert build_ffi.target() == key
    monkeypatch.delenv(build_ffi.TARGET)
    monkeypatch.setattr(sys, "platform", name)
    assert build_ffi.target() == key


def test_platforms_of_python(build_ffi: ModuleType) -> None:
    """FreeBSD has its version in its name; the digits of Windows belong to it."""
    assert build_ffi.key_of("freebsd14") == "freebsd"
    assert build_ffi.key_of("linux2") == "linux"
    for platform in build_ffi.PLATFORMS:
        assert build_ffi.key_of(platform) == platform


def test_mechanisms() -> None:
    """The native table has the rows of the tests' table, in the order that it promises."""
    names = [ffi.string(lib.sc_mechanism_name(row)).decode() for row in range(len(MECHANISMS))]
    assert not MISSING, MISSING
    assert tuple(names) == MECHANISMS == tuple(row.name for row in EXPECTED)
    assert len(names) <= lib.SC_MAX_MECHANISMS


@pytest.mark.parametrize("row", [-(2**31), -1, len(MECHANISMS), lib.SC_MAX_MECHANISMS, 2**31 - 1])
def test_no_such_mechanism(row: int) -> None:
    """A row outside the table has no name."""
    assert lib.sc_mechanism_name(row) == ffi.NULL


def test_hidden() -> None:
    """Python finds the module; no function of ours can replace another, or be replaced."""
    if not (ROOT / "build_ffi.py").exists():
        pytest.skip("the sources are not here")
    library = ctypes.CDLL(native.__file__)
    entry = "PyInit__native" if sys.implementation.name == "cpython" else "_cffi_pypyinit__native"
    assert hasattr(library, entry)
    sources = "".join(path.read_text() for path in NATIVE.rglob("*.[ch]"))
    names = set(re.findall(r"\b(sc_\w+)\(", without_comments(sources)))
    assert {"sc_copy", "sc_tick"} <= names
    assert not {name for name in names if hasattr(library, name)}


def test_supported(build_ffi: ModuleType) -> None:
    """The package knows which platforms it is built for."""
    assert set(_loader.SUPPORTED) == set(build_ffi.PLATFORMS)


def test_report_layout() -> None:
    """The report has the layout that its declaration says, on every machine the same."""
    fields: list[tuple[str, Any]] = ffi.typeof("sc_report").fields
    assert {name: (field.offset, field.type.cname) for name, field in fields} == {
        "copied": (0, "int64_t"),
        "mechanism": (8, "int32_t"),
        "offloaded": (12, "int32_t"),
        "declined": (16, f"int32_t[{lib.SC_MAX_MECHANISMS}]"),
        "refused": (48, f"int32_t[{lib.SC_ATTRIBUTES}]"),
    }
    assert ffi.sizeof("sc_report") == 64


def test_nothing_wanted_back(folder: Path) -> None:
    """Neither a report nor progress has to be given."""
    (folder / "src").write_bytes(b"data")
    names = encode(folder / "src"), encode(folder / "dst")
    assert lib.sc_copy(ffi.NULL, *names, lib.SC_KEEP_HOLES, ffi.NULL) == 0
    assert (folder / "dst").read_bytes() == b"data"


def test_codes(folder: Path) -> None:
    """A result is the negated sum of a code and a place, and the report is filled in anyway."""
    report = ffi.new("sc_report *", {"copied": 7, "mechanism": 7, "declined": [7] * 8})
    (folder / "src").write_bytes(b"data")
    src, missing = encode(folder / "src"), encode(folder / "missing" / "dst")
    at_src, at_dst = 2 + lib.SC_AT_SRC, 2 + lib.SC_AT_DST
    if os.name == "nt":  # ERROR_PATH_NOT_FOUND, and the standard library says of what
        at_src = at_dst = 3 + lib.SC_LEAVE_IT
    assert lib.sc_copy(ffi.NULL, missing, src, lib.SC_KEEP_HOLES, report) == -at_src
    assert lib.sc_copy(ffi.NULL, src, missing, lib.SC_KEEP_HOLES, report) == -at_dst
    assert lib.sc_copy(ffi.NULL, src, src, lib.SC_KEEP_HOLES, report) == -(
        lib.SC_SAME_FILE + lib.SC_AT_BOTH
    )
    assert (report.copied, report.mechanism, report.offloaded) == (0, -1, -1)
    assert list(report.declined) == [0] * 8
    assert (folder / "src").read_bytes() == b"data"


def test_codes_are_no_errnos() -> None:
    """Codes lie above every errno and below the places."""
    places = {lib.SC_AT_SRC, lib.SC_AT_DST, lib.SC_AT_BOTH}
    assert max(OWN_CODES.values()) < min(places)
    assert min(OWN_CODES.values()) > max(0x1000, *errno.errorcode)
    assert len(set(OWN_CODES.values())) == len(OWN_CODES)
    assert lib.SC_AT_SRC | lib.SC_AT_DST == lib.SC_AT_BOTH


def is_raised_as_ctrl_c(result: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a result of the native layer says that the copy was stopped."""
    monkeypatch.setattr(boundary, "sc_copy", lambda *_: result)
    try:
        returned: int = boundary.copy("src", "dst", 0, None, None)
    except KeyboardInterrupt:
        return True
    assert returned == result
    return False


@pytest.mark.parametrize("name", OWN_CODES)
def test_each_code_is_decoded(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A code of ours is an exception of its own, a reason in ``declined``, or stops the copy."""
    code = OWN_CODES[name]
    with pytest.raises((OSError, _errors.OtherNameError)) as raised:
        _results.raise_for(-(code | lib.SC_AT_SRC), "src", "dst")
    (reason,) = _results.declined(ffi.new("sc_report *", {"declined": [code]})).values()
    ways = (
        isinstance(
            raised.value, (shutil.SameFileError, shutil.SpecialFileError, _errors.OtherNameError)
        ),
        reason != _errors.name_of(code),
        is_raised_as_ctrl_c(-(code | lib.SC_AT_BOTH), monkeypatch),
    )
    assert ways.count(True) == 1


def test_flags_are_disjoint() -> None:
    """No flag has a bit of another one or of a row of the table, and all fit into an int."""
    flags = {name: getattr(lib, name) for name in ffi.typeof("enum sc_flag").relements}
    row = flags.pop("SC_SKIP_ROW")
    bits = [*flags.values(), *(row << number for number in range(lib.SC_MAX_MECHANISMS))]
    assert sum(bits) == functools.reduce(operator.or_, bits) < 2**31


class TestDeclarations:
    """From a C header to what cffi can parse."""

    HEADER = """
/* A comment with int words(void); in it
 * #define NOT_ME 1
 */
#ifndef GUARD_H
#define GUARD_H
#include <stdint.h>
#define NUMBER _IOW(0x94, 9, int)
#define SC_PYTHON extern
enum kind { ONE = 1, /* why */ TWO = 2 };
typedef SC_CHAR sc_char;
int sc_call(const sc_char *path);
SC_PYTHON int sc_back(void *handle);
#endif
"""

    def test_text(self, build_ffi: ModuleType) -> None:
        """Comments, guards and includes go; constants and callbacks are cffi's."""
        lines = build_ffi.declarations(self.HEADER).split("\n")
        assert [line for line in lines if line.strip()] == [
            "#define NUMBER ...",
            "enum kind { ONE = 1,  TWO = 2 };",
            "typedef SC_CHAR sc_char;",
            "int sc_call(const sc_char *path);",
            'extern "Python+C" int sc_back(void *handle);',
        ]

    def test_platforms(self, build_ffi: ModuleType) -> None:
        """Each platform's files are there, and none is left over."""
        rows = build_ffi.PLATFORMS.values()
        sources = {name for row in rows for name in row.sources}
        headers = {name for row in rows for name in row.headers}
        included = {
            name
            for path in NATIVE.rglob("*.[ch]")
            for name in re.findall(r'^#include "(.+)"', path.read_text(), re.MULTILINE)
        }
        assert {path.relative_to(NATIVE).as_posix() for path in NATIVE.rglob("*.c")} == sources
        found = {path.relative_to(NATIVE).as_posix() for path in NATIVE.rglob("*.h")}
        assert headers <= found
        assert {path.rpartition("/")[2] for path in found} == {
            path.rpartition("/")[2] for path in headers | included
        }

    def test_every_platform_can_be_declared(self, build_ffi: ModuleType) -> None:
        """Cffi takes the declarations of each platform, on whatever platform it runs."""
        for platform in build_ffi.PLATFORMS:
            assert build_ffi.make_ffi(platform).typeof("sc_report").kind == "struct"

    def test_unknown_platform(self, build_ffi: ModuleType) -> None:
        """A platform without a row has no native layer."""
        with pytest.raises(KeyError):
            build_ffi.make_ffi("plan9")
