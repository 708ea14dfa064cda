"""Trees on each mount of the lab: as shutil copies them, also where names are one file."""

from __future__ import annotations

import os
import shutil

import pytest
from support.lab_mounts import MOUNTED, NO_LAB, Share, on
from support.layout import pattern
from support.sizes import KIB

import speedcopy

if not MOUNTED:
    pytest.skip(NO_LAB, allow_module_level=True)

NAMES = ["A/x", "a/X", "a/z", "b", "B", "c", "sub/d", "\u00fc", "u\u0308"]


@pytest.fixture(scope="module")
def src(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tree with names that differ in case only, where case matters."""
    top = tmp_path_factory.mktemp("src")
    for number, name in enumerate(NAMES):
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_bytes(pattern(100 * KIB + number, name))
    return str(top)


@on("SMB_XFS", "SMB1", "SMB_KSMBD", "NFS42", "EXT4")
def test_colliding_names(share: Share, src: str) -> None:
    """The file that both names lead to is the one that shutil would leave there."""
    for name in ("theirs", "ours"):
        (share / name / "a").mkdir(parents=True)
        (share / name / "B").write_bytes(b"old")
    shutil.copytree(src, share / "theirs", dirs_exist_ok=True, copy_function=shutil.copy)
    speedcopy.copytree(src, share / "ours", dirs_exist_ok=True, copy_function=speedcopy.copy)
    for name in NAMES:
        theirs, ours = ((share / top / name).read_bytes() for top in ("theirs", "ours"))
        assert (name, ours == theirs) == (name, True)
    assert sorted(os.listdir(share / "ours")) == sorted(os.listdir(share / "theirs"))
