"""Debian of any processor, unpacked into the cache: a program runs there in a chroot.

Nothing of it is configured, and nothing is registered with this kernel: the emulator of qemu-user
is called by its name. So a program in there starts no other program of that processor.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common import command
from common.errors import ToolError
from common.programs import ProgramError, output
from lab.packages import Mirror, Suite
from lab.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What qemu calls each processor of Debian.
EMULATORS = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "armhf": "arm",
    "i386": "i386",
    "ppc64el": "ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}

#: Processors of Debian whose code a machine runs itself.
NATIVE = {"x86_64": ("amd64", "i386"), "aarch64": ("arm64",)}

#: The folder of a run, and that of pure Python packages, as seen from inside.
RUN, PACKAGES = "/run", "/srv"

VARIABLES = (
    *("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", f"TMPDIR={RUN}"),
    *("PYTHONDONTWRITEBYTECODE=1", f"PYTHONPATH={RUN}/wheel:{PACKAGES}"),
)


say = partial(command.say, "cross")


class NotHereError(ToolError):
    """This machine cannot run it."""


class Root(NamedTuple):
    """A folder of the cache with a system for a processor, by Debian's name of that."""

    processor: str
    piece: Piece

    def provide(self) -> None:
        """Makes what is not in the cache. Raises ToolError if that fails, or it cannot run."""
        self._emulator()
        provided(self.piece)
        provided(PYTEST)

    def run(self, arguments: Sequence[str], folder: Path, seconds: float) -> str:
        """Runs a program of it, and returns what it printed. It finds ``folder`` under RUN."""
        emulator = self._emulator()
        if emulator:
            shutil.copy(emulator, folder / "emulator")
            arguments = [f"{RUN}/emulator", *arguments]
        mounts = {str(folder): RUN, str(PYTEST.path): PACKAGES}
        chroot = entering(self.piece.path, mounts, VARIABLES)
        return output([*chroot, *arguments], folder, seconds=seconds)

    def _emulator(self) -> str:
        """The emulator; empty if the machine needs none."""
        if self.processor in NATIVE.get(os.uname().machine, ()):
            return ""
        emulator = f"qemu-{EMULATORS[self.processor]}-static"
        found = shutil.which(emulator)
        if not found:
            msg = f"{emulator} is missing: apt-get install qemu-user-static"
            raise NotHereError(msg)
        return found


def debian(suite: str, processor: str, *packages: str) -> Root:
    """A Debian with some packages and what they depend on."""

    def fill(root: Path) -> None:
        source = Suite(suite, Mirror.of_this_machine(), processor)
        base = ("base-files", "libc-bin")  # the one has /lib, the other the locale C.UTF-8
        source.unpack((*base, *packages), root, with_dependencies=True)
        make_places(root)

    name = f"{suite}-{processor}-{packages[0]}"
    return Root(processor, Piece(f"Debian {name}", f"chroots/{name}", fill))


def make_places(root: Path) -> None:
    """Makes the folders that :meth:`Root.run` mounts something on."""
    for name in ("proc", "dev", "sys", RUN, PACKAGES):
        Path(root, name.strip("/")).mkdir(exist_ok=True)


def entering(
    root: Path, mounts: Mapping[str, str], variables: Sequence[str], *options: str
) -> list[str]:
    """The beginning of a command line: it runs the rest in a chroot, with these variables only.

    It also mounts /proc, /dev and /sys there. Mounts and processes have namespaces of their own:
    with the first process, all others end, and everything is unmounted. A user who is not root
    becomes root in there. The options are those of chroot.
    """
    places = {"/dev": "/dev", "/sys": "/sys", **mounts}
    lines = [
        f"mount --rbind {shlex.quote(source)} {shlex.quote(f'{root}{place}')}"
        for source, place in places.items()
    ]
    lines += [f"mount -t proc proc {shlex.quote(f'{root}/proc')}", 'chroot "$@" || exit']
    script = "\n".join(lines)
    unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
    unshare += [] if os.geteuid() == 0 else ["--map-root-user"]
    return [*unshare, "env", "-i", *variables, "sh", "-ec", script, "sh", *options, str(root)]


def provided(piece: Piece) -> Path:
    """Where a piece is; it is made first, unless it is complete. One process makes it."""
    lock = piece.path.with_name(f"{piece.path.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not piece.complete:
            say(f"{piece.name}: into {piece.path}")
            try:
                piece.build()
            except ProgramError as error:
                msg = f"{piece.name} cannot be made, is there a network? {error.first_line}"
                raise NotHereError(msg) from error
    return piece.path


def _install_pytest(version: str, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    output([*pip, "--python-version", version, "--only-binary=:all:", "--platform=any", "pytest"])


#: For every processor and every Python that is not older than this.
PYTEST = Piece("pytest", "chroots/pytest", partial(_install_pytest, "3.11"))
