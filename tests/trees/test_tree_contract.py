"""The contract of copytree: ours and shutil's side by side, each in a folder of its own."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from trees.tree_cases import CASES, TRIED
from trees.tree_outcome import Copier, TreeCase, comparable, outcome_in

from speedcopy import _copy2
from speedcopy._trees import copytree, targets

if TYPE_CHECKING:
    from pathlib import Path

SHUTIL = shutil.copytree


def ours(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by ours; a copy function of shutil's is ours, too."""
    if options.get("copy_function") is shutil.copy:
        options["copy_function"] = _copy2.copy
    return copytree.copytree(src, dst, **options)


def as_on_a_share(src: Any, dst: Any, **options: Any) -> Any:
    """Copies as if each round trip took long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "share", lambda _: "nfs4")
        return ours(src, dst, **options)


def with_threads(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by an executor of the caller."""
    with ThreadPoolExecutor(3) as executor:
        return ours(src, dst, executor=executor, **options)


def in_order(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by a function that copytree does not know."""
    copy = _copy2.copy if "copy_function" in options else _copy2.copy2
    return copytree.copytree(src, dst, **{**options, "copy_function": partial(copy)})


def with_progress(src: Any, dst: Any, **options: Any) -> Any:
    """Copies, and is told how far it is."""
    seen: list[Any] = []
    try:
        return ours(src, dst, progress=seen.append, **options)
    finally:
        assert seen == sorted(seen)


COPIERS: dict[str, Copier] = {
    "ours": ours,
    "one worker": partial(ours, workers=1),
    "share": as_on_a_share,
    "threads": with_threads,
    "in order": in_order,
    "progress": with_progress,
    "best-effort": partial(ours, metadata="best-effort"),
}


def do_nothing(_src: Any, dst: Any, **_: Any) -> Any:
    """Leaves the folder as it was laid out."""
    return dst


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_case(case: TreeCase, folder: Path) -> None:
    """Same result, same tree, same errors in the same order, same events."""
    difference = case.difference
    copier = SHUTIL if not difference or difference.runs_shutil else do_nothing
    theirs = outcome_in(folder, copier, case)
    expected = difference.of(theirs) if difference else theirs
    for name, copy in COPIERS.items():
        wanted = theirs if difference is TRIED and name == "in order" else expected
        assert (name, comparable(outcome_in(folder, copy, case), wanted)) == (name, wanted)
