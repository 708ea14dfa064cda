"""The contract: ours and shutil's side by side, each in a folder of its own."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from contract.cases import CASES, CROSSED
from contract.outcome import Case, Executor, outcome_in
from support.lab_mounts import MOUNTED

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path

STDLIB = shutil.copyfile
EVERY = [*CASES, *CROSSED]


def by_transfer(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by transfer()."""
    result = speedcopy.transfer(src, dst, **options)
    assert isinstance(result, speedcopy.Transfer)
    return dst


def with_progress(src: Any, dst: Any, **options: Any) -> Any:
    """Copies with a callback, whose last call has the whole size."""
    calls: list[tuple[int, int]] = []
    returned = speedcopy.copyfile(src, dst, progress=lambda *told: calls.append(told), **options)
    assert calls
    assert calls[-1][0] == calls[-1][1]
    return returned


def by_patch(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by shutil's name, under the patch."""
    with speedcopy.patched_copyfile():
        assert shutil.copyfile is not STDLIB
        return shutil.copyfile(src, dst, **options)


def switched_off(src: Any, dst: Any, **options: Any) -> Any:
    """Copies by the standard library."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
        return speedcopy.copyfile(src, dst, **options)


def do_nothing(_src: Any, dst: Any, **_: Any) -> Any:
    """Leaves the folder as it was laid out."""
    return dst


EXECUTORS: dict[str, Executor] = {
    "copyfile": speedcopy.copyfile,
    "transfer": by_transfer,
    "progress": with_progress,
    "patch": by_patch,
}


if MOUNTED:
    # The processor is emulated, and all of them make the same requests to a server.
    EXECUTORS = {"copyfile": speedcopy.copyfile}


@pytest.mark.parametrize(
    "case",
    [
        *(pytest.param(case, id=case.id) for case in CASES),
        *(pytest.param(case, id=case.id, marks=pytest.mark.crossed) for case in CROSSED),
    ],
)
def test_case(case: Case, folder: Path) -> None:
    """Same result, same files, same error, same audit event; or what we promise instead."""
    promise = case.promise
    theirs = outcome_in(folder, do_nothing if promise and not promise.runs_shutil else STDLIB, case)
    promised = promise.of(theirs) if promise else theirs
    assert {
        name: outcome_in(folder, copy, case) for name, copy in EXECUTORS.items()
    } == dict.fromkeys(EXECUTORS, promised)
    if not MOUNTED and (not promise or promise.runs_shutil):
        assert outcome_in(folder, switched_off, case) == theirs


@pytest.mark.parametrize("why", sorted({case.promise.why for case in EVERY if case.promise}))
def test_promise(why: str, folder: Path) -> None:
    """Each promise is still needed: shutil has another outcome."""
    promises = [(case, case.promise) for case in EVERY if case.promise and case.promise.why == why]
    if not promises[0][1].runs_shutil:
        pytest.skip("a shutil that stops reading these would fail test_case")
    needed = False
    for case, promise in promises:
        theirs = outcome_in(folder, STDLIB, case)
        needed = needed or promise.of(theirs) != theirs
    assert needed


def test_ids() -> None:
    """Every case can be asked for by name."""
    ids = [case.id for case in EVERY]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("seen", ["content", "mode", "touched"])
def test_outcome_sees(seen: str, folder: Path) -> None:
    """A copy that does one thing more has another outcome: the comparison sees it."""

    def one_thing_more(_src: Any, dst: Any, **_: Any) -> Any:
        STDLIB("src", "dst")
        if seen == "content":
            with open("dst", "ab") as grown:
                grown.write(b"!")
        elif seen == "mode":
            os.chmod("dst", 0o444)
        else:
            os.utime("src", (1, 1))
        return dst

    case = next(case for case in CASES if case.id == "4096 new")
    theirs, ours = outcome_in(folder, STDLIB, case), outcome_in(folder, one_thing_more, case)
    assert ours != theirs
