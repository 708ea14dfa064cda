"""The ways to run the contract against a wheel: each returns what was printed, for each Python."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Callable, NamedTuple

from common.errors import ToolError
from common.programs import ProgramError, output

from cross import chroots, musl
from cross.chroots import EMULATORS, RUN, NotHereError
from cross.targets import ROOT, RUNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cross.targets import Target

#: For one Python. The slowest is an emulated processor on a machine with other work.
SECONDS = 1800

PYENV = Path.home() / ".pyenv" / "versions"

#: Pythons that this machine may not have: a Debian, and its package.
OTHERS = (("testing", "python3.14"), ("testing", "python3.15"))


class ContractError(ToolError):
    """The contract failed, or Python does not take the wheel."""

    def __init__(self, python: str, error: ProgramError) -> None:
        """Keeps all that was printed."""
        self.printed = error.printed
        super().__init__(f"{Path(python).name}: {error.last_line}")


class Run(NamedTuple):
    """A wheel, a folder with the tests, and further arguments of pytest."""

    target: Target
    wheel: Path
    folder: Path
    options: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """Those of run_contract.py."""
        return [self.wheel.name, self.target.extension, *self.options]


def tested(python: str, command: Callable[[], str]) -> str:
    """What the tests printed. Raises ContractError if they fail."""
    try:
        return command()
    except ProgramError as error:
        raise ContractError(python, error) from error


def natively(run: Run) -> list[str]:
    """On every Python of this machine that the wheel is for, and on newer ones of Debian."""
    if EMULATORS[run.target.debian] != os.uname().machine:
        msg = f"this machine is {os.uname().machine}"
        raise NotHereError(msg)
    if run.target.tag.startswith("pp"):
        pypy = shutil.which("pypy3")
        if not pypy:
            msg = "pypy3 is missing: apt-get install pypy3 pypy3-venv"
            raise NotHereError(msg)
        return [installed(pypy, run)]
    printed = [installed(python, run) for python in pythons()]
    return [*printed, *(other(suite, python, run) for suite, python in OTHERS)]


def other(suite: str, python: str, run: Run) -> str:
    """In a Debian, if it can be had: the Pythons of this machine have run the tests."""
    try:
        return in_debian(suite, python, run)
    except ContractError:
        raise
    except ToolError as error:
        return f"{python} not run: {str(error).splitlines()[0]}"


def pythons() -> Iterator[str]:
    """Each CPython of this machine that is not too old: one for each minor version."""
    versions = {"False"}
    ask = "import sys; print(sys.version_info >= (3, 9) and sys.version_info[:2])"
    for path in (Path("/usr/bin/python3"), *sorted(PYENV.glob("3.*/bin/python3"))):
        version = output([str(path), "-c", ask]).strip() if path.exists() else "False"
        if version not in versions:
            versions.add(version)
            yield str(path)


def installed(python: str, run: Run) -> str:
    """In a virtual environment, where pip installs the wheel and what it needs."""
    with tempfile.TemporaryDirectory() as venv:
        output([python, "-m", "venv", venv])
        inside = str(Path(venv, "bin", "python"))
        pip = [inside, "-m", "pip", "-q", "install"]
        output([*pip, "pytest"])
        tested(python, lambda: output([*pip, str(run.wheel)]))
        command = [inside, "run_contract.py", *run.arguments]
        return tested(python, lambda: output(command, run.folder, seconds=SECONDS))


def in_debian(suite: str, python: str, run: Run) -> str:
    """In a Debian of the processor."""
    packages = [python]
    if python == "python3":
        packages.append("python3-cffi-backend")
    root = chroots.debian(suite, run.target.debian, *packages)
    root.provide()
    unpack(run)
    if python not in ("python3", "pypy3"):  # Debian has cffi for its default Python only
        install_cffi(run, python[len("python") :], "manylinux_2_17")
    return inside(root, python, run)


def unpack(run: Run) -> None:
    """Unpacks the wheel into the folder of the run, as pip would be slow on that processor."""
    unpacked = run.folder / "wheel"
    shutil.rmtree(unpacked, ignore_errors=True)
    with zipfile.ZipFile(run.wheel) as archive:
        archive.extractall(unpacked)


def install_cffi(run: Run, version: str, system: str) -> None:
    """Installs PyPI's cffi for another Python and another processor."""
    pip = [sys.executable, "-m", "pip", "-q", "install", "--target", str(run.folder / "wheel")]
    platform = f"{system}_{run.target.triple.split('-')[0]}"
    only = ["--platform", platform, "--only-binary=:all:"]
    output([*pip, *only, "--python-version", version, "cffi"])


def inside(root: chroots.Root, python: str, run: Run) -> str:
    """Runs the contract by a Python of a chroot."""
    command = [f"/usr/bin/{python}", f"{RUN}/run_contract.py", *run.arguments]
    return tested(python, lambda: root.run(command, run.folder, SECONDS))


def in_chroot(run: Run) -> list[str]:
    """In the Debian that the table names."""
    tag = run.target.tag
    python = "pypy3" if tag.startswith("pp") else "python3"
    if not tag.startswith(("pp", "cp39-")):
        python = f"python3.{tag.split('-')[0][len('cp3') :]}"
    return [in_debian(run.target.suite, python, run)]


def under_wine(run: Run) -> list[str]:
    """On the CPython for Windows of the lab, where pip installs the wheel."""
    lab = [sys.executable, str(ROOT / "tools" / "lab.py"), "--windows"]
    command = [*lab, "--install", str(run.wheel), "--", "python", "run_contract.py", *run.arguments]
    return [by_tool(command, run.folder)]


def by_loader(run: Run) -> list[str]:
    """On an emulated processor: the same C, without the part that only Python can load."""
    if not find_spec("unicorn"):
        msg = "unicorn is missing: pip install '.[test,machines]'"
        raise NotHereError(msg)
    processor = run.target.name.split("-")[1]
    cross = [sys.executable, str(ROOT / "tools" / "cross.py"), "test", processor, "-q"]
    return [by_tool([*cross, *run.options, "tests/contract/test_contract.py"], ROOT)]


def by_tool(command: Sequence[str], folder: Path) -> str:
    """Runs another tool of ours. Its own errors are one line, with its name first."""
    try:
        return output(command, folder, seconds=SECONDS)
    except ProgramError as error:
        if error.first_line.startswith("lab: "):
            raise NotHereError(error.first_line) from error
        raise ContractError(command[1], error) from error


def on_musl(run: Run) -> list[str]:
    """On a CPython that is compiled for it."""
    root = musl.root(run.target)
    root.provide()
    unpack(run)
    install_cffi(run, musl.VERSION, "musllinux_1_2")
    return [inside(root, "python3", run)]


def not_run(run: Run) -> list[str]:
    """Says that nothing runs it."""
    raise NotHereError(RUNS[run.target.run])


#: By the key of RUNS.
WAYS: dict[str, Callable[[Run], list[str]]] = {
    "native": natively,
    "chroot": in_chroot,
    "musl": on_musl,
    "wine": under_wine,
    "loader": by_loader,
    "static": not_run,
}
