"""SECURITY.md: every claim names the tests that show it, and they are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")

TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def claims(heading: str) -> list[list[str]]:
    """The rows of the table below a heading, without its head."""
    section = PAGE.split(f"\n### {heading}\n")[1].split("\n#")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return rows[2:]


def test_each_claim_has_a_test() -> None:
    """Of what is said to be impossible, no row is without one."""
    rows = claims("What others cannot reach")
    assert len(rows) > 10
    assert [row[0] for row in rows if len(row) != 3 or not TEST.search(row[2])] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in TEST.findall(PAGE)}))
def test_the_tests_are_there(path: str) -> None:
    """The module has every test that the page names."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    tests = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert {name for found, name in TEST.findall(PAGE) if found == path} <= tests
