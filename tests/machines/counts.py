"""Counts the system calls of copies by the code for macOS: ``tools/cross.py calls``."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from machines import libsystem, native
from machines.copies import MIB, Copies

import speedcopy  # noqa: F401 (the stand-in has to be there before)
from speedcopy import _copyfile


class Case(NamedTuple):
    """A copy: bytes of src, bytes of an existing dst, and what the volume can."""

    size: int
    old: int | None = None
    clones: bool = True
    smb: bool = False


#: What is read and written in rounds takes as many calls as the time of each round allows.
CASES = {
    "4 KiB to a new file, on APFS": Case(4096),
    "32 MiB to a new file, on APFS": Case(32 * MIB),
    "4 KiB to a new file, without clones": Case(4096, clones=False),
    "4 KiB over an existing file": Case(4096, 4096),
    "32 MiB to a new file, by an SMB server": Case(32 * MIB, smb=True),
}


def count(case: Case, folder: Path) -> tuple[str, int]:
    """The mechanism, and the number of calls of the kernel."""
    copies = Copies(folder).make(case.size, case.old)
    _copyfile.SERVER_COPY = native.in_use().numbers.SC_SERVER_COPY if case.smb else 0
    try:
        outcome = copies.copy(clones=case.clones, smb=case.smb)
    finally:
        _copyfile.SERVER_COPY = 0
    copies.check_copied(outcome)
    calls = {name.replace("$INODE64", ""): call for name, call in libsystem.CALLS.items()}
    return outcome.mechanism, sum(calls[name].source.startswith("xnu") for name in outcome.calls)


def rows() -> list[str]:
    """A line of a table for each case."""
    found = []
    for title, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            mechanism, calls = count(case, Path(folder))
        found.append(f"| {title} | `{mechanism}` | {calls} |")
    return found


if __name__ == "__main__":
    sys.stdout.write("\n".join(rows()) + "\n")
