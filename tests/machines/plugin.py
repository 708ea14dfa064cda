"""Runs pytest with the code for macOS instead of the extension: ``-p machines.plugin``.

``tools/cross.py test`` has ``site/sitecustomize.py`` install it before anything imports speedcopy.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from machines import native

if TYPE_CHECKING:
    from collections.abc import Generator

_native = native.in_use()


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
    """Says how much of it was the code for macOS, and of how many cases."""
    stats = terminalreporter.stats
    counts = ", ".join(
        f"{len(stats[kind])} {kind}"
        for kind in ("passed", "failed", "error", "skipped", "deselected")
        if stats.get(kind)
    )
    line = f"{_native.library.stem}: {counts}; {_native.copies} copies in this process"
    terminalreporter.write_line(line)
    with open(os.environ["SPEEDCOPY_MACHINE_SUMMARY"], "a", encoding="utf-8") as summary:
        summary.write(f"{line}\n")
