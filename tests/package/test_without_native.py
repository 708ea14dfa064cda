"""A package without its native layer, and one whose native layer is broken."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipapp
from pathlib import Path

import pytest

import speedcopy
from speedcopy import _loader

PACKAGE = Path(speedcopy.__file__).parent


#: A program that copies ``src``, and prints how.
PROGRAM = """
import speedcopy
done = speedcopy.transfer("src", "dst")
print(done.mechanism, done.copied, done.declined, speedcopy.why_not_native(), sep="; ")
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A folder with a copy of the package that has no compiled module."""
    binaries = shutil.ignore_patterns("*.so", "*.pyd", "*.dylib", "native", "__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "path" / "speedcopy", ignore=binaries)
    return tmp_path / "path"


def run(package: Path, code: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs Python with the copy on its path, and no site: editable installs find more there."""
    start = f"import sys; sys.path.insert(0, {str(package)!r}); {code}"
    return subprocess.run(
        [sys.executable, "-S", *options, "-c", start],
        cwd=package.parent,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def output(package: Path, code: str) -> str:
    """What code prints, that starts with a file ``src`` and all names of speedcopy."""
    start = (
        "import speedcopy, errno, importlib.util, shutil; from speedcopy import *; "
        "assert importlib.util.find_spec('speedcopy._native') is None; "
        "new = open('src', 'wb'); new.write(b'data' * 999); new.close(); "
    )
    done = run(package, start + code, "-W", "ignore::RuntimeWarning")
    assert not done.stderr
    assert done.returncode == 0
    return done.stdout.strip()


def test_copies(package: Path) -> None:
    """The copy works, under its own name and patched, and returns dst."""
    code = "print(copyfile('src', 'dst')); patch_copyfile(); print(shutil.copyfile('src', 'd2'))"
    assert output(package, code).split() == ["dst", "d2"]
    for name in ("dst", "d2"):
        assert (package.parent / name).read_bytes() == b"data" * 999


def test_says_so(package: Path) -> None:
    """Transfer and the line of SPEEDCOPY_DEBUG have the fallback's name and the reason."""
    code = "t = transfer('src', 'dst'); print(t.mechanism, t.copied, t.declined, t)"
    told = output(package, code)
    assert told.startswith("shutil.copyfile 3996 {'native': 'not built'} ")
    assert told.endswith("; declined: native (not built)")


def test_warns_once(package: Path) -> None:
    """The import warns, once; copies do not."""
    code = (
        "import speedcopy; import speedcopy as again; open('src', 'w').close(); "
        "speedcopy.copyfile('src', 'dst'); speedcopy.transfer('src', 'dst')"
    )
    done = run(package, code, "-W", "always")
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if "Warning" in line]
    assert len(lines) == 1
    assert lines[0].startswith("<string>:1: RuntimeWarning: speedcopy has no native layer here")
    assert _loader.REASONS["not built"] in lines[0]


@pytest.mark.parametrize("binaries", [False, True], ids=["sources", "with the extension"])
def test_zip_application(binaries: bool, tmp_path: Path) -> None:
    """Python loads no extension from a zip file: the program copies, and warns once."""
    ignored = ["native", "__pycache__", *([] if binaries else ["*.so", "*.pyd"])]
    ignore = shutil.ignore_patterns(*ignored)
    shutil.copytree(PACKAGE, tmp_path / "app" / "speedcopy", ignore=ignore)
    (tmp_path / "app" / "__main__.py").write_text(PROGRAM)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    (tmp_path / "src").write_bytes(b"data")
    done = subprocess.run(
        [sys.executable, "-S", "app.pyz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    reason = _loader.REASONS["not built"]
    assert done.stdout.strip() == f"shutil.copyfile; 4; {{'native': 'not built'}}; {reason}"
    assert done.stderr.count("RuntimeWarning") == 1
    assert reason in done.stderr
    assert (tmp_path / "dst").read_bytes() == b"data"


def test_no_cffi(package: Path) -> None:
    """A folder that several Pythons share has the extension, and cffi of one: the others warn."""
    native = importlib.util.find_spec("speedcopy._native")
    if native is None or native.origin is None or not backend_is_installed():
        pytest.skip("no extension that needs an installed cffi")
    shutil.copy(native.origin, package / "speedcopy")
    (package.parent / "src").write_bytes(b"data")
    done = run(package, f"exec({PROGRAM!r})", "-W", "always")
    reason = _loader.REASONS["no cffi"]
    assert done.stdout.strip() == f"shutil.copyfile; 4; {{'native': 'no cffi'}}; {reason}"
    assert done.stderr.count("RuntimeWarning") == 1
    assert reason in done.stderr


def test_unsupported_platform(package: Path) -> None:
    """Where there never is a native layer, no warning is printed."""
    code = (
        "import shutil; sys.platform = 'plan9'; import speedcopy; open('src', 'w').close(); "
        "print(speedcopy.transfer('src', 'dst').declined)"
    )
    done = run(package, code, "-W", "error")
    assert (done.stdout.strip(), done.stderr) == ("{}", "")


@pytest.mark.parametrize("options", ["reflink='never'", "sparse=False"])
def test_nothing_shared(package: Path, options: str) -> None:
    """Copies that may not share extents or have holes are read and written by Python."""
    code = (
        "from speedcopy import _fallback; _fallback.stdlib_copyfile = None; "
        f"t = transfer('src', 'dst', {options}, progress=lambda *told: print(*told)); "
        "print(t.mechanism, t.copied)"
    )
    told = output(package, code).splitlines()
    assert told[-2:] == ["3996 3996", "read/write 3996"]  # a slow machine may see one call more
    assert (package.parent / "dst").read_bytes() == b"data" * 999


@pytest.mark.parametrize("name", ["'src'", "3"])
def test_refusals_of_plain(package: Path, name: str) -> None:
    """Such a copy raises what the standard library raises, for names and descriptors."""
    code = (
        "\nimport os\nos.dup2(os.open('src', os.O_RDONLY), 3)\n"
        "for copy in (shutil.copyfile, lambda *names: transfer(*names, sparse=False)):\n"
        f"    for names in (({name}, 'src'), ('missing', 'dst'), (None, 'dst'), ('src', '.'), "
        "('src', 'missing/')):\n"
        "        try:\n            copy(*names)\n"
        "        except Exception as error:\n            print(repr(error))\n"
    )
    theirs_and_ours = output(package, code).splitlines()
    assert len(theirs_and_ours) == 10
    assert theirs_and_ours[:5] == theirs_and_ours[5:]


@pytest.mark.parametrize("call", ["copyfile", "transfer"])
def test_progress(package: Path, call: str) -> None:
    """Progress is called at the end."""
    code = f"{call}('src', 'dst', progress=lambda *told: print(*told))"
    assert output(package, code) == "3996 3996"


def test_no_clone(package: Path) -> None:
    """``reflink="always"`` raises with both names and makes no file; "never" copies."""
    code = (
        "transfer('src', 'never', reflink='never')\n"
        "try:\n    transfer('src', 'dst', reflink='always')\n"
        "except OSError as error:\n"
        "    print(error.errno == errno.EOPNOTSUPP, error.filename, error.filename2)\n"
    )
    assert output(package, "\n" + code) == "True src dst"
    assert (package.parent / "never").read_bytes() == b"data" * 999
    assert not (package.parent / "dst").exists()


def test_errors(package: Path) -> None:
    """Errors are the standard library's."""
    code = "\ntry:\n    copyfile('src', 'src')\nexcept shutil.SameFileError as e:\n    print(e)"
    assert output(package, code) == "'src' and 'src' are the same file"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("_native.py", "import missing_dependency", "missing_dependency"),
        ("_native.py", "raise ImportError('undefined symbol: sc_copy')", "undefined symbol"),
        ("_native.py", "ffi = None", "lib"),
        ("_native.abi3.so", "not a library", "_native"),
    ],
    ids=["dependency", "symbol", "half", "garbage"],
)
def test_broken(package: Path, name: str, content: str, error: str) -> None:
    """A native layer that exists and does not load raises ImportError."""
    (package / "speedcopy" / name).write_text(content)
    if not name.endswith(".py") and ".abi3.so" not in suffixes():
        pytest.skip("this Python loads no .abi3.so")
    done = run(package, "import speedcopy")
    assert done.returncode == 1
    assert "Error" in done.stderr.splitlines()[-1]
    assert error in done.stderr.splitlines()[-1]


def backend_is_installed() -> bool:
    """Whether cffi is a package like others, and not a part of this Python."""
    code = "import importlib.util; print(importlib.util.find_spec('_cffi_backend'))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, check=True)
    return done.stdout.strip() == b"None"


def suffixes() -> list[str]:
    """The suffixes of compiled modules."""
    from importlib.machinery import EXTENSION_SUFFIXES

    return EXTENSION_SUFFIXES
