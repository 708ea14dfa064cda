"""The crossed part of the contract: each bad src with each bad dst, each spelling of a name.

Programs that catch an error rely on which of two is raised, and on how it spells the names.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Optional

from contract.outcome import Case, Late, Outcome, Promise
from support.failure import Failure
from support.layout import directory, fifo, file, hardlink, symlink, unix_socket

if TYPE_CHECKING:
    from support.layout import Step

#: What dst is before the copy, by the size of src.
STATES: dict[str, Callable[[int], tuple[Step, ...]]] = {
    "new": lambda _: (),
    "over empty": lambda _: (file("dst", 0),),
    "over shorter": lambda size: (file("dst", size // 2),),
    "over equal": lambda size: (file("dst", size),),
    "over longer": lambda size: (file("dst", 3 * size + 5000),),
}

# src and dst have their own files ("s" and "d") so that any two rows can meet.
SOURCES: dict[str, tuple[str, tuple[Step, ...]]] = {
    "file": ("src", (file("src"),)),
    "empty file": ("src", (file("src", 0),)),
    "missing": ("src", ()),
    "directory": ("src", (directory("src"),)),
    "fifo": ("src", (fifo("src"),)),
    "link to fifo": ("src", (fifo("s"), symlink("src", "s"))),
    "socket": ("src", (unix_socket("src"),)),
    "link": ("src", (file("s"), symlink("src", "s"))),
    "link to directory": ("src", (directory("s"), symlink("src", "s", to_directory=True))),
    "dangling link": ("src", (symlink("src", "s"),)),
    "looping link": ("src", (symlink("src", "s"), symlink("s", "src"))),
    "file with slash": ("src/", (file("src"),)),
    "directory with slash": ("src/", (directory("src"),)),
    "in missing folder": ("s/src", ()),
    "in a file": ("s/src", (file("s"),)),
    "long name": ("s" * 255, (file("s" * 255),)),
    "too long name": ("s" * 256, ()),
    "too long path": ("s/" * 2500 + "src", ()),
}
DESTINATIONS: dict[str, tuple[str, tuple[Step, ...]]] = {
    "new": ("dst", ()),
    "file": ("dst", (file("dst", 5000),)),
    "directory": ("dst", (directory("dst"),)),
    "fifo": ("dst", (fifo("dst"),)),
    "link to fifo": ("dst", (fifo("d"), symlink("dst", "d"))),
    "socket": ("dst", (unix_socket("dst"),)),
    "link": ("dst", (file("d", 5000), symlink("dst", "d"))),
    "link to directory": ("dst", (directory("d"), symlink("dst", "d", to_directory=True))),
    "dangling link": ("dst", (symlink("dst", "d"),)),
    "link into missing folder": ("dst", (symlink("dst", "d/dst"),)),
    "looping link": ("dst", (symlink("dst", "d"), symlink("d", "dst"))),
    "file with slash": ("dst/", (file("dst"),)),
    "directory with slash": ("dst/", (directory("dst"),)),
    "missing folder with slash": ("dst/", ()),
    "in missing folder": ("d/dst", ()),
    "in missing folder with slash": ("d/dst/", ()),
    "in a file": ("d/dst", (file("d"),)),
    "long name": ("d" * 255, ()),
    "too long name": ("d" * 256, ()),
    "too long path": ("d/" * 2500 + "dst", ()),
}

#: One file by two names, if it is a file.
SAME: dict[str, tuple[str, str, tuple[Step, ...]]] = {
    "name": ("src", "src", (file("src"),)),
    "path": ("src", "./sub/../src", (file("src"), directory("sub"))),
    "hard link": ("src", "dst", (file("src"), hardlink("dst", "src"))),
    "dst links to src": ("src", "dst", (file("src"), symlink("dst", "src"))),
    "src links to dst": ("src", "dst", (file("dst"), symlink("src", "dst"))),
    "links to one": ("src", "dst", (file("f"), symlink("src", "f"), symlink("dst", "f"))),
    "directory": ("src", "src", (directory("src"),)),
    "fifo": ("src", "src", (fifo("src"),)),
    "socket": ("src", "src", (unix_socket("src"),)),
    "missing": ("src", "src", ()),
    "dangling link": ("src", "src", (symlink("src", "s"),)),
}

ERRORS = [
    Case(
        f"{src_id} to {dst_id}{'' if follow else ', not following'}",
        (*src_steps, *dst_steps),
        src,
        dst,
        follow,
    )
    for src_id, (src, src_steps) in SOURCES.items()
    for dst_id, (dst, dst_steps) in DESTINATIONS.items()
    for follow in ((True, False) if "link" in src_id else (True,))
] + [
    Case(f"same {name}{'' if follow else ', not following'}", steps, src, dst, follow)
    for name, (src, dst, steps) in SAME.items()
    for follow in (True, False)
]


@dataclass(frozen=True)
class Named:
    """A path object that is neither str nor Path."""

    name: Any

    def __fspath__(self) -> Any:
        """The name."""
        return self.name


def entry(name: Any) -> Late:
    """What os.scandir has of a name."""

    def scan() -> Any:
        with os.scandir(b"." if isinstance(name, bytes) else ".") as found:
            return next(entry for entry in found if entry.name == name)

    return Late(scan)


SRC_SPELLINGS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bytes": os.fsencode,
    "Path": Path,
    "PathLike of bytes": lambda name: Named(os.fsencode(name)),
    "PathLike of int": lambda _: Named(5),
    "bytearray": lambda name: bytearray(name, "ascii"),
    "DirEntry": entry,
    "DirEntry of bytes": lambda name: entry(os.fsencode(name)),
}
DST_SPELLINGS = {name: spell for name, spell in SRC_SPELLINGS.items() if "DirEntry" not in name}

#: Layouts in which "src" is there, so that it can be scanned.
SPELT: dict[str, tuple[str, tuple[Step, ...]]] = {
    "good": ("dst", (file("src"),)),
    "src fifo": ("dst", (fifo("src"),)),
    "src directory": ("dst", (directory("src"),)),
    "src dangling": ("dst", (symlink("src", "s"),)),
    "src link": ("dst", (file("s"), symlink("src", "s"))),
    "dst fifo": ("dst", (file("src"), fifo("dst"))),
    "dst directory": ("dst", (file("src"), directory("dst"))),
    "dst missing folder": ("d/", (file("src"),)),
    "same": ("dst", (file("src"), hardlink("dst", "src"))),
}


def not_emptied(entry: str) -> Promise:
    """A copy of a file to itself is refused, whatever its names are."""

    def of(nothing: Outcome) -> Outcome:
        text = f"<DirEntry {entry}> and 'dst' are the same file"
        failure = Failure(shutil.SameFileError, text, (text,))
        return Outcome("nothing", failure, nothing.tree, ("src, dst",))

    why = "on Windows a directory entry has no number: shutil empties the file"
    return Promise(why, of, runs_shutil=False)


def promised(src_id: str, layout_id: str) -> Optional[Promise]:
    """The promise for a spelling, if there is one."""
    if os.name != "nt" or layout_id != "same" or "DirEntry" not in src_id:
        return None
    return not_emptied("b'src'" if "bytes" in src_id else "'src'")


SPELLINGS = [
    Case(
        f"{src_id} to {dst_id}, {layout_id}{'' if follow else ', not following'}",
        steps,
        spell_src("src"),
        spell_dst(dst),
        follow,
        promise=promised(src_id, layout_id),
    )
    for src_id, spell_src in SRC_SPELLINGS.items()
    for dst_id, spell_dst in DST_SPELLINGS.items()
    if "str" in {src_id, dst_id} or src_id == dst_id
    for layout_id, (dst, steps) in SPELT.items()
    for follow in (True, False)
    if follow or "src" in layout_id
]
