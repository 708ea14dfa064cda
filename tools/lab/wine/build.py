"""The extension for Windows, built on this machine: one abi3 wheel, and compile-only checks."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.programs import output

from lab.wine import setup

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).resolve().parents[3]
FAKE = Path(__file__).with_name("fake_copyfile2.c")
PLATFORM = "win32"  # the key of build_ffi.PLATFORMS
TAG = "cp39-abi3-win_amd64"
LIMITED_API = "-DPy_LIMITED_API=0x03090000"

MINGW = "x86_64-w64-mingw32-gcc"
STRICT = ("-std=c11", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow",
          "-Wstrict-prototypes", "-Wvla", "-Werror")  # fmt: skip
GENERATED = ("-O2", "-w")  # warnings in what cffi generates are not ours

WHEEL_FILE = f"""\
Wheel-Version: 1.0
Generator: speedcopy tools/lab
Root-Is-Purelib: false
Tag: {TAG}
"""


class Extension(NamedTuple):
    """What build_ffi.py lists for the extension, and the C file that cffi wrote."""

    module: str
    emitted: Path
    options: list[str]
    sources: list[str]
    libraries: list[str]


def wheel(destination: Path) -> Path:
    """Cross-build the wheel of the project for 64-bit Windows into a folder."""
    python = setup.windows_python(setup.DEFAULT_PYTHON)
    setup.require(python, setup.BUILDERS, packages=True)
    destination.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        project, tree = Path(name, "project"), Path(name, "wheel")
        _copy_project(project)
        _python(["setup.py", "-q", "build_py", "--build-lib", str(tree),
                 "dist_info", "--output-dir", str(tree)], project)  # fmt: skip
        extension = _emit(project)
        built = tree / f"{extension.module.replace('.', '/')}.pyd"
        _compile(extension, project, python.path, built)
        (dist_info,) = tree.glob("*.dist-info")
        (dist_info / "WHEEL").write_text(WHEEL_FILE)
        pack = ["-m", "wheel", "pack", "--dest-dir"]
        _python([*pack, str(destination.resolve()), str(tree)], project)
        return destination / f"{dist_info.stem}-{TAG}.whl"


def fake_copyfile2(folder: Path) -> Path:
    """Compile the CopyFile2 that the tests put in the place of Windows' own."""
    setup.require(packages=True)
    built = folder / "fake_copyfile2.dll"
    options = [*STRICT, "-D_WIN32_WINNT=0x0a00", "-shared", "-static-libgcc", "-s"]
    output([MINGW, *options, str(FAKE), "-o", str(built)])
    return built


def check_targets() -> int:
    """Compile the Windows sources for every target; the number of targets that fail."""
    setup.require(setup.BUILDERS, setup.ZIG, packages=True)
    with tempfile.TemporaryDirectory() as name:
        project = Path(name)
        _copy_project(project)
        extension = _emit(project)
        return sum(_target_fails(*target, extension, project) for target in _targets().items())


def _targets() -> dict[str, list[str]]:
    zig = [str(setup.ZIG.path / "ziglang/zig"), "cc", "-target"]
    return {
        "x86_64": [MINGW],
        "i686": ["i686-w64-mingw32-gcc"],
        "x86_64, clang": [*zig, "x86_64-windows-gnu"],
        "aarch64, clang": [*zig, "aarch64-windows-gnu"],
    }


def _target_fails(name: str, compiler: Sequence[str], extension: Extension, project: Path) -> bool:
    compile_only = [*compiler, *STRICT, *extension.options, "-o", "target.o", "-c"]
    cache = str(setup.folder() / "zig-cache")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    results = [
        subprocess.run([*compile_only, source], cwd=project, env=environment, check=False)
        for source in extension.sources
    ]
    fails = any(done.returncode for done in results)
    print(f"{name}: {'fails' if fails else 'clean'}", flush=True)
    return fails


def _copy_project(copy: Path) -> None:
    """Copy what belongs to the project: setuptools writes into the folder it works in."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in output(listing, PROJECT).rstrip("\0").split("\0"):
        if (PROJECT / name).exists():  # deleted, but not yet committed
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, copy / name)


def _emit(project: Path) -> Extension:
    emitted = project / "emitted.c"
    command = [f"{PROJECT}/tools/common/extension.py", PLATFORM, str(emitted)]
    *_, module, options, sources, libraries = _python(command, project).splitlines()
    lists = map(shlex.split, (options, sources, libraries))
    return Extension(module, emitted, *lists)


def _compile(extension: Extension, project: Path, python: Path, built: Path) -> None:
    common = extension.options
    generated = [*GENERATED, LIMITED_API, f"-I{python}/include"]
    objects = [_object(extension.emitted, [*generated, *common], project)]
    objects += [_object(Path(name), [*STRICT, *common], project) for name in extension.sources]
    libraries = [f"{python}/python3.dll", *(f"-l{name}" for name in extension.libraries)]
    link = [MINGW, "-shared", "-static-libgcc", "-s", "-o", str(built)]
    output([*link, *map(str, objects), *libraries], project)


def _object(source: Path, options: Sequence[str], project: Path) -> Path:
    result = project / source.with_suffix(".o").name
    output([MINGW, *options, "-c", str(source), "-o", str(result)], project)
    return result


def _python(arguments: Sequence[str], folder: Path) -> str:
    """Run this Python with the build packages of the lab."""
    packages = str(setup.BUILDERS.path)
    return output([sys.executable, *arguments], folder, {**os.environ, "PYTHONPATH": packages})
