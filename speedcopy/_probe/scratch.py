"""Temporary files in a directory that other people use."""

from __future__ import annotations

import contextlib
import os

#: Names of all such files begin with it.
PREFIX = ".speedcopy-"


class Scratch(contextlib.ExitStack):
    """Unique names. What lies there under them is removed at the end, and nothing else."""

    def new(self, directory: str) -> str:
        """A name in ``directory`` that nobody else has: 64 random bits are in it."""
        name = os.path.join(directory, f"{PREFIX}{os.urandom(8).hex()}")
        self.callback(_remove, name)
        return name


def _remove(name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
