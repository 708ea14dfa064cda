"""Arguments and exit code of ``python3 tools/dev.py``."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import partial

from common.command import exit_code

from dev.environment import PYTHON, add, set_up
from dev.steps import ROOT

COMMANDS = {
    "benchmark": [str(ROOT / "tools" / "benchmark.py")],
    "report": [str(ROOT / "tools" / "report.py")],
    "test": ["-m", "pytest"],
    "python": [],
    "wheels": [str(ROOT / "tools" / "cross.py"), "wheels"],
}

#: The extra of a command, besides those that all have.
EXTRA = {"wheels": "machines"}


def prepare(name: str) -> None:
    """Makes the environment of a command."""
    set_up()
    if name in EXTRA:
        add(EXTRA[name])


def start(command: list[str]) -> int:
    """Becomes the command, so that signals and the exit code are its own."""
    if os.name != "nt":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run(command, check=False).returncode


def main(usage: str, arguments: list[str]) -> int:
    """Does what the command line asks; returns the exit code."""
    if not arguments or arguments[0] not in COMMANDS:
        print(usage)
        return 2
    os.environ.setdefault("PIP_ROOT_USER_ACTION", "ignore")
    job = partial(prepare, arguments[0])
    code = exit_code("dev", job, "the next run makes what is not complete again")
    if code:
        return code
    if arguments[0] == "test":
        os.chdir(ROOT)
    return start([str(PYTHON), *COMMANDS[arguments[0]], *arguments[1:]])
