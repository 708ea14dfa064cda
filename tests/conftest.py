"""Where the suite copies, and what it may count on there."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filesystems import Mounts
from shares import MOUNTED, SKIPPED, Tally

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --target."""
    parser.addoption(
        "--target",
        type=Path,
        metavar="DIR",
        help="copy inside DIR, a mounted share say, instead of the temporary folder",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Lets Ctrl-C work, which a shell's background jobs ignore; in the lab, counts by mount."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if MOUNTED:
        config.pluginmanager.register(Tally((*MOUNTED, *SKIPPED)))


def pytest_report_header(config: pytest.Config) -> str:
    """Names what is tested, and where."""
    target = config.getoption("--target") or tempfile.gettempdir()
    return f"speedcopy {speedcopy.__version__}, target {target}"


@pytest.fixture
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A fresh folder on the file system under test, gone after the test."""
    target = request.config.getoption("--target")
    if target is None:
        yield tmp_path
        return
    fresh = Path(tempfile.mkdtemp(prefix="speedcopy-", dir=target))
    yield fresh
    shutil.rmtree(fresh)


@pytest.fixture(scope="session")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounts]:
    """File systems of all kinds, mounted when asked for, unmounted whatever happens."""
    made = Mounts(tmp_path_factory.mktemp("mounts"))
    yield made
    made.close()


def descriptors() -> frozenset[str]:
    """The open descriptors of this process, by number and what they lead to."""
    listing = "/proc/self/fd"
    found = set()
    for fd in os.listdir(listing):
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{fd} -> {os.readlink(f'{listing}/{fd}')}")
    return frozenset(found)


@pytest.fixture(autouse=True)
def no_descriptor_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test may leave a descriptor of the target open."""
    if not os.path.islink("/proc/self/fd/0"):
        yield
        return
    before = descriptors()
    yield
    folder = str(request.config.getoption("--target") or tempfile.gettempdir())
    left = [entry for entry in descriptors() - before if f"-> {folder}" in entry]
    assert not left


@pytest.fixture(autouse=True)
def nothing_patched() -> Iterator[None]:
    """No test may leave shutil patched."""
    original = shutil.copyfile
    yield
    assert shutil.copyfile is original
