"""The folder that everything is made in, removed at the end, whatever ends the run."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
import uuid
from typing import TYPE_CHECKING

from common.signals import Stopped

from bench.errors import UnusableError
from bench.progress import show

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PREFIX = "speedcopy-benchmark-"
_BLOCK = 1 << 20
_ATTEMPTS = 10
_PAUSE_SECONDS = 0.2


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Make a new folder in ``parent``, and remove it with all it holds."""
    folder = parent / f"{PREFIX}{uuid.uuid4().hex[:8]}"
    # The name is chosen before the folder is made, and only one signal is raised, so it cannot
    # interrupt both removals: the folder is removed whenever the signal comes.
    try:
        try:
            folder.mkdir()
            yield folder
            show(f"removing {folder}")
        except Stopped:
            print(f"removing {folder}", file=sys.stderr, flush=True)
            raise
        finally:
            _remove(folder)
            show("")
    finally:
        _remove(folder)


@contextlib.contextmanager
def workplace(folder: Path, space: int) -> Iterator[Path]:
    """Make a new folder in ``folder`` for files of ``space`` bytes.

    Raises UnusableError in the place of an OSError.
    """
    try:
        with scratch(folder) as made:
            yield made
    except OSError as error:
        raise UnusableError(str(folder), error, space) from error


def write_source(path: Path, size: int) -> None:
    """Write ``size`` bytes that do not compress, and wait until they are on the disk."""
    with path.open("xb") as file:
        for offset in range(0, size, _BLOCK):
            file.write(os.urandom(min(_BLOCK, size - offset)))
        file.flush()
        os.fsync(file.fileno())


def _remove(folder: Path) -> None:
    """Remove ``folder``; network clients may need a moment for a file that was just open."""
    for _ in range(_ATTEMPTS):
        if _failure(folder) is None:
            return
        time.sleep(_PAUSE_SECONDS)
    if failure := _failure(folder):
        print(f"{folder}: not removed: {failure}", file=sys.stderr, flush=True)


def _failure(folder: Path) -> OSError | None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None
