"""How many requests a mount has sent to its file server, as the client in the kernel counts."""

from __future__ import annotations

import os
import re
from pathlib import Path

CIFS = Path("/proc/fs/cifs/Stats")
NFS = Path("/proc/self/mountstats")


def count(path: Path) -> int:
    """Requests of all SMB mounts and of the NFS mount that ``path`` lies on, since the boot."""
    where = os.path.abspath(path)
    while not os.path.ismount(where):
        where = os.path.dirname(where)
    total = _sum(r"^SMBs: (\d+)", _text(CIFS))
    for part in re.split(r"^device ", _text(NFS), flags=re.MULTILINE):
        if f" mounted on {where} with fstype nfs" in part:
            total += _sum(r"^\s+[A-Z_]+: (\d+) \d+ \d+", part)
    return total


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def _sum(pattern: str, text: str) -> int:
    return sum(int(number) for number in re.findall(pattern, text, re.MULTILINE))
