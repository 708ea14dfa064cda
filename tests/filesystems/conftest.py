"""The FUSE mounts of the tests here, and what is printed about them at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from support.fuse_mounts import FuseMounts
from support.summaries import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """What is printed at the end: how many copies were compared on which mount."""
    made = Ledger("FUSE: copies compared with shutil's")
    request.config.pluginmanager.register(made)
    return made


@pytest.fixture(scope="module")
def fuse(tmp_path_factory: pytest.TempPathFactory, ledger: Ledger) -> Iterator[FuseMounts]:
    """FUSE servers and overlays, mounted when asked for, gone after the module's tests."""
    with FuseMounts(tmp_path_factory.mktemp("fuse"), ledger) as opened:
        yield opened
