"""How many requests a file server got, as counted by the client in the kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

STATS = Path("/proc/fs/cifs/Stats")


class RequestCounts(NamedTuple):
    """Requests of one share, by kind."""

    total: int
    kinds: dict[str, int]


def forget_requests() -> None:
    """Sets the counters of SMB to 0."""
    STATS.write_text("0")


def requests(share: str) -> RequestCounts:
    """The requests to one SMB share since then."""
    # "3) \\10.0.2.2\smb_xfs", then its counters, up to the next share
    parts = re.split(r"^\d+\) ", STATS.read_text(), flags=re.MULTILINE)[1:]
    (part,) = (part for part in parts if part.split("\n", 1)[0].strip().endswith(share.lower()))
    total = re.search(r"^SMBs: (\d+)", part, re.MULTILINE)
    assert total
    kinds = re.findall(r"^(\w+): (\d+) (?:total|sent)", part, re.MULTILINE)
    return RequestCounts(
        int(total[1]), {kind: int(number) for kind, number in kinds if number != "0"}
    )


def operations(mount: Path) -> dict[str, int]:
    """The requests of an NFS mount since it was mounted, by operation."""
    parts = re.split(r"^device ", Path("/proc/self/mountstats").read_text(), flags=re.MULTILINE)
    (part,) = (part for part in parts if f" mounted on {mount} with " in part)
    rows = re.findall(r"^\s+([A-Z_]+): (\d+) \d+ \d+", part, re.MULTILINE)
    return {name: int(number) for name, number in rows}
