"""The contract on a FUSE server that misbehaves: never worse than shutil on the same mount.

Each row is something that servers in use do; see :class:`hostile_fuse.Switches`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from support.fuse_contract import compare, copies, learn
from support.hostile_fuse import Switches
from support.sizes import MIB

if TYPE_CHECKING:
    from pathlib import Path

    from support.fuse_mounts import FuseMounts, Misbehaving

PLAIN, ATOMIC = "hostile", "hostile, atomic"
REFUSALS = ("EOPNOTSUPP", "EPERM")


class Row(NamedTuple):
    """How a mount behaves towards one of the files of a copy."""

    id: str
    switches: Switches
    mounts: tuple[str, ...] = (PLAIN, ATOMIC)
    sizes: tuple[int, ...] = (0, 4097, MIB + 1)

    def holes(self) -> int:
        """The size of a sparse src, 0 for none: skipping a hole means writing out of order."""
        return MIB if self.switches.out_of_order else 0


def once(operation: str, code: str, times: int = 1, skip: int = 0) -> Switches:
    """An operation fails so many times after so many good ones."""
    return Switches(faults=((operation, code, times, skip),))


def directly(rows: list[Row]) -> list[Row]:
    """The rows with and without the page cache, in which the kernel hides much."""
    return [
        *rows,
        *(row._replace(id=f"{row.id}, direct", switches=straight(row.switches)) for row in rows),
    ]


def straight(switches: Switches) -> Switches:
    """The same without the page cache."""
    return replace(switches, direct_io=True)


SMALL = (0, 1, 4097, MIB + 1)

#: The sizes that stat returns, as a factor and a number to add.
LIES = {"none": (0, 0), "half": (0.5, 0), "thrice": (3, 7)}

TOWARDS_DST = [
    *directly([Row(f"size {name}", Switches(lie=lie), sizes=SMALL) for name, lie in LIES.items()]),
    *(Row(f"truncate {code}", Switches(truncate=code), (ATOMIC,)) for code in REFUSALS),
    *(Row(f"truncate to 0 or {code}", Switches(truncate_to_some=code)) for code in REFUSALS),
    *(
        Row(f"without O_TRUNC {code}", Switches(without_trunc=code, truncate="EPERM"), (ATOMIC,))
        for code in ("EPERM", "EACCES")
    ),
    *directly(
        [
            Row(f"out of order {code}", Switches(out_of_order=code))
            for code in ("ESPIPE", "EINVAL", "EOPNOTSUPP")
        ]
    ),
    Row("as object stores", Switches(out_of_order="EINVAL", without_trunc="EPERM"), (ATOMIC,)),
    *directly([Row("O_NONBLOCK", Switches(nonblock=("open", "read", "write")))]),
    Row("O_NONBLOCK when written", Switches(nonblock=("write",))),
    *(
        Row(f"exclusively {code}", Switches(exclusive=code))
        for code in ("EINVAL", "EOPNOTSUPP", "EPERM")
    ),
    Row("short writes", Switches(direct_io=True, most=50_000)),
    *(
        Row(f"{operation} {code} {times}", once(operation, code, times), mounts)
        for operation, mounts in (
            *((name, (PLAIN,)) for name in ("lookup", "getattr", "create", "statfs")),
            *((name, (PLAIN, ATOMIC)) for name in ("open", "setattr")),
        )
        for code, times in (("EINTR", 1), ("EINTR", 2), ("EAGAIN", 1))
    ),
    *directly(
        [
            Row(f"write {code} after {skip}", once("write", code, times, skip))
            for code, times in (("EINTR", 2), ("EAGAIN", 1), ("EIO", 999), ("ENOSPC", 999))
            for skip in (0, 1)
        ]
    ),
    *(
        Row(f"flush {code}", once("flush", code, 999))
        for code in ("EIO", "ENOSPC", "EDQUOT", "EINTR")
    ),
]

TOWARDS_SRC = [
    *(Row(f"size {name}, direct", Switches(direct_io=True, lie=lie)) for name, lie in LIES.items()),
    *directly([Row("O_NONBLOCK", Switches(nonblock=("open", "read", "write")))]),
    *directly([Row("O_NONBLOCK when read", Switches(nonblock=("read",)))]),
    Row("short reads", Switches(direct_io=True, most=50_000)),
    *(
        Row(f"{operation} {code} {times}", once(operation, code, times))
        for operation in ("lookup", "getattr", "open", "statfs", "flush")
        for code, times in (("EINTR", 1), ("EINTR", 2), ("EAGAIN", 1), ("EIO", 999))
        # read refuses a file that has no attributes at all; sendfile, which shutil uses, does not
        if (operation, times) != ("getattr", 999)
    ),
    *directly(
        [
            Row(f"read {code} after {skip}", once("read", code, times, skip), sizes=sizes)
            for code, times in (("EINTR", 2), ("EAGAIN", 1), ("EIO", 999))
            for skip, sizes in ((0, (1, 3 * MIB + 5)), (1, (3 * MIB + 5,)))
        ]
    ),
]

#: Of a server that copies by itself: how much it copies in a request, and what goes wrong.
RANGES = {
    "all": Switches(copy_range=MIB),
    "short": Switches(copy_range=50_000),
    "nothing": Switches(copy_range=0),
    **{
        f"{code} {times} after {skip}": replace(
            once("copy_file_range", code, times, skip), copy_range=300_000
        )
        for code, times in (("EIO", 1), ("EIO", 999), ("EINTR", 2), ("EAGAIN", 1), ("EXDEV", 999))
        for skip in (0, 1)
    },
}

TOWARDS_BOTH = [
    *directly([Row(f"copy_file_range {name}", switches) for name, switches in RANGES.items()]),
    *directly([Row("O_NONBLOCK", Switches(nonblock=("open", "read", "write")))]),
    Row("short", Switches(direct_io=True, most=50_000)),
]


def known_and(mount: Misbehaving, switches: Switches, dst: Path, store: Path) -> None:
    """Has the client cache dst's attributes before the server misbehaves."""
    mount.behave(Switches())
    learn(dst, store)
    mount.behave(switches)


def run(row: Row, mount: str, role: str, fuse: FuseMounts) -> None:
    """Compares on one mount."""
    server: Any = fuse[mount]
    on = {"from": "src", "to": "dst", "within": ""}[role]
    table = copies(role, row.sizes, holes=row.holes())
    before = partial(known_and, server, replace(row.switches, on=on))
    try:
        compare(fuse, mount, role, table, before)
    finally:
        server.behave(Switches())


def parameters(rows: list[Row], *mounts: str) -> pytest.MarkDecorator:
    """Each row on each of its mounts, as far as they matter."""
    found = [
        pytest.param(row, mount, id=f"{row.id}-{mount}")
        for row in rows
        for mount in row.mounts
        if mount in mounts
    ]
    return pytest.mark.parametrize(("row", "mount"), found)


@parameters(TOWARDS_DST, PLAIN, ATOMIC)
def test_towards_dst(row: Row, mount: str, fuse: FuseMounts) -> None:
    """The mount has dst."""
    run(row, mount, "to", fuse)


@parameters(TOWARDS_SRC, PLAIN)
def test_towards_src(row: Row, mount: str, fuse: FuseMounts) -> None:
    """The mount has src."""
    run(row, mount, "from", fuse)


@parameters(TOWARDS_BOTH, PLAIN)
def test_towards_both(row: Row, mount: str, fuse: FuseMounts) -> None:
    """The mount has both."""
    run(row, mount, "within", fuse)
