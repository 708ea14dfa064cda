"""Batches: run twice, found half done; and how many files and workers there are for a target."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from support.layout import attempt
from support.process_limits import unprivileged

from speedcopy import _copyfile, _engine
from speedcopy._copy2 import copy
from speedcopy._trees import targets
from speedcopy._trees.batches import Batch, How, Outcome, Watch, copy_batch
from speedcopy._trees.copytree import copytree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ELSEWHERE = How(
    "strict", files=True, fresh=True, opened=True, nfs=False, elsewhere=True, tree="", skip=0
)


@pytest.fixture
def pair(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Two directories of somebody to whom modes mean something; a file in src is read only."""
    attempt("modes", lambda: folder.chmod(0o777))
    before = os.getcwd()
    os.chdir(folder)
    with unprivileged():
        src, dst = folder / "src", folder / "dst"
        for path in ("src", "dst"):
            os.mkdir(path)
        for name in ("a", "b"):
            with open(f"src/{name}", "wb") as new:
                new.write(name.encode() * 1000)
        os.utime("src/a", (1, 1))
        os.chmod("src/a", 0o444)
        yield src, dst
    os.chdir(before)


def require_modes(name: str) -> None:
    """Skips the test if a file that is read only can be written."""
    try:
        open(name, "ab").close()
    except PermissionError:
        return
    pytest.skip("modes mean nothing here")


def run(how: How = ELSEWHERE) -> Outcome:
    """Copies a and b, by paths that do not depend on who may look at the directories above."""
    return copy_batch(Batch("src/", "dst/", ["a", "b"], how))


def assert_copied() -> None:
    """Both are there, with all metadata."""
    for name in ("a", "b"):
        with open(f"src/{name}", "rb") as old, open(f"dst/{name}", "rb") as new:
            assert old.read() == new.read()
        old_st, new_st = os.stat(f"src/{name}"), os.stat(f"dst/{name}")
        assert (old_st.st_mode, old_st.st_mtime) == (new_st.st_mode, new_st.st_mtime)


@pytest.mark.parametrize("fresh", [True, False], ids=["fresh", "existing"])
@pytest.mark.usefixtures("pair")
def test_run_twice(fresh: bool) -> None:
    """A cluster runs a task again whose worker has gone: nothing is refused."""
    expected = Outcome(2, 2000, [])
    how = ELSEWHERE._replace(fresh=fresh)
    assert run(how)[:3] == expected[:3]
    assert run(how)[:3] == expected[:3]
    assert_copied()


@pytest.mark.usefixtures("pair")
def test_half_done() -> None:
    """A file was cut short, and nobody may write to it: it is copied again."""
    with open("dst/a", "wb") as half:
        half.write(b"a" * 500)
    os.chmod("dst/a", 0o444)
    require_modes("dst/a")
    assert run()[:3] == (2, 2000, [])
    assert_copied()


@pytest.mark.parametrize(
    ("how", "listed"),
    [
        (ELSEWHERE._replace(elsewhere=False), None),
        (ELSEWHERE._replace(fresh=False), None),
        (ELSEWHERE, ["A", "b"]),
    ],
    ids=["in this process", "existing directory", "another name"],
)
@pytest.mark.usefixtures("pair")
def test_not_half_done(
    how: How, listed: Optional[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no earlier run can have left is not removed."""
    with open("dst/a", "wb") as other:
        other.write(b"other")
    os.chmod("dst/a", 0o444)
    require_modes("dst/a")
    if listed:
        monkeypatch.setattr(os, "listdir", lambda _: listed)
    tried, copied, failed, *_ = run(how)
    assert (tried, copied, [index for index, _ in failed]) == (2, 1000, [0])
    assert "Permission denied: 'dst/a'" in failed[0][1]
    with open("dst/a", "rb") as other:
        assert other.read() == b"other"


@pytest.mark.usefixtures("pair")
def test_stopped() -> None:
    """A batch that is told to stop begins with no other file."""
    watch = Watch()
    watch.stopped = True
    assert copy_batch(Batch("src/", "dst/", ["a", "b"], ELSEWHERE), watch) == (0, 0, [], 0, ())
    assert not os.listdir("dst")


def test_stopped_in_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large file that is being copied is given up, and nothing is left of it."""
    if not _engine.has_native(_copyfile.Options(metadata="strict")):
        pytest.skip("the standard library copies here, and nobody can stop it")
    for path in ("src", "dst"):
        (folder / path).mkdir()
    with open(folder / "src" / "a", "wb") as large:
        large.truncate(2 << 30)
    monkeypatch.setattr(_copyfile, "_KEEP_HOLES", False)
    (folder / "src" / "b").touch()

    class Told(Watch):
        __slots__ = ()

        def tick(self, copied: int, total: int) -> None:
            self.stopped = copied > 0
            super().tick(copied, total)

    how = ELSEWHERE._replace(elsewhere=False)
    batch = Batch(f"{folder}/src/", f"{folder}/dst/", ["a", "b"], how)
    outcome = copy_batch(batch, Told())
    if outcome.tried == 2:
        pytest.skip("2 GiB take less than 50 ms here")
    assert outcome == (0, 0, [], 0, ())
    assert not os.listdir(folder / "dst")


MOUNTS = """\
21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw
22 21 0:21 / /tmp rw,nosuid - tmpfs tmpfs rw
23 21 0:22 / /smb rw shared:2 master:3 - cifs //server/share rw,vers=3.1.1
24 21 0:23 / /nfs rw - nfs4 server:/export rw
25 21 0:24 / /sshfs rw - fuse.sshfs user@server:/home rw
26 21 0:25 / /merger rw - fuse.mergerfs a:b rw
27 21 0:26 / /9p rw - 9p tag rw
28 21 0:27 / /btrfs rw - btrfs /dev/sdb rw
29 21 0:28 / /new rw - futurefs server:/export rw
30 21 0:29 / /with\\040blank rw - smb3 //server/other\\040share rw
"""


@pytest.mark.parametrize(
    ("device", "kind"),
    [
        ((8, 1), ""),
        ((0, 21), ""),
        ((0, 22), "cifs"),
        ((0, 23), "nfs4"),
        ((0, 24), "fuse.sshfs"),
        ((0, 25), "fuse.mergerfs"),
        ((0, 26), "9p"),
        ((0, 27), ""),
        ((0, 28), "futurefs"),
        ((0, 29), "smb3"),
        ((0, 99), ""),
    ],
)
def test_share(
    device: tuple[int, int], kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share is known by the list of mounts; no request is sent to find out."""
    if not hasattr(os, "major"):
        pytest.skip("no device numbers here")
    (folder / "mountinfo").write_text(MOUNTS)
    monkeypatch.setattr(targets, "_MOUNTS", str(folder / "mountinfo"))

    class Stat:
        st_dev = os.makedev(*device)

    monkeypatch.setattr(os, "stat", lambda _: Stat())
    found = targets.share("anything")
    monkeypatch.undo()
    assert found == kind


@pytest.mark.parametrize("name", ["missing", "mountinfo"])
def test_share_unknown(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be found out, it is local, and nothing is raised."""
    monkeypatch.setattr(targets, "_MOUNTS", str(folder / name))
    (folder / "mountinfo").write_text("what is\nthis")
    assert not targets.share(folder)
    assert not targets.share("/proc")
    assert not targets.share(folder / "missing")


def test_target(monkeypatch: pytest.MonkeyPatch) -> None:
    """The numbers by target and executor; the caller's come first."""
    found: Callable[..., Any] = targets.target
    for remote in (False, True):
        monkeypatch.setattr(
            targets, "share", lambda path, remote=remote: "nfs4" if remote and path == 1 else ""
        )
        workers, batch = (16, 4) if remote else (targets._local_workers(), 64)  # noqa: SLF001
        for pair in ((0, 1), (1, 0)):
            nfs = remote and pair[1] == 1
            assert found(*pair, workers=None, executor=None) == (workers, batch, remote, nfs)
        assert found(1, 0, workers=7, executor=None) == (7, batch, remote, False)
        with ThreadPoolExecutor(1) as threads, ProcessPoolExecutor(1) as processes:
            assert found(1, 0, workers=None, executor=threads) == (workers, batch, remote, False)
            assert found(1, 0, workers=None, executor=processes) == (16, 256, remote, False)


def refuse(*_: Any, **__: Any) -> None:
    """A call that a share refuses."""
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("metadata", ["strict", "best-effort"])
def test_directories_best_effort(
    metadata: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metadata of directories that is refused is an error, as in shutil, or none."""
    for name in ("src", "src/a", "src/b"):
        (folder / name).mkdir()
    monkeypatch.setattr(os, "utime", refuse)
    src, dst = str(folder / "src"), str(folder / "dst")
    if metadata == "best-effort":
        assert copytree(src, dst, metadata=metadata) == dst
        return
    with pytest.raises(shutil.Error) as ours:
        copytree(src, dst, metadata=metadata)
    shutil.rmtree(dst)
    with pytest.raises(shutil.Error) as theirs:
        shutil.copytree(src, dst)
    assert [(os.fspath(error[0]), *error[1:]) for error in theirs.value.args[0]] == list(
        ours.value.args[0]
    )


class Refused(Exception):  # noqa: N818
    """What the audit hook raises."""


refused: list[tuple[str, str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if refused and event.startswith("shutil.") and (event, str(arguments[0])) in refused:
        raise Refused


getattr(sys, "addaudithook", lambda _: None)(_hook)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("event", "name", "kept"),
    [
        ("shutil.copytree", "src", None),
        ("shutil.copytree", "src/sub", "sub"),
        ("shutil.copyfile", "src/sub/b", "sub/b"),
        ("shutil.copymode", "src/sub/b", "sub/b"),
        ("shutil.copystat", "src/sub", ""),
    ],
)
def test_audit_hook_refuses(
    event: str, name: str, kept: Optional[str], workers: int, folder: Path
) -> None:
    """What a hook refuses is not done, and ends the copy."""
    (folder / "src" / "sub").mkdir(parents=True)
    (folder / "src" / "a").touch()
    (folder / "src" / "sub" / "b").touch()
    refused.append((event, str(folder / name)))
    try:
        with pytest.raises(Refused):
            copytree(folder / "src", folder / "dst", copy_function=copy, workers=workers)
    finally:
        refused.clear()
    native = _engine.has_native(_copyfile.Options(metadata="mode"))
    if kept != "" and (native or event != "shutil.copymode"):  # shutil copies the data before that
        assert not (folder / "dst" / (kept or "")).exists()
