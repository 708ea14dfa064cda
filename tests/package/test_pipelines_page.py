"""The transaction of docs/pipelines.md: all files arrive, or nothing has changed."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any, Callable, Optional

import pytest

import speedcopy
import speedcopy.version

PAGE = Path(__file__).parents[2] / "docs" / "pipelines.md"

OLD, NEW = b"old" * 99, b"new" * 999
COUNT = 20


@pytest.fixture(scope="module")
def module() -> dict[str, Any]:
    """The names of the example, without what it does at its end."""
    (code,) = re.findall(
        r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    names: dict[str, Any] = {}
    exec(code.split("\npublish = ")[0], names)  # noqa: S102
    return names


@pytest.fixture
def transaction(module: dict[str, Any], folder: Path) -> Any:
    """A transaction of many files, of which each second one replaces another."""
    made = module["Transaction"]()
    (folder / "to").mkdir()
    for number in range(COUNT):
        (folder / f"{number}").write_bytes(NEW)
        if number % 2:
            (folder / f"to/{number}").write_bytes(OLD)
        made.add(f"{folder}/{number}", f"{folder}/to/{number}")
    return made


def tree(folder: Path) -> dict[str, bytes]:
    """All files of a folder."""
    return {path.name: path.read_bytes() for path in (folder / "to").iterdir()}


def test_all(transaction: Any, folder: Path) -> None:
    """All files arrive, all bytes are shown, and no backup is left."""
    shown: list[int] = []
    transaction.show = shown.append
    transaction.run()
    assert tree(folder) == {str(number): NEW for number in range(COUNT)}
    assert shown == sorted(shown)
    assert shown[-1] == COUNT * len(NEW)


def cancelled(transaction: Any, _folder: Path) -> None:
    """Somebody cancels while the files are copied."""
    transaction.show = lambda copied: transaction.cancel() if copied > 3 * len(NEW) else None


def missing(_transaction: Any, folder: Path) -> None:
    """One src is not there."""
    (folder / f"{COUNT - 3}").unlink()


def left_over(_transaction: Any, folder: Path) -> None:
    """The backup of an earlier run is there."""
    (folder / f"to/{COUNT - 3}.bak").write_bytes(OLD)


@pytest.mark.parametrize("disabled", [False, True], ids=["native", "stdlib"])
@pytest.mark.parametrize(
    ("trouble", "error"),
    [(cancelled, None), (missing, FileNotFoundError), (left_over, FileExistsError)],
    ids=["cancelled", "missing", "left over"],
)
def test_nothing(
    trouble: Callable[[Any, Path], None],
    error: Optional[type[Exception]],
    transaction: Any,
    module: dict[str, Any],
    folder: Path,
    disabled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If one copy fails, everything is as it was, also where the standard library copies."""
    monkeypatch.setattr(speedcopy, "SPEEDCOPY_DISABLE", disabled)
    trouble(transaction, folder)
    before, threads = tree(folder), threading.active_count()
    with pytest.raises(error or module["CancelledError"]):
        transaction.run()
    assert tree(folder) == before
    assert threading.active_count() <= threads


def test_names_of_ayon() -> None:
    """What FileTransaction imports, and the comparison that it makes on macOS."""
    assert speedcopy.version.version_info > (2, 2, 0)
    assert callable(speedcopy.copyfile)
