"""The fixture of the tests on shares."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.lab_mounts import Share, fresh

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Iterator[Share]:
    """A fresh folder on the mount that the test is parametrised with."""
    with fresh(request.param) as made:
        yield made
