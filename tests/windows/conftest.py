"""The files that a test on Windows copies from and to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def src(folder: Path) -> Path:
    """A file of four chunks, less a bit."""
    path = folder / "src"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


@pytest.fixture
def dst(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A name that is free, or a file of as many bytes as the test is parametrised with."""
    path, size = folder / "dst", getattr(request, "param", None)
    if size:
        path.write_bytes(b"o" * size)
    return path
