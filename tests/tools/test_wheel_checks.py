"""The checks of wheels refuse what a Python would not load. Needs the extra "machines"."""

from __future__ import annotations

import argparse
import subprocess
import zipfile
from typing import TYPE_CHECKING, Any, Callable

import pytest

pytest.importorskip("abi3audit", reason='needs the extra "machines"')
pytest.importorskip("lief", reason='needs the extra "machines"')
pytest.importorskip("ziglang", reason='needs the extra "machines"')

from common.errors import ToolError
from cross import checks, runs, sdist, wheels
from cross.build import BuildError
from cross.targets import WHEELS, ZIG, Target

if TYPE_CHECKING:
    from pathlib import Path

BY_NAME = {target.name: target for target in WHEELS}
LINUX, MACOS = BY_NAME["linux-x86_64"], BY_NAME["macos-arm64"]
MUSL, WINDOWS = BY_NAME["musl-x86_64"], BY_NAME["windows-x86_64"]
PPC, PYPY = BY_NAME["linux-ppc64le"], BY_NAME["pypy39-x86_64"]

#: An extension without content. It calls CALLED, and shows SECOND.
SOURCE = """
#ifdef _WIN32
#define PUBLIC __declspec(dllexport)
#else
#define PUBLIC __attribute__((visibility("default")))
#endif
#ifdef CALLED
int CALLED(void);
PUBLIC void *ENTRY(void) { return CALLED; }
#else
PUBLIC void *ENTRY(void) { return 0; }
#endif
#ifdef SECOND
PUBLIC void SECOND(void) {}
#endif
"""

Library = Callable[..., bytes]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Compiles the extension for a target, with options."""
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "source.c").write_text(SOURCE)

    def compiled(target: Target, *options: str) -> bytes:
        # The options of a wheel, as zig has compiled the parts of the C library for them.
        compiler = [*ZIG, "cc", "-target", target.triple, *wheels.OPTIONS.split()]
        hidden = ("-fvisibility=hidden", f"-DENTRY={checks.ENTRIES[target.tag[:2]]}")
        macros = [option for option in options if option.startswith("-D")]
        libraries = [option for option in options if option.startswith("-l")]
        compiling = [*compiler, "-fPIC", "-w", *hidden, *macros, "-c", "source.c", "-o", "object.o"]
        linking = [*wheels.LINKING[target.platform].split(), "object.o", "-o", "library"]
        for command in (compiling, [*compiler, *linking, *libraries]):
            subprocess.run(command, cwd=folder, check=True)
        return (folder / "library").read_bytes()

    return compiled


def pack(
    folder: Path,
    target: Target,
    binary: bytes,
    *,
    name: str = "",
    inside: str = "",
    files: tuple[str, ...] = (),
) -> Path:
    """Makes a wheel: tag of its name, tag inside, and files in the place of the extension."""
    path = folder / f"speedcopy-1-{name or target.tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("speedcopy-1.dist-info/WHEEL", f"Tag: {inside or target.tag}\n")
        for file in files or (target.extension,):
            wheel.writestr(f"speedcopy/{file}", binary)
    return path


@pytest.mark.parametrize("target", [LINUX, MUSL, PYPY, MACOS, WINDOWS], ids=lambda each: each.name)
def test_good_wheel(target: Target, library: Library, tmp_path: Path) -> None:
    """Nothing is found."""
    assert checks.problems(target, pack(tmp_path, target, library(target))) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        pytest.param(
            {"files": ("_native.abi3-x86_64-linux-gnu.so",)},
            "it has ['speedcopy/_native.abi3-x86_64-linux-gnu.so'], "
            "and Python looks for _native.abi3.so",
            id="name of the extension, from Python 3.15",
        ),
        pytest.param(
            {"files": ("__init__.py",)},
            "it has [], and Python looks for _native.abi3.so",
            id="no extension",
        ),
        pytest.param(
            {"files": (LINUX.extension, "native/copy.c")},
            "speedcopy/native/copy.c is in it",
            id="C",
        ),
        pytest.param(
            {"name": "cp39-abi3-linux_x86_64"},
            "its name is speedcopy-1-cp39-abi3-linux_x86_64.whl",
            id="tag of the name",
        ),
        pytest.param(
            {"inside": "cp39-abi3-linux_x86_64"},
            "its tags are ['cp39-abi3-linux_x86_64']",
            id="tag inside",
        ),
    ],
)
def test_bad_wheel(changes: dict[str, Any], problem: str, library: Library, tmp_path: Path) -> None:
    """Each mistake is named, and no other."""
    wheel = pack(tmp_path, LINUX, library(LINUX), **changes)
    assert checks.problems(LINUX, wheel) == [problem]


@pytest.mark.parametrize(
    ("target", "made_for", "options", "problem"),
    [
        pytest.param(*(LINUX, BY_NAME["linux-i686"], ()), "it is for I386", id="another processor"),
        pytest.param(*(LINUX, WINDOWS, ()), "its extension is not for linux", id="another system"),
        pytest.param(*(LINUX, MUSL, ("-DCALLED=read",)), "it needs ['libc.so']", id="musl"),
        pytest.param(
            *(
                PPC._replace(triple="powerpc64le-linux-gnu.2.17"),
                PPC,
                ("-DCALLED=copy_file_range",),
            ),
            *("it needs ['GLIBC_2.27']",),
            id="a newer glibc",
        ),
        pytest.param(
            *(LINUX, LINUX, ("-DCALLED=cos", "-lm")), "it needs ['libm.so.6']", id="a library"
        ),
        pytest.param(
            *(LINUX, LINUX, ("-DSECOND=sc_copy",)),
            *("it exports ['PyInit__native', 'sc_copy']",),
            id="a second symbol",
        ),
        pytest.param(
            *(LINUX, LINUX, ("-DCALLED=PyUnicode_AsUTF8AndSize",)), "abi3audit: ", id="not in 3.9"
        ),
        pytest.param(
            *(MACOS._replace(triple="aarch64-macos.10.15"), MACOS, ()),
            *("it needs macOS [11, 0]",),
            id="a newer macOS",
        ),
        pytest.param(
            *(WINDOWS, WINDOWS, ("-DCALLED=MessageBoxA", "-luser32")),
            *("it needs ['USER32.dll']",),
            id="a DLL",
        ),
    ],
)
def test_bad_extension(
    target: Target,
    made_for: Target,
    options: tuple[str, ...],
    problem: str,
    library: Library,
    tmp_path: Path,
) -> None:
    """What the compiler and the linker may get wrong."""
    wheel = pack(tmp_path, target, library(made_for, *options))
    (found,) = checks.problems(target, wheel)
    assert found.startswith(problem)


def fails(error: Exception) -> Callable[..., Path]:
    """Something that raises."""

    def function(*_: object) -> Path:
        raise error

    return function


@pytest.mark.parametrize(
    ("build", "problems", "state", "result", "code"),
    [
        (fails(BuildError("a\nb")), [], "", "FAILED: does not build", 1),
        (fails(ToolError("no network\nb")), [], "", "not built: no network", 2),
        (fails(FileNotFoundError(2, "No such file", "apt-get")), [], "", "not built: [Errno 2]", 2),
        (None, ["it exports x", "it needs y"], "", "FAILED: it exports x; it needs y", 1),
        (None, [], runs.PASSED, "checked, native, passed: text", 0),
        (None, [], runs.FAILED, "checked, native, FAILED: text", 1),
        (None, [], runs.NOT_RUN, "checked, native, not run: text", 2),
    ],
    ids=["compiler", "network", "program", "checks", "passed", "failed", "no emulator"],
)
def test_line_of_the_table(
    build: Callable[..., Path] | None,
    problems: list[str],
    state: str,
    result: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens to one wheel is one line, and part of the exit code."""
    monkeypatch.setattr(wheels, "build", build or (lambda *_: pack(tmp_path, LINUX, b"")))
    monkeypatch.setattr(checks, "problems", lambda *_: problems)
    monkeypatch.setattr(runs, "run", lambda *_: runs.Result(state, "text", 1))
    options = argparse.Namespace(dir=tmp_path, twice=False, run=True, deal=1)
    row = wheels.row(LINUX, tmp_path, options)
    assert (row.result.startswith(result), row.code) == (True, code)
    assert "\n" not in str(row)


@pytest.mark.parametrize(
    ("codes", "code"),
    [([0, 0], 0), ([0, 2], 2), ([2, 1], 1)],
    ids=["all well", "an emulator is missing", "and one is wrong"],
)
def test_whole_run(
    codes: list[int], code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder has what was built now, and SHA256SUMS what of it may be published."""
    rows = iter(codes)
    source = tmp_path / "speedcopy-1.tar.gz"

    def make(_: Path) -> Path:
        source.touch()
        return source

    def row(target: Target, *_: object) -> wheels.Row:
        size = pack(tmp_path, target, b"").stat().st_size
        return wheels.Row(target.name, target.tag, str(size), "", next(rows))

    monkeypatch.setattr(wheels, "WHEELS", [LINUX, MACOS])
    monkeypatch.setattr(wheels, "row", row)
    monkeypatch.setattr(sdist, "build", make)
    (tmp_path / "speedcopy-1-old.whl").touch()
    assert wheels.main("--dir", str(tmp_path)) == code
    listed = (tmp_path / "SHA256SUMS").read_text().splitlines()[1:]
    assert len(listed) == 1 + len([each for each in codes if each != 1])
    assert not (tmp_path / "speedcopy-1-old.whl").exists()


def test_other_bytes(tmp_path: Path) -> None:
    """A second build is compared with the first."""
    first = tmp_path / "wheel"
    first.write_bytes(b"1")

    def make(content: bytes) -> Callable[[Path], Path]:
        def again(folder: Path) -> Path:
            (folder / "wheel").write_bytes(content)
            return folder / "wheel"

        return again

    assert wheels.compared(first, make(b"1")) == []
    assert wheels.compared(first, make(b"2")) == ["a second wheel has other bytes"]


@pytest.mark.parametrize(
    ("names", "count"),
    [([], len(WHEELS)), (["linux-x86_64"], 1), (["macos-*", "windows-x86"], 3)],
    ids=["all", "one", "wildcards"],
)
def test_names(names: list[str], count: int) -> None:
    """Wheels are chosen by name."""
    assert len(wheels.chosen(names)) == count


def test_unknown_name() -> None:
    """The message has the names that there are."""
    with pytest.raises(ToolError, match=r"no wheel is called linux-vax; there are linux-x86_64, "):
        wheels.chosen(["linux-x86_64", "linux-vax"])
