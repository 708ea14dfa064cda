"""Where a tree of ``speedcopy cp`` is not shutil's: modes, and what is in the way in dst."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from speedcopy._types import Path

#: Of a mode: what the owner may do, and that others may write.
_OWNER, _OTHERS_WRITE = 0o700, 0o022


def make_directory(src: Path, dst: Path) -> int:
    """Makes dst, where only its owner may write until it is complete. Returns the mode of src."""
    mode = os.stat(src).st_mode & 0o1777
    os.mkdir(dst, mode & ~_OTHERS_WRITE | _OWNER)
    return mode


def complete_directory(dst: Path, mode: int, umask: int) -> None:
    """Gives dst what was left out of the mode, and takes what was added to it."""
    added, left_out = _OWNER & ~mode, mode & _OTHERS_WRITE & ~umask
    if added or left_out:
        os.chmod(dst, (stat.S_IMODE(os.stat(dst).st_mode) | left_out) & ~added)


def refuse_dst(dst: str) -> None:
    """Raises for what GNU cp does not overwrite with a file: a directory, a dangling link."""
    is_dir = os.path.isdir(dst)
    if is_dir or (os.path.islink(dst) and not os.path.exists(dst)):
        code = errno.EISDIR if is_dir else errno.ELOOP
        raise OSError(code, os.strerror(code), dst)
