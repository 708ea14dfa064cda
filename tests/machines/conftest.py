"""The tests here need code for another system; tools/cross.py test runs them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from machines.copies import Copies

machine = os.environ.get("SPEEDCOPY_MACHINE", "")
if machine.startswith("freebsd"):
    collect_ignore_glob = ["test_[!f]*.py"]
else:
    collect_ignore_glob = ["test_freebsd_code.py"] if machine else ["test_*.py"]


@pytest.fixture
def copies(folder: Path) -> Copies:
    """A folder to copy in."""
    from machines.copies import Copies

    return Copies(folder)
