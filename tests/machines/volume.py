"""What an APFS volume keeps of a file that this machine's file system has no place for.

Flags are an extended attribute here that the model does not list. Attributes of macOS have the
prefix that Linux demands. Times of birth are kept by the numbers of files.
"""

from __future__ import annotations

import contextlib
import posix
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    import os

    from machines.script import Script

PREFIX = "user."
HIDDEN = "user.darwin."

File = Union[int, bytes]

_born: dict[tuple[int, int], int] = {}


class Volume:
    """Reads and writes them."""

    def __init__(self, script: Script) -> None:
        """The script says what the volume can."""
        self.script = script

    @staticmethod
    def reach(directory: int | None, name: bytes) -> bytes:
        """A path for what takes no directory."""
        if directory is None or name.startswith(b"/"):
            return name
        return b"/proc/self/fd/%d/%s" % (directory, name)

    @staticmethod
    def _number(file: File, name: str) -> int:
        with contextlib.suppress(OSError):
            return int(posix.getxattr(file, HIDDEN + name))
        return 0

    @staticmethod
    def _note(file: File, name: str, value: int) -> None:
        # Linux lets only those set an attribute who may write to the file.
        with contextlib.suppress(OSError):
            posix.setxattr(file, HIDDEN + name, str(value).encode())

    def flags(self, file: File) -> int:
        """st_flags."""
        return self._number(file, "flags")

    def set_flags(self, file: File, flags: int) -> None:
        """Chflags."""
        if flags != self.flags(file):
            self._note(file, "flags", flags)

    @staticmethod
    def born(st: os.stat_result) -> int:
        """st_birthtimespec in nanoseconds."""
        return _born.get((st.st_dev, st.st_ino)) or min(st.st_mtime_ns, st.st_ctime_ns)

    @staticmethod
    def set_born(file: File, nanoseconds: int) -> None:
        """Sets the time of birth; 0 forgets what another file with this number had."""
        st = posix.stat(file)
        _born[st.st_dev, st.st_ino] = nanoseconds

    @staticmethod
    def names(file: File) -> list[str]:
        """The names of the extended attributes."""
        found = posix.listxattr(file)
        return [
            name[len(PREFIX) :]
            for name in found
            if name.startswith(PREFIX) and not name.startswith(HIDDEN)
        ]

    def dress(self, src: int, copy: int, st: os.stat_result, mode: int) -> None:
        """Gives a copy the attributes, flags and times of src, and these bits of its mode."""
        for attribute in self.names(src):
            posix.setxattr(copy, PREFIX + attribute, posix.getxattr(src, PREFIX + attribute))
        self.set_flags(copy, self.flags(src))
        self.set_born(copy, self.born(st))
        posix.utime(copy, ns=(st.st_atime_ns, st.st_mtime_ns))
        posix.fchmod(copy, st.st_mode & mode)
