"""The contract as a table of cases.

A case without a promise has exactly the outcome that ``shutil.copyfile`` of the running Python
has. :mod:`test_contract` runs them all, :mod:`support.layout` has the steps, and
:mod:`contract.refusals` and :mod:`contract.crossed` have the other cases.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contract.crossed import ERRORS, SPELLINGS, STATES
from contract.outcome import BEFORE, Case, Late, has_changed
from contract.refusals import REFUSALS
from support.layout import file, other_case, sparse, symlink
from support.process_limits import umask
from support.sizes import KIB, MIB

if TYPE_CHECKING:
    from contextlib import ExitStack

SIZES = (
    *(0, 1, 511, 512, 513, 4095, 4096, 4097),
    *(near + off for near in (64 * KIB, MIB) for off in (-1, 0, 1)),
)
BIG = (16 * MIB - 1, 16 * MIB + 1)


def emptying_stamps() -> bool:
    """Whether opening an empty file to write it anew changes its time here: not on NFS."""
    for turn in range(2):
        with open("probe", "wb"):
            pass
        if turn == 0:
            os.utime("probe", (BEFORE, BEFORE))
    stamped = has_changed("probe", os.stat("probe"))
    os.unlink("probe")
    return stamped


def needs_stamps(_: ExitStack) -> None:
    """Skips the test where emptying an empty file does not change its time."""
    if not emptying_stamps():
        pytest.skip("shutil does not change the time of a file that was and is empty here")


def data() -> list[Case]:
    """Sizes around blocks, buffers and rounds, over whatever dst was; holes; modes."""
    cases = [
        Case(
            f"{size} {state}",
            (*(() if size else (needs_stamps,)), file("src", size), *before(size)),
        )
        for size in (*SIZES, *BIG)
        for state, before in STATES.items()
        if size in SIZES or state in {"new", "over equal"}
    ]
    cases += [
        Case(f"holes {name} {state}", (sparse("src", size, *at), *STATES[state](size)))
        for name, size, at in (
            ("only", MIB, ()),
            ("first", 3 * MIB + 1, (3 * MIB - 4,)),
            ("last", 3 * MIB + 1, (0,)),
            ("between", 5 * MIB, (100, MIB + 7, 5 * MIB - 5)),
        )
        for state in ("new", "over equal", "over longer")
    ]
    cases += [
        Case(
            f"umask {mask:o} {state}", (file("src"), *STATES[state](9)), around=partial(umask, mask)
        )
        for mask in (0, 0o22, 0o27, 0o77, 0o777)
        for state in ("new", "over equal")
    ]
    cases += [
        Case(f"mode {mode:o} {state}", (file("src", 9, mode), *STATES[state](9)))
        for mode in (0o755, 0o444, 0o4711)
        for state in ("new", "over equal")
    ]
    cases += [
        Case(f"over mode {mode:o} {size}", (file("src", size), file("dst", 20, mode)))
        for mode in (0o600, 0o755, 0o6777)
        for size in (0, 9)
    ]
    return cases


def others() -> list[Case]:
    """Names that are the same to some systems, descriptors and what is no name at all."""
    link = (file("f"), symlink("l", "f"), symlink("src", "l"))
    both = (file("src"), file("dst"))
    reader = Late(lambda: os.open("src", os.O_RDONLY))
    writer = Late(lambda: os.open("dst", os.O_WRONLY))
    wrong: tuple[tuple[Any, Any], ...] = (
        *((None, "dst"), ("src", None), (["src"], "dst"), ("src", 1.5), (-1, "dst")),
        *(("src\0", "dst"), ("src", b"d\0st"), (b"src", "dst\0"), (Path("src\0"), "dst")),
        *(("\ud800", "dst"), ("src", "\ud800"), ("missing", "\ud800"), ("missing", "\0")),
        *(("", ""), ("src", ""), ("src", Path())),
    )
    return [
        Case("same by case", (file("src"), other_case("src")), dst="SRC"),
        Case("src descriptor", both, src=reader),
        Case("dst descriptor", both, dst=writer),
        Case("closed descriptor", both, src=1 << 20),
        *(Case(f"{src!r} to {dst!r}", both, src, dst) for src, dst in wrong),
        *(
            Case(f"not following, {src!r} to {dst!r}", both, src, dst, follow_symlinks=False)
            for src, dst in wrong
        ),
        Case("undecodable names", (file("src\udcff"),), "src\udcff", "dst\udcfe\udcff"),
        Case("undecodable and missing", (), b"src\xff", "dst\udcfe"),
        Case("link to a link", link, follow_symlinks=False),
    ]


#: The cases in which src or dst is an ordinary one; enough where all of them would take long.
PLAIN = [
    case
    for case in ERRORS
    if case.id.startswith(("file to", "same")) or case.id.endswith(" to new")
]
CASES = [*data(), *others(), *REFUSALS, *PLAIN]
CROSSED = [*(case for case in ERRORS if case not in PLAIN), *SPELLINGS]
