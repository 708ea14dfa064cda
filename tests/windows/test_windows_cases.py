"""The contract on Windows: ours and shutil's side by side, each in a folder of its own."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Callable

import pytest
from contract.outcome import Case, outcome_in
from windows.cases import CASES

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
@pytest.mark.parametrize("copy", ["copyfile", "transfer", "twice"])
def test_case(case: Case, copy: str, folder: Path) -> None:
    """The same outcome as shutil.copyfile, attributes included; or the promised one."""

    def transfer(src: Any, dst: Any, **options: Any) -> Any:
        speedcopy.transfer(src, dst, **options)
        return dst

    def again(executor: Callable[..., Any], src: Any, dst: Any, **options: Any) -> Any:
        executor(src, dst, **options)
        return executor(src, dst, **options)

    theirs: Callable[..., Any] = shutil.copyfile
    ours: Callable[..., Any] = {"transfer": transfer}.get(copy, speedcopy.copyfile)
    if copy == "twice":
        theirs = lambda *a, **o: again(shutil.copyfile, *a, **o)  # noqa: E731
        ours = lambda *a, **o: again(speedcopy.copyfile, *a, **o)  # noqa: E731
    promised = outcome_in(folder, theirs, case)
    if case.promise:
        promised = case.promise.of(promised)
    assert outcome_in(folder, ours, case) == promised
