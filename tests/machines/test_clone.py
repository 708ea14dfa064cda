"""The row that clones: what it makes, when it declines, and what it leaves behind."""

from __future__ import annotations

import os
import tempfile
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Callable, Optional

import pytest
from machines import darwin
from machines.copies import CLONE, QUARANTINE, READ_WRITE, Copies
from machines.script import Rule, before, fail
from machines.volume import Volume
from support.process_limits import limit, umask

import speedcopy

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

ERRNOS = (
    *("EPERM", "EACCES", "ENOTSUP", "EXDEV", "EINVAL"),
    *("EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE"),
)

LONG_AGO = 86_400 * 10**9

#: The calls from the clone on, in order, with their place among those of the same name: after
#: opening both files in a folder named by an absolute path.
STEPS = (
    ("fclonefileat", 0),
    ("openat", 2),
    ("fsetattrlist", 0),
    ("flistxattr", 0),
    ("fremovexattr", 0),
    ("fstat", 2),
    ("fstatat", 1),
    ("renameat", 0),
)


def volume(copies: Copies) -> Volume:
    """The volume of the folder."""
    return Volume(copies.script)


def dress(copies: Copies, mode: int, flags: int = 0) -> None:
    """Gives src all that a plain copy does not have."""
    os.setxattr(copies.src, "user.com.apple.metadata:_kMDItemUserTags", b"red")
    os.setxattr(copies.src, QUARANTINE, b"0081;00000000;Safari;")
    volume(copies).set_flags(os.fsencode(copies.src), flags)
    volume(copies).set_born(os.fsencode(copies.src), LONG_AGO)
    os.utime(copies.src, ns=(LONG_AGO, LONG_AGO))
    copies.src.chmod(mode)


def is_plain(copies: Copies, mode: int) -> None:
    """Checks that dst is what a plain copy makes."""
    st = copies.dst.stat()
    name = os.fsencode(copies.dst)
    assert oct(st.st_mode) == oct(0o100000 | mode)
    assert abs(time.time() - st.st_mtime) < 60
    assert abs(time.time_ns() - volume(copies).born(st)) < 60 * 10**9
    assert volume(copies).flags(name) == 0
    assert volume(copies).names(name) == ["com.apple.quarantine"]
    assert os.getxattr(copies.dst, QUARANTINE) == b"0081;00000000;Safari;"


@pytest.mark.parametrize("mode", [0o644, 0o444, 0o755, 0o4711, 0o400])
@pytest.mark.parametrize("flags", [0, darwin.UF_HIDDEN])
def test_is_plain(copies: Copies, mode: int, flags: int) -> None:
    """Nothing of src is on the clone but its data and the quarantine."""
    copies.make()
    dress(copies, mode, flags)
    with umask(0o22):
        outcome = copies.copy()
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (CLONE, {})
    is_plain(copies, 0o644)
    assert "write" not in outcome.calls


@pytest.mark.parametrize("mask", [0, 0o22, 0o27, 0o77])
def test_mode_of_a_new_file(copies: Copies, mask: int) -> None:
    """The umask decides, and no clone is readable for more, not even for a moment."""
    copies.make()
    dress(copies, 0o644)
    with umask(mask):
        outcome = copies.copy()
    copies.check_copied(outcome)
    is_plain(copies, 0o666 & ~mask)
    too_open = bool(0o644 & mask & 0o66)
    assert outcome.declined == ({CLONE: "EACCES"} if too_open else {})


def locked(flags: int, copies: Copies) -> None:
    """Sets flags of src."""
    volume(copies).set_flags(os.fsencode(copies.src), flags)


REFUSED: dict[str, tuple[str, Callable[[Copies], object]]] = {
    "locked": ("EPERM", partial(locked, darwin.UF_IMMUTABLE)),
    "compressed": ("EPERM", partial(locked, darwin.UF_COMPRESSED)),
    "dataless": ("EPERM", partial(locked, 0x40000000)),
    "unreadable for its owner": ("EACCES", lambda copies: copies.src.chmod(0o44)),
}


@pytest.mark.parametrize("why", REFUSED)
def test_refused_before(copies: Copies, why: str) -> None:
    """No file is made where the clone could not be made plain."""
    errno, prepare = REFUSED[why]
    prepare(copies.make())
    outcome = copies.copy()
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (READ_WRITE, {CLONE: errno})
    assert CLONE not in outcome.calls


def test_volume_without_clones(copies: Copies) -> None:
    """The volume's capabilities say so, and its directory is not asked for a name."""
    copies.make()
    outcome = copies.copy(clones=False)
    copies.check_copied(outcome)
    assert outcome.declined in ({CLONE: "EOPNOTSUPP"}, {CLONE: "ENOTSUP"})
    assert CLONE not in outcome.calls


def test_capabilities_unknown(copies: Copies) -> None:
    """Where they cannot be asked for, the clone is tried."""
    copies.make()
    outcome = copies.copy(fail("fgetattrlist", "EINVAL"))
    copies.check_copied(outcome)
    assert outcome.mechanism == CLONE


def test_other_volume(copies: Copies) -> None:
    """No clone from one volume to another."""
    copies.make()
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if os.stat(other).st_dev == copies.folder.stat().st_dev:
            pytest.skip("one file system only")
        copies.script.set()
        result = speedcopy.transfer(copies.src, os.path.join(other, "dst"))
        assert os.listdir(other) == ["dst"]
        with open(os.path.join(other, "dst"), "rb") as copied:
            assert copied.read() == copies.content
    assert (result.mechanism, result.declined) == (READ_WRITE, {CLONE: "EXDEV"})
    assert CLONE not in copies.script.calls


def test_existing_dst(copies: Copies) -> None:
    """It keeps its inode, its mode, its attributes and its other name."""
    copies.make(old=20_000)
    copies.dst.chmod(0o600)
    os.setxattr(copies.dst, "user.mine", b"1")
    os.link(copies.dst, copies.folder.parent / "other")
    before_copy = copies.dst.stat()
    outcome = copies.copy()
    copies.check_copied(outcome)
    (copies.folder.parent / "other").unlink()
    after = copies.dst.stat()
    assert (outcome.mechanism, outcome.declined) == (READ_WRITE, {})
    assert (after.st_ino, after.st_mode) == (before_copy.st_ino, before_copy.st_mode)
    assert os.getxattr(copies.dst, "user.mine") == b"1"


@pytest.mark.parametrize(
    ("options", "old"), [({"reflink": "never"}, None), ({"sparse": False}, None)]
)
def test_not_wanted(copies: Copies, options: dict[str, Any], old: Optional[int]) -> None:
    """A caller may ask for no clone."""
    copies.make(old=old)
    outcome = copies.copy(**options)
    copies.check_copied(outcome)
    assert (outcome.mechanism, outcome.declined) == (READ_WRITE, {})


@pytest.mark.parametrize("old", [None, 0, 9], ids=["new", "empty", "existing"])
def test_always(copies: Copies, old: Optional[int]) -> None:
    """reflink="always" clones, or leaves what was there."""
    copies.make(old=old)
    outcome = copies.copy(reflink="always")
    if old is None:
        copies.check_copied(outcome)
        assert outcome.mechanism == CLONE
    else:
        assert isinstance(outcome.error, OSError)
        assert copies.dst.read_bytes() == copies.old


def test_limit(copies: Copies) -> None:
    """A clone larger than the limit for files fails as a plain copy does."""
    copies.make(50_000)
    limited: AbstractContextManager[object] = limit("RLIMIT_FSIZE", 20_000)
    with limited:
        outcome = copies.copy()
    copies.check_failed(outcome)
    assert CLONE not in outcome.calls


@pytest.mark.parametrize(
    "errno",
    ["EPERM", "EACCES", "ENOTSUP", "EXDEV", "EIO", "ENOSPC", "EDQUOT", "EROFS", "ESTALE", "EINVAL"],
)
@pytest.mark.parametrize("step", STEPS, ids=[name for name, _ in STEPS])
def test_step_fails(copies: Copies, step: tuple[str, int], errno: str) -> None:
    """Whatever fails: read and write copy, and the temporary name is gone."""
    copies.make()
    dress(copies, 0o644)
    name, skip = step
    outcome = copies.copy(fail(name, errno, skip=skip, times=1))
    copies.check_copied(outcome)
    assert outcome.mechanism == READ_WRITE
    assert list(outcome.declined) == [CLONE]
    is_plain(copies, copies.dst.stat().st_mode & 0o777)


@pytest.mark.parametrize("step", STEPS, ids=[name for name, _ in STEPS])
def test_step_interrupted(copies: Copies, step: tuple[str, int]) -> None:
    """A signal does not end the copy."""
    copies.make()
    dress(copies, 0o644)
    name, skip = step
    outcome = copies.copy(fail(name, "EINTR", skip=skip, times=1))
    copies.check_copied(outcome)
    assert outcome.mechanism == CLONE


def test_clean_up_interrupted(copies: Copies) -> None:
    """The temporary name goes even if signals interrupt its removal."""
    copies.make()
    rules = (fail("renameat", "EACCES"), fail("unlinkat", "EINTR", times=3))
    outcome = copies.copy(*rules)
    copies.check_copied(outcome)
    assert outcome.calls.count("unlinkat") == 4


def test_name_is_taken(copies: Copies) -> None:
    """What has the temporary name is not ours, and stays."""
    copies.make()
    outcome = copies.copy(fail("fclonefileat", "EEXIST"))
    copies.check_copied(outcome)
    assert outcome.declined == {CLONE: "EEXIST"}
    assert "unlinkat" not in outcome.calls


@pytest.mark.parametrize("call", ["fclonefileat", "fsetattrlist"])
def test_replaced_meanwhile(copies: Copies, call: str) -> None:
    """Another program has put its file in the place of dst: that file stays as it is."""

    def replace() -> None:
        (copies.folder / "new").write_bytes(b"a stranger's")
        (copies.folder / "new").rename(copies.dst)

    copies.make()
    outcome = copies.copy(before(call, replace))
    assert outcome.declined == {CLONE: "EEXIST"}
    assert copies.dst.read_bytes() == b"a stranger's"


def test_link_in_the_place_of_the_clone(copies: Copies) -> None:
    """Another program has put a link under the temporary name: what it leads to stays as it is."""
    copies.make()
    victim = copies.folder.parent / "victim"
    victim.write_bytes(b"a stranger's")
    victim.chmod(0o604)

    def replace() -> None:
        (name,) = set(os.listdir(copies.folder)) - {"src", "dst"}
        (copies.folder / name).unlink()
        (copies.folder / name).symlink_to(victim)

    outcome = copies.copy(before("openat", replace, skip=2))
    copies.check_copied(outcome)
    assert outcome.declined == {CLONE: "ELOOP"}
    assert (victim.read_bytes(), victim.stat().st_mode & 0o777) == (b"a stranger's", 0o604)
    victim.unlink()


def test_removed_meanwhile(copies: Copies) -> None:
    """Another program has removed dst: its name is not made again."""
    copies.make()
    outcome = copies.copy(before("fsetattrlist", copies.dst.unlink))
    assert outcome.declined == {CLONE: "ENOENT"}
    assert not copies.dst.exists()


def test_mode_changed_meanwhile(copies: Copies) -> None:
    """A volume that does not set what it shall set is not trusted."""
    copies.make()
    dress(copies, 0o640)
    rules: tuple[Rule, ...] = (Rule("fsetattrlist", "nothing"),)
    outcome = copies.copy(*rules)
    copies.check_copied(outcome)
    assert outcome.declined == {CLONE: "EPERM"}


def test_relative_names(copies: Copies, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary name is beside dst, wherever that is."""
    copies.make()
    (copies.folder / "sub").mkdir()
    monkeypatch.chdir(copies.folder / "sub")
    result = speedcopy.transfer("../src", "../dst")
    (copies.folder / "sub").rmdir()
    assert result.mechanism == CLONE
    assert copies.dst.read_bytes() == copies.content


def test_cancelled_at_the_end(copies: Copies) -> None:
    """A callback that raises after a clone: dst is gone."""

    def stop(_copied: int, _total: int) -> None:
        raise KeyError

    copies.make()
    outcome = copies.copy(progress=stop)
    assert isinstance(outcome.error, KeyError)
    assert outcome.calls.count(CLONE) == 1
    copies.check_failed(outcome)
