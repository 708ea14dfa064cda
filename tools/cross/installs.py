"""Installs the project as a stranger does: on each Debian, by each Python, as root and not.

On each, it runs the commands of the README, again without the network, and again after two
interruptions. Then it installs the sdist and a wheel from DIR, where they are made by
python tools/cross.py wheels --no-run --dir DIR
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import command
from common.errors import ToolError
from common.programs import ProgramError, output
from lab.packages import Mirror, codename
from lab.pieces import Piece

from cross.chroots import NotHereError, entering, make_places, provided
from cross.targets import ROOT

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Iterator, Sequence

SUITES = ("bookworm", "trixie", "testing")

#: What dev.py asks for: a compiler, and for each Python its headers and venv.
PACKAGES = ("gcc", "libc6-dev", "python3-dev", "python3-venv", "pypy3-dev", "pypy3-venv")
MORE = {"testing": ("python3.15-dev", "python3.15-venv")}

#: This machine's own Pythons, which its release can run. They look for their library in there.
PYENV = Path.home() / ".pyenv" / "versions"

#: The user who is not root, and the folder of a trial as seen from inside.
USER, HOME = 1000, "/home"

#: The second command of the README runs all tests; a trial, some.
SAMPLE = "-q tests/contract/test_contract.py tests/package/test_api.py --deal 8"

USED = (
    "import speedcopy, speedcopy._native; assert not speedcopy.why_not_native(); "
    "speedcopy.copyfile('/etc/passwd', 'copied')"
)

SECONDS = 1200


class Step(NamedTuple):
    """A script for sh, which starts in the checkout."""

    name: str
    script: str
    network: bool = True


class Trial(NamedTuple):
    """A Debian, the path of a Python, and a user by number."""

    suite: str
    python: str
    user: int


def steps(version: str) -> tuple[Step, ...]:
    """What a stranger does, by the Python that ``$python`` names."""
    section = (ROOT / "README.md").read_text().split("\n## Try it\n")[1].split("\n## ")[0]
    commands = re.findall(r"^```\npython3 (.*)$", section, re.MULTILINE)
    benchmark, tests = (f"$python {arguments}" for arguments in commands)
    install = "$python -m venv ../v\n../v/bin/pip install -q"
    used = f'cd ..\nv/bin/python -c "{USED}"\nv/bin/speedcopy --version\nrm -r v'
    return (
        Step("benchmark", benchmark),
        Step("offline", benchmark, network=False),
        Step("interrupted", "\n".join((
            "rm -r .venv-*",
            f"if timeout -s INT 2 {benchmark}; then exit 1; fi",
            f"if timeout -s KILL 4 {benchmark}; then exit 1; fi",
            benchmark,
        ))),
        Step("tests", f"{tests} {SAMPLE}"),
        Step("sdist", f"{install} ../dist/speedcopy-{version}.tar.gz\n{used}"),
        Step(
            "wheel",
            f"{install} --only-binary=speedcopy --find-links ../dist speedcopy=={version}\n{used}",
        ),
    )  # fmt: skip


def root(suite: str) -> Piece:
    """A Debian that is set up."""
    name = f"installs-{suite}"
    return Piece(f"Debian {suite} with compilers", f"chroots/{name}", partial(set_up, suite))


def set_up(suite: str, folder: Path) -> None:
    """Makes a Debian with what dev.py asks for, from where this machine gets its own."""
    if not shutil.which("mmdebstrap"):
        msg = "mmdebstrap is missing: apt-get install mmdebstrap"
        raise NotHereError(msg)
    asked = ("Acquire::Check-Valid-Until", "Acquire::Check-Date")
    settings = output(["apt-config", "dump", *asked]).splitlines()
    packages = ",".join((*PACKAGES, *MORE.get(suite, ())))
    options = ["--variant=apt", f"--include={packages}"]
    options += [f"--aptopt={line.rstrip(';')}" for line in settings]
    source = Mirror.of_this_machine().source(suite).strip()
    output(["mmdebstrap", "-q", *options, suite, str(folder), source])
    make_places(folder)


def trials(suites: Sequence[str]) -> Iterator[Trial]:
    """Every Python of each Debian; root has the default one."""
    for suite in suites:
        names = [name[: -len("-venv")] for name in MORE.get(suite, ()) if name.endswith("-venv")]
        paths = [f"/usr/bin/{name}" for name in ("python3", *names, "pypy3")]
        if suite == codename():
            paths += map(str, own_pythons())
        yield Trial(suite, paths[0], 0)
        for path in paths:
            yield Trial(suite, path, USER)


def own_pythons() -> Iterator[Path]:
    """The Pythons of pyenv that are not too old."""
    for path in sorted(PYENV.glob("3.*/bin/python3")):
        if int(path.parts[-3].split(".")[1]) >= 9:  # noqa: PLR2004 - as pyproject.toml says
            yield path


def run(trial: Trial, step: Step, home: Path) -> str:
    """Runs a step; its seconds, or the line that says why it failed."""
    mounts = {str(home): HOME, "/etc/resolv.conf": "/etc/resolv.conf"}
    if PYENV.exists():
        mounts[str(PYENV)] = str(PYENV)
    if certificates := os.environ.get("PIP_CERT"):
        mounts[os.path.dirname(certificates)] = os.path.dirname(certificates)
    passed = [f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_")]
    own = (f"HOME={HOME}", f"python={trial.python}", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C.UTF-8")
    make_mount_points(root(trial.suite).path, mounts.values())
    user = f"--userspec=+{trial.user}:+{trial.user}"
    enter = entering(root(trial.suite).path, mounts, (*own, *passed), user)
    alone = [] if step.network else ["unshare", "--net"]
    script = f"cd {HOME}/speedcopy\n{step.script}"
    started = time.monotonic()
    try:
        output([*alone, *enter, "sh", "-ec", script], seconds=SECONDS)
    except ProgramError as error:
        command.say("installs", f"{trial} {step.name}:\n{error.printed}")
        return "FAILED"
    return f"{time.monotonic() - started:.0f} s"


def make_mount_points(folder: Path, places: Iterable[str]) -> None:
    """Makes the folders that are missing in a root. Any user may look for names in those above."""
    for place in places:
        inside = Path(f"{folder}{place}")
        if not inside.exists():
            inside.mkdir(parents=True)
        for parent in list(inside.parents)[: len(Path(place).parents) - 1]:
            parent.chmod(parent.stat().st_mode | 0o111)


def lay_out(home: Path, dist: Path, user: int) -> None:
    """Fills the home of a stranger: a checkout and a folder with the sdist and the wheels."""
    files = output(["git", "ls-files", "-z"], ROOT).rstrip("\0").split("\0")
    for name in files:
        (home / "speedcopy" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, home / "speedcopy" / name)
    shutil.copytree(dist, home / "dist")
    subprocess.run(["chown", "-R", f"{user}:{user}", str(home)], check=True)


def main(argv: Sequence[str]) -> int:
    """Prints a line for each trial. The exit code is 1 if a step failed."""
    parser = command.parser("python tools/installs.py", __doc__ or "")
    parser.add_argument("dir", type=Path, metavar="DIR", help="has the sdist and the wheels")
    names = f"default: {' '.join(SUITES)}"
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=names)
    parser.add_argument("--only", default="", metavar="WORD", help="trials with WORD in the line")
    return command.exit_code("installs", partial(try_all, parser.parse_args(argv)))


def try_all(options: Namespace) -> int:
    """Runs every step of every trial: a failure stops none."""
    if os.geteuid():
        msg = "needs root: each trial has a user of its own"
        raise ToolError(msg)
    sdists = [*options.dir.glob("speedcopy-*.tar.gz")]
    if len(sdists) != 1:
        msg = f"{options.dir} has not one sdist: python tools/cross.py wheels --dir {options.dir}"
        raise ToolError(msg)
    wanted = steps(sdists[0].name[len("speedcopy-") : -len(".tar.gz")])
    print(f"{'':36}", *(f"{step.name:>11}" for step in wanted), flush=True)
    failed = False
    for trial in trials(options.suites or SUITES):
        label = f"{trial.suite} {trial.python} {'user' if trial.user else 'root'}"
        if options.only not in label:
            continue
        provided(root(trial.suite))
        with tempfile.TemporaryDirectory() as name:
            home = Path(name, "home")
            lay_out(home, options.dir, trial.user)
            results = [run(trial, step, home) for step in wanted]
        print(f"{label:36}", *(f"{each:>11}" for each in results), flush=True)
        failed = failed or "FAILED" in results
    return int(failed)
