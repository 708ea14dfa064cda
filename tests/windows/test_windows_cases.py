"""The contract on Windows: ours and shutil's side by side, each in a folder of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from contract.outcome import Case, Executor, outcome_in
from windows.cases import CASES

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


def transfer(src: Any, dst: Any, **options: Any) -> Any:
    """Copies, and returns what copyfile would."""
    speedcopy.transfer(src, dst, **options)
    return dst


def twice(copy: Executor) -> Executor:
    """Copies, and then once more."""
    return lambda *names, **options: (copy(*names, **options), copy(*names, **options))[1]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("copy", ["copyfile", "transfer", "twice"])
def test_case(case: Case, copy: str, folder: Path) -> None:
    """The same outcome as shutil.copyfile, attributes included; or the promised one."""
    ours: Executor = transfer if copy == "transfer" else speedcopy.copyfile
    theirs: Executor = shutil.copyfile
    if copy == "twice":
        ours, theirs = twice(ours), twice(theirs)
    promised = outcome_in(folder, theirs, case)
    if case.promise:
        promised = case.promise.of(promised)
    assert outcome_in(folder, ours, case) == promised
