"""Executors of all kinds copy a tree, and what becomes of it when they do not."""

from __future__ import annotations

import filecmp
import importlib.util
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from support.layout import pattern
from support.python import importing

from speedcopy._trees.batches import Batch, How

if TYPE_CHECKING:
    from pathlib import Path

DIRECTORIES, FILES = 20, 100

NEEDS = {"loky": "loky", "dask": "distributed"}
NAMES = ["threads", *multiprocessing.get_all_start_methods(), "loky", "dask"]


def require(name: str) -> None:
    """Skips the test where the executor is not installed."""
    if name in NEEDS and not importlib.util.find_spec(NEEDS[name]):
        pytest.skip(f"no {NEEDS[name]} here")


def run(name: str, folder: Path, *more: str) -> Any:
    """Copies src to dst by an executor in a process of its own."""
    command = [sys.executable, "-m", "trees.run_executor", name, "src", "dst", *more]
    done = subprocess.run(
        command,
        cwd=folder,
        env=importing(),
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def tree(folder: Path) -> Path:
    """2,000 files in 20 directories, each with content of its own."""
    for directory in range(DIRECTORIES):
        (folder / "src" / str(directory)).mkdir(parents=True)
        for number in range(FILES):
            path = folder / "src" / str(directory) / str(number)
            path.write_bytes(pattern(number * 40, f"{directory} {number}"[:1]) + path.name.encode())
            os.utime(path, (1, number))
    return folder / "src"


def assert_equal(src: Path, dst: Path) -> None:
    """All of src is in dst, with its times."""
    assert sorted(os.listdir(src)) == sorted(os.listdir(dst))
    for name in os.listdir(src):
        assert sorted(os.listdir(src / name)) == sorted(os.listdir(dst / name))
        names = os.listdir(src / name)
        assert filecmp.cmpfiles(src / name, dst / name, names, shallow=False)[0] == names
        for path in names:
            assert os.stat(src / name / path).st_mtime == os.stat(dst / name / path).st_mtime


@pytest.mark.parametrize("name", NAMES)
def test_executor(name: str, tree: Path, folder: Path) -> None:
    """Complete and equal; the audit hooks of this process receive an event for each file, once."""
    require(name)
    told = run(name, folder)
    assert (told["error"], told["done"][0]) == (None, DIRECTORIES * FILES)
    assert told["done"][1] == sum(path.stat().st_size for path in tree.glob("*/*"))
    names = [
        os.path.join("src", str(inner), str(number))
        for inner in range(DIRECTORIES)
        for number in range(FILES)
    ]
    assert told["heard"] == sorted(names)
    assert_equal(tree, folder / "dst")


def test_dask_worker_killed(tree: Path, folder: Path) -> None:
    """One of two worker processes is killed half-way: complete and equal."""
    require("dask")
    told = run("dask", folder, "kill")
    assert (told["error"], told["done"][0]) == (None, DIRECTORIES * FILES)
    assert_equal(tree, folder / "dst")


@pytest.mark.parametrize("name", ["fork", "spawn", "loky"])
def test_process_killed(name: str, tree: Path, folder: Path) -> None:
    """A pool of processes breaks: the exception says what is missing."""
    if name not in NAMES:
        pytest.skip(f"no {name} here")
    require(name)
    told = run(name, folder, "kill")
    if told["error"] is None:  # all had been handed out
        assert_equal(tree, folder / "dst")
        return
    assert "BrokenExecutor" in told["error"]
    assert "Not copied, or only in part: 'src" in told["notes"][0]


def test_batch_is_small() -> None:
    """A batch of 32 names is sent to another process in some 600 bytes."""
    how = How(
        "strict",
        files=True,
        fresh=True,
        opened=True,
        nfs=False,
        elsewhere=True,
        tree="0" * 32,
        skip=0,
    )
    names = [f"plate.{number:04}.exr" for number in range(32)]
    assert len(pickle.dumps(Batch("/mnt/a/", "/mnt/b/", names, how))) < 1000
