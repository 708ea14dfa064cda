"""What the copies in this folder are made of, and what has to be true after them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from support.layout import pattern

if TYPE_CHECKING:
    from pathlib import Path

    from support.interpose import Result

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

#: One round, and not whole blocks.
SMALL = 10_007

#: Several rounds.
LARGE = 3 * MIB + 5

#: A dst, by its length relative to src.
LENGTHS = ("new", "shorter", "equal", "longer", "much longer")


class Files(NamedTuple):
    """What is copied over what."""

    src: Path
    dst: Path
    content: bytes
    old: Optional[bytes]

    @classmethod
    def make(cls, folder: Path, size: int, length: str = "new") -> Files:
        """Makes ``src`` with ``size`` bytes and ``dst`` with a length relative to that."""
        old_size = {
            "new": None,
            "shorter": size // 2,
            "equal": size,
            "longer": size + 1,
            "much longer": size + 2 * MIB + 3,
        }[length]
        old = None if old_size is None else b"o" * old_size
        files = cls(folder / "src", folder / "dst", pattern(size), old)
        files.src.write_bytes(files.content)
        files.reset()
        return files

    def reset(self) -> None:
        """Makes ``dst`` what it was."""
        if self.old is not None:
            self.dst.write_bytes(self.old)
        elif self.dst.exists():
            self.dst.unlink()

    def assert_copied(self, result: Result) -> None:
        """The copy is one, and has left nothing open."""
        assert result.failure is None
        assert self.dst.read_bytes() == self.content
        assert result.copied == len(self.content)
        assert self.src.read_bytes() == self.content
        assert result.open_files == 0

    def assert_failed(self, result: Result, code: int, *copied: int) -> None:
        """It has failed as it should; a ``dst`` that existed has one of the lengths ``copied``."""
        failure = result.failure
        assert failure
        assert (failure.errno, failure.strerror) == (code, os.strerror(code))
        assert failure.kind is type(OSError(code, ""))
        assert (failure.filename, failure.filename2) == (str(self.src), str(self.dst))
        assert self.src.read_bytes() == self.content
        assert result.open_files == 0
        if self.old is None:
            assert not self.dst.exists()
        else:
            left = self.dst.read_bytes()
            assert len(left) in copied
            assert left == self.content[: len(left)]


def make(folder: Path, size: int) -> tuple[str, str]:
    """The names of a src of ``size`` bytes and of a dst that is not there."""
    files = Files.make(folder, size)
    return str(files.src), str(files.dst)


def make_huge(folder: Path, size: int = 2 * GIB) -> tuple[str, str]:
    """The same with a src of zeros that takes no room."""
    with (folder / "src").open("wb") as file:
        file.truncate(size)
    return str(folder / "src"), str(folder / "dst")
