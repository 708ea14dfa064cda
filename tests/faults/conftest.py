"""The process that copies while system calls fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from faults.mechanisms import MISSING, ROWS
from support.interpose import Worker, started_worker

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    """One process for all copies of a module; skips where the tests' table lacks a mechanism."""
    if MISSING or not ROWS:
        pytest.skip(MISSING or "no native layer of POSIX here")
    with started_worker() as process:
        yield process
