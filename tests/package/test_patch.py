"""Patching and unpatching shutil, also where other code patches it too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, Callable
from unittest import mock

import pytest

import speedcopy
from speedcopy import patch_copyfile, patched_copyfile, unpatch_copyfile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STDLIB = shutil.copyfile
ours: Any = speedcopy.copyfile


def installed() -> Any:
    """What shutil copies with."""
    return shutil.copyfile


def install(function: Any) -> None:
    """Patches shutil as another program would."""
    setattr(shutil, "copyfile", function)  # noqa: B010


def does_as_ours(function: Any) -> bool:
    """Whether it is our function or its twin."""
    return getattr(function, "__code__", None) is ours.__code__


def original() -> Any:
    """What callers of 2.x reach the standard library by."""
    return getattr(shutil, "_orig_copyfile")  # noqa: B009


def somebodys(under: Callable[..., Any]) -> Callable[..., Any]:
    """Somebody else's patch, which calls what it has replaced."""

    def theirs(*args: Any, **options: Any) -> Any:
        return under(*args, **options)

    return theirs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Undoes what a test has done to shutil."""
    yield
    for _ in range(5):
        unpatch_copyfile()
    install(STDLIB)


def test_patch() -> None:
    """Ours is installed, the original can be called, and is put back."""
    patch_copyfile()
    assert installed() is ours
    assert original() is STDLIB
    unpatch_copyfile()
    assert installed() is STDLIB
    assert original() is STDLIB


@pytest.mark.parametrize("times", [2, 5])
def test_idempotent(times: int) -> None:
    """Patching several times is patching once, and so is unpatching."""
    for _ in range(times):
        patch_copyfile()
    assert installed() is ours
    assert original() is STDLIB
    for _ in range(times):
        unpatch_copyfile()
        assert installed() is STDLIB
    patch_copyfile()
    assert installed() is ours
    assert original() is STDLIB


def test_unpatch_unpatched() -> None:
    """Unpatching what is not patched does nothing."""
    unpatch_copyfile()
    assert installed() is STDLIB


def test_over_theirs() -> None:
    """Another patch below ours is put back; the original is the standard library's."""
    theirs = somebodys(STDLIB)
    install(theirs)
    patch_copyfile()
    assert installed() is ours
    assert original() is STDLIB
    unpatch_copyfile()
    assert installed() is theirs
    unpatch_copyfile()
    assert installed() is theirs


def test_under_theirs() -> None:
    """Another patch over ours stays when we unpatch; ours is removed once that is gone."""
    patch_copyfile()
    theirs = somebodys(ours)
    install(theirs)
    unpatch_copyfile()
    assert installed() is theirs
    install(ours)  # they put back what they found
    unpatch_copyfile()
    assert installed() is STDLIB


def test_between_ours() -> None:
    """Ours, theirs, ours again: the layers are removed one by one."""
    patch_copyfile()
    theirs = somebodys(ours)
    install(theirs)
    patch_copyfile()
    assert does_as_ours(installed())
    assert original() is STDLIB
    unpatch_copyfile()
    assert installed() is theirs
    install(ours)
    unpatch_copyfile()
    assert installed() is STDLIB


#: The steps after patch_copyfile(), a letter each: a mock is installed or removed, we patch or
#: unpatch; and what shutil has in the end.
STORIES = {
    "mock": ("m M", "ours"),
    "mock, unpatched within": ("m u M u", "stdlib"),
    "mock around a patch": ("m p M u", "stdlib"),
    "mock around a patch and its end": ("m p u", "mock"),
    "mock around a patch and its end, gone": ("m p u M u", "stdlib"),
    "mock around a block": ("m b", "mock"),
    "mock around a block, gone": ("m b M u", "stdlib"),
    "mock around two patches": ("m p p M u u", "stdlib"),
    "one after the other": ("m p M m p M u", "stdlib"),
    "one in the other": ("m p m p M M u", "stdlib"),
    "one in the other, unpatched between": ("m p m p M u", "mock"),
    "unpatched before the mock goes": ("m p u u M", "ours"),
    "torn out, and patched again": ("u m p s p u", "stdlib"),
}


@pytest.mark.parametrize("story", STORIES)
def test_no_dead_function_comes_back(story: str, folder: Path) -> None:
    """A removed mock is not called, one that is left is; every function that is left copies."""
    steps, expected = STORIES[story]
    (folder / "src").write_bytes(b"data")
    mocks: list[Any] = []
    patch_copyfile()
    for step in steps.split():
        if step == "m":
            mocks.append(mock.patch("shutil.copyfile"))
            mocks[-1].start()
        elif step == "M":
            mocks.pop().stop()
        elif step == "s":
            install(STDLIB)
        elif step == "b":
            with patched_copyfile():
                assert does_as_ours(installed())
        else:
            {"p": patch_copyfile, "u": unpatch_copyfile}[step]()
    kinds = {"ours": does_as_ours(installed()), "stdlib": installed() is STDLIB}
    assert next((kind for kind, is_it in kinds.items() if is_it), "mock") == expected
    if expected != "mock":
        for copy in (installed(), original()):
            copy(folder / "src", folder / "dst")
            assert (folder / "dst").read_bytes() == b"data"
            (folder / "dst").unlink()
    mock.patch.stopall()


def test_imported_within_a_mock(tmp_path: Path) -> None:
    """The fallback is the standard library's function, whenever speedcopy was imported."""
    code = (
        "import shutil, sys; sys.path[:] = %r\nfrom unittest import mock\n"
        "real = shutil.copyfile\n"
        "with mock.patch('shutil.copyfile'):\n    import speedcopy\n"
        "with open('src', 'w') as file:\n    file.write('data')\n"
        "speedcopy.SPEEDCOPY_DISABLE = True\nspeedcopy.copyfile('src', 'dst')\n"
        "print(open('dst').read())\n"
        "for copy in (real, speedcopy.copyfile):\n"
        "    try:\n        copy('src', 'src')\n"
        "    except shutil.SameFileError as error:\n        print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code % [os.path.abspath(name) for name in sys.path]],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    first, theirs, mine = done.stdout.splitlines()
    assert (first, mine) == ("data", theirs)


def test_torn_out() -> None:
    """Putting the standard library's function back by hand unpatches as well."""
    patch_copyfile()
    install(STDLIB)
    unpatch_copyfile()
    assert installed() is STDLIB
    theirs = somebodys(STDLIB)
    install(theirs)
    patch_copyfile()
    unpatch_copyfile()
    assert installed() is theirs


def test_no_recursion(folder: Path) -> None:
    """Layers of patches over each other still copy, also where they fall back."""
    (folder / "src").write_bytes(b"data")
    install(somebodys(STDLIB))
    patch_copyfile()
    install(somebodys(installed()))
    patch_copyfile()
    shutil.copyfile(folder / "src", folder / "dst")
    assert (folder / "dst").read_bytes() == b"data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speedcopy, "SPEEDCOPY_DISABLE", True)
        shutil.copyfile(folder / "src", folder / "again")
    assert (folder / "again").read_bytes() == b"data"


def test_context() -> None:
    """Patched inside the block, not outside; an exception is raised unchanged."""
    with patched_copyfile():
        assert installed() is ours
        assert original() is STDLIB
    assert installed() is STDLIB
    with pytest.raises(ZeroDivisionError), patched_copyfile():
        raise ZeroDivisionError
    assert installed() is STDLIB


def test_context_keeps_patch() -> None:
    """A block inside an older patch of ours leaves that in place."""
    patch_copyfile()
    with patched_copyfile():
        assert installed() is ours
    assert installed() is ours


@pytest.mark.parametrize("order", ["nested", "overlapping"])
def test_contexts(order: str) -> None:
    """The last block to end unpatches, whichever it is."""
    one, other = patched_copyfile(), patched_copyfile()
    one.__enter__()
    other.__enter__()
    first, last = (other, one) if order == "nested" else (one, other)
    first.__exit__(None, None, None)
    assert installed() is ours
    last.__exit__(None, None, None)
    assert installed() is STDLIB


def test_context_over_theirs() -> None:
    """A block over another patch puts that back."""
    theirs = somebodys(STDLIB)
    install(theirs)
    with patched_copyfile():
        assert installed() is ours
    assert installed() is theirs


def test_context_under_theirs() -> None:
    """Another patch that was made inside a block is still there after it."""
    with patched_copyfile():
        theirs = somebodys(installed())
        install(theirs)
    assert installed() is theirs


def test_contexts_in_threads() -> None:
    """Blocks of many threads overlap, all are patched, and nothing is left."""
    seen: list[bool] = []
    together = threading.Barrier(8)

    def work() -> None:
        together.wait()
        for _ in range(50):
            with patched_copyfile():
                seen.append(installed() is ours)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 400
    assert installed() is STDLIB
