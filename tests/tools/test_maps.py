"""The maps of files in module docstrings list what is there; the settings of pytest, too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from support.maps import listed

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(
    path.parent
    for pattern in ("tools/**/__init__.py", "speedcopy/_*/__init__.py")
    for path in ROOT.glob(pattern)
)
#: Folders of tests/ that pytest does not enter unless it is given their names.
NOT_BY_DEFAULT = {"benchmarks", "machines", "support", "tools"}


def names(folder: Path) -> set[str]:
    """The sources and packages in a package, without the suffix of Python."""
    sources = [path for path in folder.iterdir() if path.suffix in {".c", ".py", ".sh"}]
    packages = [path.parent for path in folder.glob("*/__init__.py")]
    return {path.name.removesuffix(".py") for path in [*sources, *packages]} - {"__init__"}


@pytest.mark.parametrize("folder", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_map_of_a_package(folder: Path) -> None:
    """Every module is listed, and every module that is listed exists."""
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    assert listed(text or "") == names(folder)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a     what a is\nb.sh  what b is\n", {"a", "b.sh"}),
        ("Some words.  And more.\nno map here\n", set()),
        ("| `a.py`, `b/` | text `c` |\n|---|---|\n| no name | `d` |\n", {"a.py", "b/"}),
    ],
    ids=["docstring", "prose", "Markdown"],
)
def test_listed(text: str, found: set[str]) -> None:
    """Names at the start of a line with two spaces behind them, or in the first cell of a row."""
    assert listed(text) == found


def test_every_folder_of_tests_is_run(request: pytest.FixtureRequest) -> None:
    """Without a path pytest enters all folders but a few."""
    paths = {path.removeprefix("tests/") for path in request.config.getini("testpaths")}
    folders = {path.parent.name for path in ROOT.glob("tests/*/*.py")}
    assert paths == folders - NOT_BY_DEFAULT


def test_basenames() -> None:
    """No two test modules have the same name: pytest would take them for one."""
    found = [path.name for path in ROOT.glob("tests/**/test_*.py")]
    assert sorted(found) == sorted(set(found))
