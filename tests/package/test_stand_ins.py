"""Mocks of functions that shutil.copyfile calls are used: the fallback copies then."""

from __future__ import annotations

import builtins
import os
import shutil
from typing import TYPE_CHECKING, Any, Callable
from unittest import mock

import pytest

import speedcopy

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

#: By what it is called: where it is, and under which name.
PARTS: dict[str, tuple[ModuleType, str]] = {
    "open": (builtins, "open"),
    "shutil.open": (shutil, "open"),
    "os.sendfile": (os, "sendfile"),
    "os.copy_file_range": (os, "copy_file_range"),
    "shutil._copyfileobj_readinto": (shutil, "_copyfileobj_readinto"),
}


def through(module: ModuleType, name: str) -> Callable[..., Any]:
    """A stand-in that does what the real one does."""
    real = getattr(module, name, open)

    def stand_in(*arguments: Any, **options: Any) -> Any:
        return real(*arguments, **options)

    return stand_in


@pytest.mark.parametrize("part", PARTS)
def test_is_used(part: str, folder: Path) -> None:
    """As long as the stand-in is there, and no longer."""
    pytest.importorskip("speedcopy._native", reason="no native layer on this platform")
    module, name = PARTS[part]
    if part not in ("open", "shutil.open") and not hasattr(module, name):
        pytest.skip(f"this Python has no {part}")
    (folder / "src").write_bytes(b"content")
    with mock.patch.object(module, name, through(module, name), create=True):
        told = speedcopy.transfer(folder / "src", folder / "dst")
    assert (told.mechanism, told.copied) == ("shutil.copyfile", 7)
    told = speedcopy.transfer(folder / "src", folder / "dst")
    assert told.mechanism != "shutil.copyfile"
    assert (folder / "dst").read_bytes() == b"content"


def test_mock_open(folder: Path) -> None:
    """Files that are not there, of ``mock_open()``."""
    with speedcopy.patched_copyfile(), mock.patch("builtins.open", mock.mock_open()) as opened:
        shutil.copyfile(folder / "no src", folder / "no dst")
    assert [call.args[1] for call in opened.call_args_list] == ["rb", "wb"]
    assert not os.listdir(folder)
