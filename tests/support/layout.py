"""Steps that make the files a case copies, each of them a probe as well.

A step is called with the stack that undoes it, in the folder. Where the machine or its file
system cannot do what it asks for, the test is skipped, and says so.
"""

from __future__ import annotations

import errno
import functools
import os
import random
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Optional

import pytest
from support.process_limits import unprivileged

if TYPE_CHECKING:
    from contextlib import ExitStack

Step = Callable[["ExitStack"], None]


@functools.cache
def _noise(name: str) -> bytes:
    return random.Random(ascii(name)).randbytes(1_000_003)  # noqa: S311


def pattern(size: int, name: str = "src") -> bytes:
    """Bytes in which no two blocks are the same. They depend on the name only."""
    noise = _noise(name)
    return noise[:size] if size <= len(noise) else (noise * (size // len(noise) + 1))[:size]


def make_dst(folder: Path, size: Optional[int]) -> None:
    """Makes ``dst`` a file of ``size`` bytes, or removes it for None."""
    if size is None:
        (folder / "dst").unlink(missing_ok=True)
    else:
        (folder / "dst").write_bytes(pattern(size, "dst"))


def make_pair(folder: Path, size: int, before: Optional[int]) -> None:
    """Makes ``src`` of ``size`` bytes, and ``dst`` as it is before the copy."""
    (folder / "src").write_bytes(pattern(size))
    make_dst(folder, before)


def attempt(what: str, call: Callable[[], object]) -> None:
    """Calls something that may be impossible here, and skips the test if it is."""
    try:
        call()
    except (OSError, AttributeError, NotImplementedError) as error:
        pytest.skip(f"no {what} here: {error!r}")


def make_listed(name: str) -> None:
    """Makes an empty file. Raises FileNotFoundError if it is listed under another name."""
    open(name, "wb").close()
    if name not in os.listdir("."):
        os.unlink(name)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


def file(name: str, size: int = 9, mode: Optional[int] = None) -> Step:
    """A regular file of :func:`pattern` by its name."""

    def step(_: ExitStack) -> None:
        if "\udcff" in name:
            attempt("undecodable names", lambda: make_listed(name))
        with open(name, "wb") as new:
            new.write(pattern(size, name))
        if mode is not None:
            os.chmod(name, mode)

    return step


def make_sparse(path: Path, size: int, *data_at: int) -> None:
    """Makes a file of holes around a few bytes at each of ``data_at``."""
    with path.open("wb") as new:
        new.truncate(size)
        for offset in data_at:
            new.seek(offset)
            new.write(pattern(5, path.name)[: size - offset])


def sparse(name: str, size: int, *data_at: int) -> Step:
    """A regular file with holes around a few bytes at each of ``data_at``."""
    return lambda _: make_sparse(Path(name), size, *data_at)


def directory(name: str, mode: int = 0o777) -> Step:
    """A directory. The last steps of a layout should take its write permission away."""

    def step(stack: ExitStack) -> None:
        os.mkdir(name)
        os.chmod(name, mode)
        stack.callback(os.chmod, name, 0o777)

    return step


def symlink(name: str, target: str, *, to_directory: bool = False) -> Step:
    """A symbolic link, to something or nothing."""

    def link() -> None:
        os.symlink(target, name, target_is_directory=to_directory)
        if not os.path.islink(name):
            raise NotImplementedError(name)  # Wine reports success

    return lambda _: attempt("symbolic links", link)


def hardlink(name: str, target: str) -> Step:
    """One more name of a file."""

    def link() -> None:
        os.link(target, name)
        try:
            with open(target, "rb"), open(name, "rb"):
                pass
        except OSError as error:
            # The CIFS client has one lease for both names, and Samba refuses it for the second
            if error.errno == errno.EINVAL:
                raise

    return lambda _: attempt("hard links", link)


def fifo(name: str) -> Step:
    """A named pipe with nobody at either end."""
    return lambda _: attempt("named pipes", lambda: os.mkfifo(name))


def unix_socket(name: str) -> Step:
    """A socket with nobody listening."""

    def bind() -> None:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(name)

    return lambda _: attempt("sockets", bind)


def present(path: str) -> Step:
    """A file or device of the system's own."""

    def look() -> None:
        if path.startswith("/") and os.sep != "/":
            raise NotImplementedError(path)  # Wine shows the files of this machine, not as devices
        os.stat(path)

    return lambda _: attempt(path, look)


def other_case(name: str) -> Step:
    """Skips the test where upper and lower case are different names."""
    return lambda _: attempt("case-insensitive names", lambda: os.stat(name.swapcase()))


def running(name: str) -> Step:
    """A program that is being run."""

    def step(stack: ExitStack) -> None:
        sleep = shutil.which("sleep")
        if not sleep:
            pytest.skip("no sleep here")
        shutil.copy(sleep, name)
        process = subprocess.Popen([os.path.join(".", name), "60"])
        stack.callback(process.wait)
        stack.callback(process.kill)

    return step


def call(what: str, *command: str) -> None:
    """Runs a program that may be missing or fail here, and then skips the test."""
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} here")
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"no {what} here: {done.stderr!r}")


def attribute(name: str, letter: str) -> Step:
    """A file attribute as chattr knows them: ``i`` immutable, ``a`` append-only."""

    def step(stack: ExitStack) -> None:
        call(f"attribute {letter}", "chattr", f"+{letter}", name)
        stack.callback(call, f"attribute {letter}", "chattr", f"-{letter}", name)

    return step


def tmpfs(name: str, size: str) -> Step:
    """A mounted file system of ``size``, as mount spells it."""

    def step(stack: ExitStack) -> None:
        os.mkdir(name)
        call("mounting", "mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name)
        stack.callback(subprocess.run, ["umount", name], check=True)

    return step


def deep(stack: ExitStack) -> None:
    """Changes to a folder whose path is longer than any system call takes."""

    def descend() -> None:
        if not hasattr(os, "pathconf"):
            raise NotImplementedError(os.name)  # no current folder has a long name on Windows
        for _ in range(45):
            os.mkdir("n" * 100)
            os.chdir("n" * 100)

    stack.callback(os.chdir, os.getcwd())
    attempt("deep folders", descend)


def open_to_all(_: ExitStack) -> None:
    """Lets :func:`unprivileged` create files in the folder itself."""
    os.chmod(".", 0o777)
    if os.name != "nt" and os.stat(".").st_mode & 0o777 != 0o777:
        pytest.skip("no modes here")
    with unprivileged():  # on SMB 1, opening by a user whom the server does not know is refused
        attempt("files of another user", lambda: open("probe", "wb").close())
    os.unlink("probe")


def require_links(path: Path) -> None:
    """Skips the test where nobody can make a symbolic link."""
    try:
        path.symlink_to("nowhere")
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no symbolic links here: {error}")
    if not path.is_symlink():
        pytest.skip("symbolic links are none here")
    path.unlink()
