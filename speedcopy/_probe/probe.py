"""probe(): what can a copy between these two directories use, and why not more?

Each mechanism of the native table is asked by copying a small file.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, Optional

import speedcopy
from speedcopy import _loader, _stand_ins
from speedcopy._probe import places, reasons
from speedcopy._probe.scratch import Scratch

if TYPE_CHECKING:
    from speedcopy._probe.places import Place
    from speedcopy._types import Path

#: Whole blocks of every file system, and two requests at most.
_CONTENT = bytes(range(256)) * 512


@dataclass(frozen=True)
class Mechanism:
    """What one mechanism of the native table has answered.

    ``errno`` is its name if the mechanism declined, else empty. ``sentence`` says what it means.
    """

    name: str
    answer: Literal["works", "declined", "not asked"]
    errno: str
    sentence: str

    def __str__(self) -> str:
        """One line for a report."""
        answer = f"{self.answer} ({self.errno})" if self.errno else self.answer
        return f"{self.name + ':':25}{answer}: {self.sentence}"


@dataclass(frozen=True)
class Probe:
    """What copies between two directories use, and why each faster mechanism cannot be used.

    ``native`` is whether the native layer makes the copies of this process, ``why_not_native`` says
    why not. ``mechanisms`` has the answers in the order asked, none where there is no native layer.
    ``uses`` is the mechanism of a usual copy, ``uses_in_rounds`` that of one with ``progress`` or
    of a large file.
    """

    src: Place
    dst: Place
    kernel: str
    native: bool
    why_not_native: str
    mechanisms: tuple[Mechanism, ...]
    uses: str
    uses_in_rounds: str

    def as_dict(self) -> dict[str, Any]:
        """The same as dictionaries, lists, strings and booleans, for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report, line by line."""
        native = "active" if self.native else f"not active: {self.why_not_native}"
        uses = f"A copy uses {self.uses}"
        if self.uses_in_rounds != self.uses:
            uses += f"; with progress, and over 64 MiB, {self.uses_in_rounds}"
        return [
            f"src {self.src}",
            f"dst {self.dst}",
            f"{self.kernel}; native layer {native}",
            *map(str, self.mechanisms),
            f"{uses}.",
        ]

    def __str__(self) -> str:
        """The report."""
        return "\n".join(self.lines())


def probe(src_dir: Path, dst_dir: Optional[Path] = None) -> Probe:
    """Asks what a copy from ``src_dir`` to ``dst_dir`` can use; without ``dst_dir``, within it.

    Copies small files and removes them. Raises OSError where that cannot be done: a directory is
    missing or takes no new file.
    """
    src, dst = (places.place(os.fsdecode(path)) for path in (src_dir, dst_dir or src_dir))
    with Scratch() as scratch:
        file = scratch.new(src.directory)
        with open(file, "xb") as new:
            new.write(_CONTENT)
            new.flush()
            os.fsync(new.fileno())  # ZFS clones nothing that is not on the disk yet
        uses, in_rounds = (
            speedcopy.transfer(file, scratch.new(dst.directory), progress=progress).mechanism
            for progress in (None, _ignore)
        )
        why_not = why_not_native()
        mechanisms = _ask_all(file, src, dst, scratch)
    return Probe(src, dst, places.kernel(), not why_not, why_not, mechanisms, uses, in_rounds)


def _ignore(_copied: int, _total: int) -> None:
    """For a copy that has to be made in rounds."""


def why_not_native() -> str:
    """Returns why copies do not use the native layer at present; an empty text if they do.

    The reason is a sentence for people. ``SPEEDCOPY_DISABLE`` and functions that a test has
    replaced count, too.
    """
    if _loader.native is None:
        return _loader.REASONS[_loader.why_not]
    if speedcopy.SPEEDCOPY_DISABLE:
        return "SPEEDCOPY_DISABLE is set"
    if _stand_ins.are_there():
        return "something in this process has replaced what shutil.copyfile calls"
    return ""


def _ask_all(file: str, src: Place, dst: Place, scratch: Scratch) -> tuple[Mechanism, ...]:
    if _loader.native is None:
        return ()
    from speedcopy._probe import asking  # noqa: PLC0415 (needs the native layer)

    answers: dict[str, Optional[str]] = {}
    made: list[Mechanism] = []
    for name in asking.MECHANISMS:
        copy = scratch.new(dst.directory)
        before = places.copies_by_server(dst)
        declined = answers[name] = asking.ask(name, file, copy)
        after = places.copies_by_server(dst)
        if declined is None:
            answer = Mechanism(name, "not asked", "", reasons.not_asked(name, src, dst))
        elif declined:
            sentence = reasons.declined(name, declined, src, dst)
            answer = Mechanism(name, "declined", declined, sentence)
        elif _content(copy) != _CONTENT:
            answer = Mechanism(name, "declined", "", "it has copied wrong data")
        else:
            by_server = None if before is None or after is None else after > before
            if src.is_smb and dst.is_smb:
                by_server = answers.get(reasons.COPYCHUNK) == ""
            clones = answers.get(reasons.FICLONE) == ""
            sentence = reasons.works(name, src, dst, by_server=by_server, clones=clones)
            answer = Mechanism(name, "works", "", sentence)
        made.append(answer)
    return tuple(made)


def _content(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()
