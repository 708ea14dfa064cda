"""Runs pytest with the code for macOS instead of the extension: ``-p machines.plugin``.

``tools/cross.py test`` has ``site/sitecustomize.py`` install it before anything imports speedcopy.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from machines import native

if TYPE_CHECKING:
    from collections.abc import Generator

_native = native.in_use()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --sample and --seed."""
    group = parser.getgroup("speedcopy").addoption
    group("--sample", type=float, default=1, metavar="SHARE", help="runs this share of the tests")
    group("--seed", default="0", help="of --sample: the same seed chooses the same tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Chooses the sample. What is about macOS itself always runs."""
    share, chance = config.getoption("--sample"), random.Random(config.getoption("--seed"))  # noqa: S311
    kept = [item for item in items if chance.random() < share or "machines" in item.path.parts]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What the model does not allow fails the test, whoever catches it."""
    _native.script.set()
    _native.errors.clear()
    result = yield
    if _native.errors:
        pytest.fail(f"{item.nodeid}: {_native.errors[0]!r}")
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says how much of it was the code for macOS."""
    terminalreporter.write_line(
        f"{_native.copies} copies in this process by the code of {_native.library.name}"
    )
