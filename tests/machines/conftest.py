"""The tests here need the code for macOS; tools/cross.py test runs them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from machines.copies import Copies

collect_ignore_glob = [] if "SPEEDCOPY_MACHINE" in os.environ else ["test_*.py"]


@pytest.fixture
def copies(folder: Path) -> Copies:
    """A folder to copy in."""
    from machines.copies import Copies

    return Copies(folder)
