"""Builds the sdist and from it the wheels, checks what is in them, and runs them."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
import zlib
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import command
from common.errors import ToolError

from cross import checks, python, runs, sdist
from cross.build import BuildError
from cross.targets import ROOT, WHEELS, ZIG

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from cross.targets import Target

EPILOG = """\
Without a NAME, all wheels are built. NAME may have wildcards: "linux-*". Each line of the table has
the name of the target, the tag of its wheel, the size in bytes, and the result.

The exit code is 1 if a wheel is wrong, 2 if something is missing on this machine, or 0.
"""

OK, WRONG, MISSING = 0, 1, 2
NAMES = [target.name for target in WHEELS]

#: In the place of the options that this Python was compiled with.
OPTIONS = "-O2 -g0"

LINKING = {
    "linux": "-shared -s",
    "win32": "-shared -s",
    "darwin": f"-dynamiclib -undefined dynamic_lookup -Wl,-install_name,{checks.INSTALL_NAME}",
}

#: What cffi defines when it runs on a Python without the lock (PEP 803).
FREE_THREADED = "-DPy_GIL_DISABLED=1 -DPy_TARGET_ABI3T=0x030f0000"

say = partial(command.say, "cross")


class Row(NamedTuple):
    """A line of the table, and its part in the exit code."""

    target: str
    tag: str
    size: str
    result: str
    code: int = OK

    def __str__(self) -> str:
        """In columns, of which the last one has any width."""
        return f"{self.target:16} {self.tag:42} {self.size:>7}  {self.result}"


def environment(target: Target, work: Path) -> dict[str, str]:
    """The variables that setuptools builds for a target with."""
    compiler = " ".join((*ZIG, "cc", "-target", target.triple))
    library = str(python.import_library(target, work)) if target.system == "win" else ""
    return {
        **os.environ,
        sdist.EPOCH: sdist.epoch(),
        "SPEEDCOPY_TARGET": target.platform,
        "ZIG_LOCAL_CACHE_DIR": str(work / "cache"),
        "CC": f"{compiler} -I{python.headers(target, work)}",
        "CFLAGS": f"{OPTIONS} {FREE_THREADED if '.abi3t-' in target.tag else ''}",
        "CPPFLAGS": "",
        "LDSHARED": f"{compiler} {LINKING[target.platform]}",
        "LDFLAGS": library,
    }


def build(target: Target, source: Path, folder: Path) -> Path:
    """Builds one wheel from the sdist. Raises BuildError with all that was printed."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        with tarfile.open(source) as archive:
            archive.extractall(work, filter="data")
        (project,) = work.glob("speedcopy-*")
        arguments = ["wheel", str(folder.resolve()), target.extension, target.tag]
        done = subprocess.run(
            [sys.executable, str(sdist.BACKEND), *arguments],
            cwd=project,
            env=environment(target, work),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise BuildError(done.stderr)
    return folder / done.stdout.splitlines()[-1]


def row(target: Target, source: Path, options: Namespace) -> Row:
    """Builds, checks and runs one wheel. What stops it does not stop the others."""
    size = ""
    try:
        wheel = build(target, source, options.dir)
        size = str(wheel.stat().st_size)
        wrong = checks.problems(target, wheel)
        if options.twice:
            wrong += compared(wheel, lambda folder: build(target, source, folder))
        if wrong:
            result, code = f"FAILED: {'; '.join(wrong)}", WRONG
        elif options.run and target.run != "static":
            result, code = run(target, wheel, options.deal)
        else:
            result, code = "checked, not run", OK
    except BuildError as error:
        say(f"{target.name} does not build:\n{error}")
        result, code = "FAILED: does not build", WRONG
    except (ToolError, OSError) as error:
        result, code = f"not built: {str(error).splitlines()[0]}", MISSING
    return Row(target.name, target.tag, size, result, code)


def run(target: Target, wheel: Path, deal: int) -> tuple[str, int]:
    """Runs a wheel; the result, and the part of that in the exit code."""
    codes = {runs.PASSED: OK, runs.FAILED: WRONG, runs.NOT_RUN: MISSING}
    done = runs.run(target, wheel, f"--deal={deal}")
    return f"checked, {target.run}, {done.state}: {done.text}", codes[done.state]


def compared(file: Path, make: Callable[[Path], Path]) -> list[str]:
    """Makes a file once more, in another folder, and compares the bytes."""
    with tempfile.TemporaryDirectory() as name:
        same = make(Path(name)).read_bytes() == file.read_bytes()
    return [] if same else [f"a second {file.name} has other bytes"]


def chosen(names: list[str]) -> list[Target]:
    """The targets with one of these names, or all."""
    unknown = [name for name in names if not fnmatch.filter(NAMES, name)]
    if unknown:
        msg = f"no wheel is called {' or '.join(unknown)}; there are {', '.join(NAMES)}"
        raise ToolError(msg)
    wanted = names or ["*"]
    return [each for each in WHEELS if any(fnmatch.fnmatch(each.name, name) for name in wanted)]


def sums(files: list[Path]) -> str:
    """The digests of files, as sha256sum reads them, below what the bytes depend on."""
    tools = [f"{name} {version(name)}" for name in ("setuptools", "cffi", "ziglang")]
    own = [f"Python {platform.python_version()}", f"zlib {zlib.ZLIB_RUNTIME_VERSION}"]
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in files]
    return "\n".join([f"# {', '.join([*own, *tools])}, {sdist.EPOCH}={sdist.epoch()}", *lines, ""])


def main(*arguments: str) -> int:
    """Builds the sdist, and all wheels or some of them; prints the table."""
    parser = command.parser("cross.py wheels", __doc__ or "", EPILOG)
    parser.add_argument("names", metavar="NAME", nargs="*", help="a target")
    parser.add_argument("--dir", type=Path, default=ROOT / "dist", help="where they go: dist")
    parser.add_argument("--no-run", dest="run", action="store_false", help="only build and check")
    help_ = "run each Nth case of the contract"
    parser.add_argument("--deal", type=int, default=1, metavar="N", help=help_)
    parser.add_argument("--twice", action="store_true", help="build each twice, and compare")
    options = parser.parse_args(arguments)
    python.require()
    targets = chosen(options.names)
    if not options.names:  # an upload would take what was built before, too
        for old in options.dir.glob("speedcopy-*"):
            old.unlink()
    source = sdist.build(options.dir)
    wrong = compared(source, sdist.build) if options.twice else []
    result, code = (f"FAILED: {wrong[0]}", WRONG) if wrong else ("built", OK)
    rows = [Row("sdist", source.name, str(source.stat().st_size), result, code)]
    print(rows[0], flush=True)
    for target in targets:
        rows.append(row(target, source, options))
        print(rows[-1], flush=True)
    tags = tuple(f"-{each.tag}.whl" for each in rows[1:] if each.size and each.code != WRONG)
    files = [source, *(path for path in sorted(options.dir.iterdir()) if path.name.endswith(tags))]
    (options.dir / "SHA256SUMS").write_text(sums(files))
    codes = {each.code for each in rows}
    return WRONG if WRONG in codes else max(codes)
