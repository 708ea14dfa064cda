"""The figures of docs/benchmarks.md about macOS."""

from __future__ import annotations

import pytest
from machines import counts, native
from support.python import ROOT


def test_page_has_the_figures() -> None:
    """They are the same for both processors."""
    if native.in_use().image.is_checked:
        pytest.skip("the code has checks")
    page = (ROOT / "docs" / "benchmarks.md").read_text()
    assert [row for row in counts.rows() if row not in page] == []
