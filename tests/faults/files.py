"""What the copies in this folder are made of, and what has to be true after them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from support.layout import pattern
from support.sizes import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from support.interpose import Result, Rule, Worker

#: One round, and not whole blocks.
SMALL = 10_007

#: Several rounds.
LARGE = 3 * MIB + 5

#: So often in a row a signal interrupts a call.
STORM = 7

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

    def copied(self, worker: Worker, *rules: Rule, **options: object) -> Result:
        """Has the worker make a copy, which is one."""
        result = worker.copy(self.src, self.dst, *rules, **options)
        assert result.failure is None
        assert self.dst.read_bytes() == self.content
        assert result.copied == len(self.content)
        assert self.src.read_bytes() == self.content
        return result

    def failed(self, worker: Worker, rules: Iterable[Rule], code: int, *copied: int) -> Result:
        """Has it fail as it should; a ``dst`` that existed has one of the lengths ``copied``."""
        result = worker.copy(self.src, self.dst, *rules)
        failure = result.failure
        assert failure
        assert (failure.errno, failure.strerror) == (code, os.strerror(code))
        assert failure.kind is type(OSError(code, ""))
        assert (failure.filename, failure.filename2) == (str(self.src), str(self.dst))
        self.assert_left(*copied)
        return result

    def stopped(self, result: Result, *copied: int) -> None:
        """Ctrl-C has stopped a copy."""
        assert result.failure
        assert result.failure.kind is KeyboardInterrupt
        self.assert_left(*copied)

    def assert_left(self, *copied: int) -> None:
        """A new ``dst`` is gone; one that existed has a length of ``copied``, or is as it was."""
        assert self.src.read_bytes() == self.content
        if self.old is None:
            assert not self.dst.exists()
        else:
            left = self.dst.read_bytes()
            assert len(left) in (copied or (len(self.old),))
            assert left == (self.content[: len(left)] if copied else self.old)


#: A user waits this long, in seconds, for a copy to stop.
PATIENCE = 1.0


def make(folder: Path, size: int) -> tuple[str, str]:
    """The names of a src of ``size`` bytes and of a dst that is not there."""
    files = Files.make(folder, size)
    return str(files.src), str(files.dst)


def make_huge(folder: Path, size: int = 2 * GIB) -> tuple[str, str]:
    """The same with a src of zeros that takes no room."""
    with (folder / "src").open("wb") as file:
        file.truncate(size)
    return str(folder / "src"), str(folder / "dst")
