"""Debian of any processor, unpacked into the cache: a program runs there in a chroot.

Nothing of it is configured, and nothing is registered with this kernel: the emulator of qemu-user
is called by its name. So a program in there starts no other program of that processor.
"""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from common.errors import ToolError
from common.programs import output
from lab.packages import Mirror, Suite
from lab.pieces import Piece

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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

#: In a mount namespace of its own, so all of it is unmounted with the last process.
MOUNT = f"""
root=$1 run=$2 packages=$3
shift 3
for each in proc dev sys; do mount --rbind "/$each" "$root/$each"; done
mount --bind "$run" "$root{RUN}"
mount --bind "$packages" "$root{PACKAGES}"
exec chroot "$root" "$@"
"""


class NotHereError(ToolError):
    """This machine cannot run it."""


class Debian(NamedTuple):
    """A Debian with some packages and what they depend on."""

    suite: str
    processor: str
    packages: tuple[str, ...]

    @property
    def piece(self) -> Piece:
        """Its folder in the cache."""
        name = f"{self.suite}-{self.processor}-{self.packages[0]}"
        return Piece(f"Debian {name}", f"chroots/{name}", self._unpack)

    def _unpack(self, root: Path) -> None:
        suite = Suite(self.suite, Mirror.of_this_machine(), self.processor)
        suite.unpack(("base-files", *self.packages), root, with_dependencies=True)
        for name in ("proc", "dev", "sys", RUN.strip("/"), PACKAGES.strip("/")):
            (root / name).mkdir(exist_ok=True)

    def provide(self) -> None:
        """Fetches what is not in the cache. Raises ToolError if that fails, or it cannot run."""
        self._emulator()
        provided(self.piece)
        provided(PYTEST)

    def run(self, arguments: Sequence[str], folder: Path, seconds: float) -> str:
        """Runs a program of it, and returns what it printed. It finds ``folder`` under RUN."""
        mounted = ["sh", "-ec", MOUNT, "sh", str(self.piece.path), str(folder), str(PYTEST.path)]
        emulator = self._emulator()
        if emulator:
            shutil.copy(emulator, folder / "emulator")
            arguments = [f"{RUN}/emulator", *arguments]
        command = [*unshare(), "env", "-i", *VARIABLES, *mounted, *arguments]
        return output(command, folder, seconds=seconds)

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


def unshare() -> list[str]:
    """What gives a command mounts of its own; a user who is not root becomes root in there."""
    return ["unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",))]


def provided(piece: Piece) -> Path:
    """Where a piece is; it is made first, unless it is complete."""
    if not piece.complete:
        print(f"cross: {piece.name}: into {piece.path}", file=sys.stderr, flush=True)
        piece.build()
    return piece.path


def _install_pytest(version: str, folder: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    output([*pip, "--python-version", version, "--only-binary=:all:", "--platform=any", "pytest"])


#: For every processor and every Python that is not older than this.
PYTEST = Piece("pytest", "chroots/pytest", partial(_install_pytest, "3.11"))
