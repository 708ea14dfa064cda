"""probe() on the lab's mounts: the facts, the answers, and whether its sentences are true."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from support.lab_mounts import MOUNTED, NO_LAB, REMOTE, ROWS, fresh, root
from support.layout import pattern
from support.server_requests import STATS, operations
from support.sizes import MIB

import speedcopy
from speedcopy._probe import asking

if TYPE_CHECKING:
    from pathlib import Path

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

FICLONE, COPYCHUNK, RANGE = "FICLONE", "CIFS_IOC_COPYCHUNK_FILE", "copy_file_range"
NOT_ASKED, WORKS = "not asked", "works"
SERVER, CLIENT = "the server copies", "the client of this machine reads and writes"
SHARED = "the server shares the data"


class Row(NamedTuple):
    """What is expected of a pair of mounts: answers, and a part of the sentence by mechanism."""

    answers: tuple[str, str, str]
    sentences: tuple[str, str, str]
    uses: str


TABLE = {
    ("SMB_XFS", "SMB_XFS"): Row(
        ("EOPNOTSUPP", WORKS, WORKS),
        ("does not announce block cloning", SERVER, SERVER),
        COPYCHUNK,
    ),
    ("SMB_BTRFS", "SMB_BTRFS"): Row((WORKS, WORKS, WORKS), (SHARED, SERVER, SERVER), FICLONE),
    ("SMB_KSMBD", "SMB_KSMBD"): Row((WORKS, WORKS, WORKS), (SHARED, SERVER, SERVER), FICLONE),
    ("SMB1", "SMB1"): Row(
        ("EOPNOTSUPP", "EOPNOTSUPP", WORKS),
        ("SMB 1.0 cannot clone: mount with", "SMB 1.0 cannot: mount with", CLIENT),
        "sendfile",
    ),
    ("SMB_XFS", "SMB_OTHER_SHARE"): Row(
        ("EXDEV", WORKS, WORKS),
        ("a server clones within one", SERVER, SERVER),
        COPYCHUNK,
    ),
    ("SMB_XFS", "SMB_OTHER_SERVER"): Row(
        ("EXDEV", "EXDEV", WORKS),
        ("two shares, or two mounts", "different sessions", CLIENT),
        "sendfile",
    ),
    ("SMB_XFS", "SMB1"): Row(
        ("EXDEV", "EXDEV", WORKS),
        ("two shares, or two mounts", "different sessions", CLIENT),
        "sendfile",
    ),
    ("SMB_XFS", "EXT4"): Row(
        ("EXDEV", "ENOTTY", "EXDEV"),
        ("two file systems", "dst is not on SMB", "two file systems"),
        "sendfile",
    ),
    ("EXT4", "SMB_XFS"): Row(
        ("EXDEV", NOT_ASKED, "EXDEV"),
        ("two file systems", "only for files on SMB", "two file systems"),
        "sendfile",
    ),
    ("NFS42", "NFS42"): Row(
        (WORKS, NOT_ASKED, WORKS), (SHARED, "only for files on SMB", SERVER), FICLONE
    ),
    ("NFS42", "NFS42_NOCTO"): Row(
        ("EXDEV", NOT_ASKED, WORKS),
        ("two file systems", "only for files on SMB", SERVER),
        RANGE,
    ),
    ("NFS3", "NFS3"): Row(
        ("EOPNOTSUPP", NOT_ASKED, WORKS),
        ("NFS 3 cannot clone: mount with vers=4.2", "only for files on SMB", CLIENT),
        RANGE,
    ),
    ("NFS42", "NFS3"): Row(
        ("EXDEV", NOT_ASKED, "EXDEV"),
        ("two file systems", "only for files on SMB", "two file systems"),
        "sendfile",
    ),
}


def named(pair: tuple[str, str]) -> str:
    """The share first: whoever runs tests by mount runs these with that share's."""
    src, dst = pair
    return f"{dst} from {src}" if ROWS[src].is_local else f"{src} to {dst}"


FACTS = {
    "SMB_XFS": ("cifs", "SMB 3.1.1", False),
    "SMB_BTRFS": ("cifs", "SMB 3.1.1", True),
    "SMB_KSMBD": ("cifs", "SMB 3.1.1", True),
    "SMB1": ("cifs", "SMB 1.0", False),
    "NFS42": ("nfs4", "NFS 4.2", None),
    "NFS3": ("nfs", "NFS 3", None),
    "EXT4": ("ext4", "", None),
}


@pytest.mark.parametrize("name", FACTS)
def test_facts(name: str) -> None:
    """File system, protocol, server, kernel."""
    where = speedcopy.probe(root(name))
    assert (where.dst.file_system, where.dst.protocol, where.dst.announces_clones) == FACTS[name]
    assert where.dst.server == {"SMB": "10.0.2.2", "NFS": "127.0.0.1"}.get(
        name[:3] if name != "SMB_KSMBD" else "NFS", ""
    )
    assert where.kernel == f"Linux {os.uname().release}"


@pytest.mark.parametrize("pair", TABLE, ids=named)
def test_answers(pair: tuple[str, str]) -> None:
    """What is asked between two mounts, and what is said about it; nothing is left."""
    with fresh(pair[0]) as src, fresh(pair[1]) as dst:
        found = speedcopy.probe(src.folder, dst.folder)
        assert (src.names(), dst.names()) == ([], [])
    expected = TABLE[pair]
    rows = found.mechanisms[:3]
    assert [row.name for row in rows] == [FICLONE, COPYCHUNK, RANGE]
    assert tuple(row.errno or row.answer for row in rows) == expected.answers
    for row, sentence in zip(rows, expected.sentences):
        assert sentence in row.sentence
    assert found.uses == expected.uses


def written(name: str, mount: Path) -> int:
    """How many write requests the client has sent to this share so far."""
    if ROWS[name].kind == "nfs":
        return operations(mount)["WRITE"]
    # SMB 1 writes "Writes: 1 Bytes: 2", later versions "Writes: 1 total 0 failed"
    parts = re.split(r"^\d+\) ", STATS.read_text(), flags=re.MULTILINE)
    (part,) = (part for part in parts if part.split("\n")[0].strip().endswith(f"\\{name.lower()}"))
    counts = re.findall(r"^Writes: *(\d+)", part, re.MULTILINE)
    return int(counts[0])


@pytest.mark.parametrize("pair", [pair for pair in TABLE if pair[1] in REMOTE], ids=named)
def test_sentences_are_true(pair: tuple[str, str]) -> None:
    """Where a server is said to copy, the client writes nothing; elsewhere it does."""
    with fresh(pair[0]) as src, fresh(pair[1]) as dst:
        (src / "src").write_bytes(pattern(MIB))
        for row in speedcopy.probe(src.folder, dst.folder).mechanisms:
            if row.answer != WORKS:
                continue
            before = written(pair[1], root(pair[1]))
            assert asking.ask(row.name, str(src / "src"), str(dst / row.name[:4])) == ""
            sent = written(pair[1], root(pair[1])) - before
            assert (row.name, sent > 0) == (row.name, not row.sentence.startswith("the server"))
            assert dst.stored(row.name[:4]) == pattern(MIB)
