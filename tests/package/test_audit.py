"""Audit hooks: the events of a copy; and a copy that a hook refuses is not made."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STDLIB = shutil.copyfile

heard: list[tuple[Any, ...]] = []
listening: list[Any] = []


class Refused(Exception):  # noqa: N818
    """What the hook raises."""


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    # the event of os.open() has no mode; open() may call it
    if listening and event in ("shutil.copyfile", "open") and arguments[1] is not None:
        heard.append((event, *arguments[:2]))
        if heard[-1] in listening:
            raise Refused


sys.addaudithook(_hook)  # nobody can take it away again


@pytest.fixture(autouse=True)
def silent() -> Iterator[None]:
    """Collects events for a ``with`` block."""
    yield
    listening.clear()
    heard.clear()


def disabled(src: Any, dst: Any) -> None:
    """A copy by the fallback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
        speedcopy.copyfile(src, dst)


def plainly(src: Any, dst: Any) -> None:
    """A copy that Python reads and writes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
        speedcopy.transfer(src, dst, reflink="never")


EVERY = [STDLIB, speedcopy.copyfile, speedcopy.transfer, disabled, plainly]


@pytest.mark.parametrize("old", [None, b"old"], ids=["new", "existing"])
@pytest.mark.parametrize("refused", [0, 1, 2, 3], ids=["copyfile", "src", "dst", "nothing"])
@pytest.mark.parametrize("copy", EVERY, ids=["shutil", "copyfile", "transfer", "off", "plain"])
def test_refused(
    copy: Callable[[Any, Any], object], refused: int, old: Optional[bytes], folder: Path
) -> None:
    """Events have the order of the standard library; after a refused one there are no more."""
    src, dst = folder / "src", os.fsencode(folder / "dst")
    src.write_bytes(b"data")
    if old:
        (folder / "dst").write_bytes(old)
    events = [("shutil.copyfile", src, dst), ("open", str(src), "r"), ("open", dst, "w")]
    listening.append((*events, None)[refused])
    if refused == 3:
        copy(src, dst)
    else:
        with pytest.raises(Refused):
            copy(src, dst)
    assert heard == events[: refused + 1]
    listening.clear()
    left = (folder / "dst").read_bytes() if (folder / "dst").exists() else None
    assert left == (b"data" if refused == 3 else old)
    assert src.read_bytes() == b"data"


@pytest.mark.parametrize("name", ["missing", "."])
def test_no_src(name: str, folder: Path) -> None:
    """Ours also has an event for a dst that shutil does not reach; the error is the same."""
    listening.append(None)
    for copy in (STDLIB, speedcopy.copyfile):
        heard.clear()
        with pytest.raises(OSError, match=r"missing|directory|denied") as caught:
            copy(folder / name, folder / "dst")
        assert caught.value.filename == str(folder / name)
        # each once: what is left to the standard library opens src again
        opened = list(dict.fromkeys(told[1:] for told in heard if told[0] == "open"))
        expected = [(str(folder / name), "r"), (str(folder / "dst"), "w")]
        assert opened == expected[: 1 if copy is STDLIB else 2]
    assert not (folder / "dst").exists()
