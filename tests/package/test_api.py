"""The public names: what callers of shutil and of speedcopy 2 rely on, and what tools read."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import inspect
import re
import shutil
from dataclasses import FrozenInstanceError, fields
from typing import Any, Callable

import pytest

import speedcopy
import speedcopy.version

CALLABLES = [
    value
    for value in (getattr(speedcopy, name) for name in speedcopy.__all__)
    if inspect.isfunction(value) or inspect.isclass(value)
]


def test_all() -> None:
    """``__all__`` is sorted and has every public name that is not a module."""
    assert list(speedcopy.__all__) == sorted(speedcopy.__all__)
    public = {
        name
        for name, value in vars(speedcopy).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public <= set(speedcopy.__all__)
    assert {
        "copyfile",
        "transfer",
        "patch_copyfile",
        "unpatch_copyfile",
        "patched_copyfile",
        *("Done", "Metadata", "Progress", "Reflink", "StrOrBytesPath", "TreeProgress"),
    } <= public


def test_star_import() -> None:
    """``from speedcopy import *`` brings all of it."""
    names: dict[str, object] = {}
    exec("from speedcopy import *", names)  # noqa: S102
    assert set(speedcopy.__all__) <= set(names)


@pytest.mark.parametrize(
    "ours", [speedcopy.copyfile, speedcopy.transfer], ids=["copyfile", "transfer"]
)
def test_signature(ours: Callable[..., object]) -> None:
    """First shutil's parameters, same names, kinds and defaults; what we add is keyword-only."""
    theirs = list(inspect.signature(shutil.copyfile).parameters.values())
    mine = list(inspect.signature(ours).parameters.values())
    for one, other in zip(mine, theirs):
        assert (one.name, one.kind, one.default) == (other.name, other.kind, other.default)
    added = mine[len(theirs) :]
    assert added
    assert all(one.kind is one.KEYWORD_ONLY and one.default is not one.empty for one in added)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [((), {}), (("src",), {}), (("src", "dst", False), {}), (("src", "dst"), {"symlinks": True})],
    ids=["nothing", "one name", "three in a row", "unknown option"],
)
def test_wrong_calls(arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
    """Calls that shutil's signature refuses raise a TypeError here as well."""
    copies: list[Any] = [shutil.copyfile, speedcopy.copyfile, speedcopy.transfer]
    for copy in copies:
        with pytest.raises(TypeError):
            copy(*arguments, **options)


@pytest.mark.parametrize("public", CALLABLES, ids=lambda public: public.__name__)
def test_documented(public: Callable[..., object]) -> None:
    """Every public name has a docstring of a sentence or more."""
    assert len(inspect.getdoc(public) or "") > 30
    assert (inspect.getdoc(public) or "").split("\n")[0].endswith(".")


def test_switches_documented() -> None:
    """The two switches have a comment that says what they do."""
    source = inspect.getsource(speedcopy)
    for name in ("SPEEDCOPY_DEBUG", "SPEEDCOPY_DISABLE"):
        assert re.search(rf"^#: .+\n{name} = ", source, re.MULTILINE)
        assert getattr(speedcopy, name) is False


def test_version() -> None:
    """One version, in all the spellings."""
    version = importlib.metadata.version("speedcopy")
    assert speedcopy.__version__ == speedcopy.version.__version__ == version
    assert speedcopy.version.version == version
    assert speedcopy.version.version_info >= (3, 0, 0)
    assert ".".join(map(str, speedcopy.version.version_info)) == version


def test_names_of_2() -> None:
    """Pipelines that were written for speedcopy 2 find what they import."""
    from speedcopy import copyfile, patch_copyfile, unpatch_copyfile
    from speedcopy.version import version_info

    assert callable(copyfile)
    assert callable(patch_copyfile)
    assert callable(unpatch_copyfile)
    assert isinstance(version_info, tuple)
    assert hasattr(speedcopy, "SPEEDCOPY_DEBUG")


def test_typed() -> None:
    """Type checkers read our annotations: the marker is in the package."""
    assert (importlib.resources.files("speedcopy") / "py.typed").is_file()
    for public in (speedcopy.copyfile, speedcopy.transfer):
        signature = inspect.signature(public)
        assert all(one.annotation is not one.empty for one in signature.parameters.values())
        assert signature.return_annotation is not signature.empty


def test_transfer_record() -> None:
    """A Transfer is a value: compared by its fields, and immutable."""
    one = speedcopy.Transfer("sendfile", 5, 0.5, {"FICLONE": "EXDEV"})
    assert one == speedcopy.Transfer("sendfile", 5, 0.5, {"FICLONE": "EXDEV"})
    names = ["mechanism", "copied", "seconds", "declined", "offloaded", "refused"]
    assert [field.name for field in fields(one)] == names
    assert str(one) == "sendfile, 5 bytes in 0.500000 s; declined: FICLONE (EXDEV)"
    assert speedcopy.Transfer("sendfile", 5, 0.5).declined == {}
    with pytest.raises(FrozenInstanceError):
        one.copied = 6  # type: ignore[misc]
