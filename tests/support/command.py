"""``speedcopy cp`` as a program, a folder to copy in, and GNU cp to compare with."""

from __future__ import annotations

import functools
import os
import re
import shutil
import stat
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Union

from support import layout
from support.python import importing

ENVIRONMENT = {**importing(), "LC_ALL": "C"}
OURS = [sys.executable, "-m", "speedcopy", "cp"]
IN_PROCESS = """
import os, signal, sys, speedcopy
from speedcopy._cli.main import main
from speedcopy._cli import cp
options = cp.Options
"""
TRY = "Try 'cp --help' for more information."

#: What one entry of a folder is: kind and mode, and the data of a file or the target of a link.
Entry = tuple[str, Union[bytes, str]]

FILES = {"a": b"a\n", "b": b"bb\n", "sub/x": b"x", "sub/.h": b"h", "y/x": b"y", "it's": b"'"}
FOLDERS = ("d/b", "e", "sub", "y")
LINKS = {"l": "a", "dl": "missing", "ld": "d", "sub/l": "x"}
MODES = {"b": 0o600, "s": 0o4755, "w": 0o666}


def lay_out(folder: Path, *, links: bool = True) -> Path:
    """Files, folders, modes, and links."""
    with ExitStack() as stack:
        folder.mkdir()
        stack.callback(os.chdir, os.getcwd())
        os.chdir(folder)
        for name in FOLDERS:
            os.makedirs(name)
        for name in (*FILES, *MODES, "empty"):
            Path(name).write_bytes(FILES.get(name, b""))
        for name, target in LINKS.items() if links else ():
            layout.symlink(name, target)(stack)
        for name, mode in MODES.items():
            os.chmod(name, mode)
    return folder


def entries(folder: Path) -> dict[str, Entry]:
    """All that is there."""
    found: dict[str, Entry] = {}
    for path in folder.rglob("*"):
        st = path.lstat()
        content: Union[bytes, str] = b""
        if stat.S_ISLNK(st.st_mode):
            content = os.readlink(path)
        elif stat.S_ISREG(st.st_mode) and os.access(path, os.R_OK):
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = stat.filemode(st.st_mode), content
    return found


def run(command: list[str], folder: Path) -> tuple[int, str]:
    """The exit code, and what was said on stderr, in the words of cp.

    In this message, coreutils 9.7 of Debian 13 also names src: "with non-directory 'src'".
    """
    done = subprocess.run(
        command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.stdout == ""
    said = done.stderr.replace("speedcopy cp", "cp").strip()
    return done.returncode, re.sub(r"( with non-directory) '.+'$", r"\1", said, flags=re.MULTILINE)


@functools.cache
def gnu() -> bool:
    """Whether there is a cp that speaks as GNU's does from coreutils 9 on."""
    if not shutil.which("cp"):
        return False
    told = subprocess.run(
        ["cp", "missing", "other", "/missing"],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        check=False,
    )
    return told.stderr == "cp: target '/missing': No such file or directory\n"
