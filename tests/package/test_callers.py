"""Arguments with code of their own: path objects that change or raise, odd callbacks."""

from __future__ import annotations

import errno
import os
import shutil
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest

import speedcopy
from speedcopy import _errors

if TYPE_CHECKING:
    from pathlib import Path


class Name:
    """A path object with another answer each time, or an exception; the last one is repeated."""

    def __init__(self, *answers: Any) -> None:
        """Keeps the answers."""
        self.answers = list(answers)
        self.asked = 0

    def __repr__(self) -> str:
        """The same for all, as it is part of messages."""
        return "Name()"

    def __fspath__(self) -> Any:
        """Called by os.fspath."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


def result(copy: Callable[..., object], src: Any, dst: Any) -> tuple[Optional[str], list[str]]:
    """What a copy raises, and the names in the folder after it."""
    raised = None
    try:
        copy(src, dst)
    except BaseException as error:  # noqa: BLE001
        code = getattr(error, "errno", None)
        # on Windows the text of an errno may be the system's or the C library's
        raised = f"{type(error).__name__} {errno.errorcode[code]}" if code else repr(error)
    names = sorted(os.listdir())
    for name in set(names) - {"src"}:
        os.unlink(name)
    return raised, names


#: By name: a pair of arguments, made for each copy.
PAIRS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "OSError for src": lambda: (Name(OSError(5, "io")), "dst"),
    "RuntimeError for dst": lambda: ("src", Name(RuntimeError("no"))),
    "KeyboardInterrupt for src": lambda: (Name(KeyboardInterrupt("no")), "dst"),
    "OSError, then a name": lambda: (Name(OSError(5, "io"), "src"), "dst"),
    "a number": lambda: (Name(3), "dst"),
    "bytes to str": lambda: (Name(b"src"), "dst"),
    "str to bytes": lambda: ("src", Name(b"dst")),
    "an undecodable byte": lambda: ("src", Name("d\udcff")),
    "a lone surrogate": lambda: ("src", Name("d\ud800")),
    "a NUL": lambda: (Name("s\0"), "dst"),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_names(pair: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever __fspath__ does, the copy succeeds or fails as shutil's."""
    monkeypatch.chdir(folder)
    (folder / "src").write_bytes(b"data")
    theirs = result(shutil.copyfile, *PAIRS[pair]())
    for copy in (speedcopy.copyfile, speedcopy.transfer):
        assert result(copy, *PAIRS[pair]()) == theirs


def test_asked_once(folder: Path) -> None:
    """A copy that succeeds asks each name once: the next answer may be another file."""
    pytest.importorskip("speedcopy._native", reason="the standard library asks three times")
    (folder / "src").write_bytes(b"data")
    src, dst = Name(str(folder / "src")), Name(str(folder / "dst"))
    assert speedcopy.copyfile(src, dst) is dst
    assert (src.asked, dst.asked) == (1, 1)


@pytest.mark.parametrize("raising", [False, True], ids=["returns", "raises"])
@pytest.mark.parametrize("names", ["relative", "absolute"])
def test_progress_changes_folder(
    names: str, raising: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy goes on where it began, and a file that it has created is removed there."""
    pytest.importorskip("speedcopy._native", reason="the standard library leaves its file")
    monkeypatch.chdir(folder)
    (folder / "src").write_bytes(b"data")
    (folder / "sub").mkdir()
    (folder / "sub" / "dst").write_bytes(b"another")

    def progress(_copied: int, _total: int) -> None:
        os.chdir(folder / "sub")
        if raising:
            raise StopIteration

    src, dst = ("src", "dst") if names == "relative" else (folder / "src", folder / "dst")
    if raising:
        with pytest.raises(StopIteration):
            speedcopy.copyfile(src, dst, progress=progress)
    else:
        speedcopy.copyfile(src, dst, progress=progress)
    assert (folder / "dst").exists() != raising
    assert (folder / "sub" / "dst").read_bytes() == b"another"


def test_error_of_a_handler() -> None:
    """An OSError that no system call has made gets no names."""
    error = TimeoutError("a handler's")
    assert _errors.with_code(error, 0, "src", "dst") is error
    assert (error.filename, error.filename2) == (None, None)
