"""Random files, links and calls, made by hypothesis: ours has the outcome of shutil."""

from __future__ import annotations

import os
import shutil
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from contract.cases import emptying_stamps
from contract.outcome import Case, Executor, outcome_in
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.layout import file, hardlink, pattern, sparse, symlink
from support.process_limits import umask
from support.sizes import KIB, MIB

import speedcopy

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from support.layout import Step

STDLIB = shutil.copyfile

quickly = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

#: Mostly small; near the edges of blocks and rounds; rarely more than a round.
SIZES = st.one_of(
    st.integers(0, 20_000),
    st.builds(
        lambda edge, off: max(0, edge + off),
        st.sampled_from([0, 512, 4 * KIB, 64 * KIB, 128 * KIB, MIB]),
        st.integers(-2, 2),
    ),
    st.integers(MIB, 3 * MIB),
)

#: What a component of a path may be: no slash, no NUL, anything else that can be encoded.
NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200)


@st.composite
def sources(draw: st.DrawFn) -> tuple[Step, ...]:
    """A ``src``: dense or with holes, by its own name, a link or a second one."""
    size = draw(SIZES)
    name = draw(st.sampled_from(["src", "s"]))
    holes = draw(st.lists(st.integers(0, max(size - 1, 0)), max_size=4))
    made = sparse(name, size, *sorted(holes)) if draw(st.booleans()) else file(name, size)
    if name == "src":
        return (made,)
    return made, draw(st.sampled_from([symlink, hardlink]))("src", "s")


@st.composite
def destinations(draw: st.DrawFn) -> tuple[Step, ...]:
    """A ``dst``: missing, a file of any size, a link to one, to nothing, or to src."""
    shape = draw(
        st.sampled_from(["new", "file", "link", "dangling", "second name", "same", "holes"])
    )
    size = draw(SIZES)
    steps: dict[str, tuple[Step, ...]] = {
        "new": (),
        "file": (file("dst", size, draw(st.sampled_from([0o600, 0o644, 0o755]))),),
        "holes": (sparse("dst", size, size // 2),),
        "link": (file("d", size), symlink("dst", "d")),
        "dangling": (symlink("dst", "d"),),
        "second name": (file("d", size), hardlink("dst", "d")),
        "same": (draw(st.sampled_from([symlink, hardlink]))("dst", "src"),),
    }
    return steps[shape]


def progress(copied: int, total: int) -> None:
    """Checks that no more is copied than there is."""
    assert copied <= total


@st.composite
def executors(draw: st.DrawFn) -> Executor:
    """A way to call us."""
    options: dict[str, Any] = {}
    if draw(st.booleans()):
        options["progress"] = progress
    if draw(st.booleans()):
        return partial(speedcopy.copyfile, **options)
    options["reflink"] = draw(st.sampled_from(["auto", "never"]))
    options["sparse"] = draw(st.booleans())

    def by_transfer(src: Any, dst: Any, **more: Any) -> Any:
        speedcopy.transfer(src, dst, **options, **more)
        return dst

    return by_transfer


def empty_files_are_stamped(_: ExitStack) -> None:
    """Leaves out an empty src over an empty dst where shutil does not change the time of dst."""
    if all(os.path.exists(name) and not os.path.getsize(name) for name in ("src", "dst")):
        assume(emptying_stamps())


@quickly
@given(src=sources(), dst=destinations(), copy=executors(), follow=st.booleans(), data=st.data())
def test_as_shutil(
    src: tuple[Step, ...],
    dst: tuple[Step, ...],
    copy: Executor,
    follow: bool,
    data: st.DataObject,
    folder: Path,
) -> None:
    """Any src over any dst by any call, in twin folders, has the same outcome."""
    around = partial(umask, data.draw(st.sampled_from([0, 0o22, 0o77])))
    steps = (*src, *dst, empty_files_are_stamped)
    case = Case("drawn", steps, follow_symlinks=follow, around=around)
    assert outcome_in(folder, copy, case) == outcome_in(folder, STDLIB, case)


@settings(quickly, max_examples=75)
@given(src=NAMES, dst=NAMES)
def test_names(src: str, dst: str, folder: Path) -> None:
    """Names that the file system takes, and names that it does not take."""
    case = Case("drawn", (), src, dst)
    assert outcome_in(folder, speedcopy.copyfile, case) == outcome_in(folder, STDLIB, case)

    def copy_from_file(copy: Executor) -> Executor:
        def both(one: Any, other: Any, **options: Any) -> Any:
            with open(one, "wb") as new:
                new.write(pattern(9))
            return copy(one, other, **options)

        return both

    ours, theirs = (
        outcome_in(folder, copy_from_file(copy), case) for copy in (speedcopy.copyfile, STDLIB)
    )
    assert ours == theirs


@settings(quickly, max_examples=75)
@given(src=st.binary(max_size=30), dst=st.binary(max_size=30))
@pytest.mark.skipif(sys.getfilesystemencodeerrors() != "surrogateescape", reason="names are text")
def test_byte_names(src: bytes, dst: bytes, folder: Path) -> None:
    """Any bytes as names, also NUL, slashes and no bytes."""
    case = Case("drawn", (), src, dst)
    assert outcome_in(folder, speedcopy.copyfile, case) == outcome_in(folder, STDLIB, case)


@settings(quickly, max_examples=50)
@given(sizes=st.lists(SIZES, min_size=2, max_size=5))
def test_over_and_over(sizes: list[int], folder: Path) -> None:
    """A dst that is overwritten several times has the last content."""
    for turn, size in enumerate(sizes):
        (folder / "src").write_bytes(pattern(size, f"turn {turn}"))
        speedcopy.copyfile(folder / "src", folder / "dst")
        assert (folder / "dst").read_bytes() == pattern(size, f"turn {turn}")
