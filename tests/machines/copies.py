"""Copies in which calls fail, and what all of them leave behind."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Optional

from machines import native

import speedcopy
from speedcopy._copy2 import Copier
from speedcopy._copyfile import Options
from speedcopy._trees.between import Between

if TYPE_CHECKING:
    from pathlib import Path

    from machines.script import Rule

CLONE = "fclonefileat"
SERVER_COPY = "__copyfile"
READ_WRITE = "read/write"
QUARANTINE = "user.com.apple.quarantine"

MIB = 1 << 20

#: A few rounds, and not whole blocks.
LARGE = 3 * MIB + 5


#: Calls that cannot fail.
SURE = {
    *("__error", "getpid", "clock_gettime", "arc4random", "sc_tick", "free"),
    *("memcmp", "memcpy", "__memcpy_chk", "memset", "bzero", "__bzero"),
    *("strlen", "strcmp", "strncmp", "strrchr"),
}


def occurrences(calls: list[str]) -> list[tuple[str, int]]:
    """Each call, with its number among those of the same name."""
    seen: dict[str, int] = {}
    found = []
    for call in calls:
        seen[call] = seen.get(call, -1) + 1
        if call not in SURE and not call.startswith("__asan_"):
            found.append((call, seen[call]))
    return found


@dataclass(frozen=True)
class Outcome:
    """How a copy ended."""

    transfer: Optional[speedcopy.Transfer]
    error: Optional[BaseException]
    calls: list[str] = field(default_factory=list)

    @property
    def mechanism(self) -> str:
        """What moved the bytes."""
        assert self.transfer, self.error
        return self.transfer.mechanism

    @property
    def declined(self) -> dict[str, str]:
        """What could not, and why."""
        assert self.transfer, self.error
        return self.transfer.declined

    @property
    def errno(self) -> Optional[int]:
        """With which a copy failed."""
        return getattr(self.error, "errno", None)


class Copies:
    """A folder with src, and copies to dst in it."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet."""
        self.folder = folder
        self.src, self.dst = folder / "src", folder / "dst"
        self.script = native.in_use().script
        self.content = b""
        self.old: Optional[bytes] = None

    def make(self, size: int = 10_007, old: Optional[int] = None) -> Copies:
        """Makes src, and dst if it shall exist, with sizes in bytes."""
        self.content = random.Random(size).randbytes(size)  # noqa: S311
        self.src.write_bytes(self.content)
        self.old = None if old is None else b"o" * old
        self.reset()
        return self

    def reset(self) -> None:
        """Makes dst what it was."""
        if self.old is None:
            self.dst.unlink(missing_ok=True)
        else:
            self.dst.write_bytes(self.old)

    def between_directories(self) -> Path:
        """Copies src into a directory, as a tree does; an old dst lies there. Returns the copy."""
        new = self.folder / "new"
        new.mkdir()
        if self.old is not None:
            self.dst.rename(new / "src")
        options = Options(metadata="strict", name="free" if self.old is None else "any")
        prefixes = (os.path.join(self.folder, ""), os.path.join(new, ""))
        many = Between(Copier(options), options, *prefixes, ["src"])
        assert many.copy(0) == (1, len(self.content))
        assert (new / "src").read_bytes() == self.content
        assert os.listdir(new) == ["src"]
        return new / "src"

    def copy(self, *rules: Rule, clones: bool = True, smb: bool = False, **options: Any) -> Outcome:
        """Makes one copy. Nothing but src and dst may be in the folder then."""
        self.script.set(*rules, clones=clones, smb=smb)
        transfer, error = None, None
        try:
            transfer = speedcopy.transfer(self.src, self.dst, **options)
        except BaseException as raised:  # noqa: BLE001
            error = raised
        calls = list(self.script.calls)
        self.script.set()
        names = set(os.listdir(self.folder))
        assert {"src"} <= names <= {"src", "dst"}, names
        assert self.src.read_bytes() == self.content
        return Outcome(transfer, error, calls)

    def check_copied(self, outcome: Outcome) -> None:
        """The copy is complete."""
        assert outcome.error is None
        assert outcome.transfer
        assert self.dst.read_bytes() == self.content
        assert outcome.transfer.copied == len(self.content)

    def check_failed(self, outcome: Outcome) -> None:
        """A new dst is gone, an existing one is as it was or has the beginning of src."""
        assert outcome.error is not None
        if self.old is None:
            assert not self.dst.exists()
        else:
            found = self.dst.read_bytes()
            assert found == self.old or self.content.startswith(found)
