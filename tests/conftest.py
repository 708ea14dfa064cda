"""The suite's options, the folders it copies in, and checks that run after every test."""

# ruff: noqa: E402 (pytest rewrites only what is imported after it was registered)

from __future__ import annotations

import shutil
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import pytest

#: The packages of helpers: their asserts show values, as those of the tests do.
pytest.register_assert_rewrite(
    "support", "contract", "faults", "metadata", "shares", "trees", "windows"
)

from support.descriptors import descriptors
from support.filesystems import Mounts
from support.lab_mounts import MOUNTED, NO_LAB, SKIPPED, chosen, dealt, is_on, remove, root
from support.summaries import Tally

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --target and --mounts."""
    group = parser.getgroup("speedcopy").addoption
    group(
        "--target",
        type=Path,
        metavar="DIR",
        help="copy inside DIR, a mounted share say, instead of the temporary folder",
    )
    group(
        "--mounts",
        metavar="NAMES",
        help="in the lab: copy on each of these mounts in turn, such as 'SMB_XFS,NFS*', or '*'",
    )
    group(
        "--deal",
        type=int,
        default=1,
        metavar="N",
        help="of what copies in the target, each Nth test; with --mounts, others on each",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Enables Ctrl-C, which background jobs of a shell ignore; in the lab, counts by mount."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    wanted = config.getoption("--mounts")
    if wanted and not MOUNTED:
        raise pytest.UsageError(NO_LAB)
    if MOUNTED:
        config.pluginmanager.register(Tally(chosen(wanted or "*", (*MOUNTED, *SKIPPED))))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """With --mounts, every test that uses the fixture ``folder`` runs once on each mount."""
    wanted = metafunc.config.getoption("--mounts")
    if wanted and "base" in metafunc.fixturenames:
        names = chosen(wanted, MOUNTED)
        metafunc.parametrize("base", names, indirect=True, scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselects what --deal leaves out; with --mounts, what runs on other mounts, or on none."""
    wanted = config.getoption("--mounts")
    names = chosen(wanted, (*MOUNTED, *SKIPPED)) if wanted else ()
    candidates = [item for item in items if is_on(item, names)] if wanted else items
    kept = dealt(candidates, config.getoption("--deal"))
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = [item for item in items if item in kept]


def pytest_report_header(config: pytest.Config) -> str:
    """The version that is tested, and the folder."""
    target = config.getoption("--mounts") or config.getoption("--target") or tempfile.gettempdir()
    return f"speedcopy {speedcopy.__version__}, target {target}"


@pytest.fixture(scope="module")
def base(request: pytest.FixtureRequest) -> Optional[Path]:
    """Where to copy: a mount of the lab, the folder of --target, or None for pytest's own."""
    name = getattr(request, "param", None)
    if name:
        return root(name)
    given: Optional[Path] = request.config.getoption("--target")
    return given


@pytest.fixture
def folder(base: Optional[Path], tmp_path: Path) -> Iterator[Path]:
    """A fresh folder on the file system under test, gone after the test."""
    if base is None:
        yield tmp_path
        return
    fresh = Path(tempfile.mkdtemp(prefix="speedcopy-", dir=base))
    yield fresh
    remove(fresh)


@pytest.fixture(scope="session")
def mounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounts]:
    """File systems of all kinds. Each is mounted when a test first asks for it."""
    made = Mounts(tmp_path_factory.mktemp("mounts"))
    yield made
    made.close()


@pytest.fixture(autouse=True)
def no_descriptor_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test may leave a descriptor of the target open."""
    before = descriptors()
    yield
    folders = {request.config.getoption("--target") or tempfile.gettempdir(), *map(root, MOUNTED)}
    assert not {entry for folder in folders for entry in descriptors(str(folder)) - before}


@pytest.fixture(autouse=True)
def nothing_patched() -> Iterator[None]:
    """No test may leave shutil patched."""
    original = shutil.copyfile
    yield
    assert shutil.copyfile is original
