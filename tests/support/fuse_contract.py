"""The contract on FUSE mounts: copies by speedcopy and by shutil are compared.

Each copy has its own folder. What is compared is the content of the backing store, not what the
client has cached. Where shutil fails, or loses data without an error, ours may succeed instead.
With SPEEDCOPY_DISABLE in the environment shutil is compared with itself: no difference is found.
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Callable, Optional

from support.failure import Failure
from support.layout import make_sparse, pattern
from support.process_limits import patience

import speedcopy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from support.fuse_mounts import FuseMounts, Mount

STDLIB = shutil.copyfile

#: How long to wait for a store that gets content after the close. Seconds.
LATE = 10

#: What dst is before the copy, by the size of src: its size, or None for no file.
STATES: dict[str, Callable[[int], Optional[int]]] = {
    "new": lambda _: None,
    "over empty": lambda _: 0,
    "over shorter": lambda size: size // 2,
    "over equal": lambda size: size,
    "over longer": lambda size: 3 * size + 5000,
}

#: By role of the mount in a copy (dst, src or both are on it): the states of dst to test.
ROLES = {
    "to": tuple(STATES),
    "from": ("new", "over longer"),
    "within": ("new", "over equal", "over longer"),
}


@dataclass(frozen=True)
class Copy:
    """A src and a dst. ``holes`` is whether src is sparse."""

    size: int
    before: Optional[int] = None
    holes: bool = False
    id: str = ""

    def source(self) -> bytes:
        """The content of src."""
        if not self.holes:
            return pattern(self.size)
        content = bytearray(self.size)
        for start in self.data_at():
            content[start : start + 5] = pattern(5)
        return bytes(content)

    def data_at(self) -> tuple[int, int]:
        """Where a sparse src has 5 bytes of data."""
        return self.size // 3, self.size - 5

    def target(self) -> bytes:
        """The content of dst before the copy."""
        return pattern(self.before or 0, "dst")


def copies(role: str, sizes: Iterable[int], *, holes: int = 0) -> list[Copy]:
    """Each size over each dst of a role, and a sparse src of ``holes`` bytes, if any, too."""
    rows = [(size, False) for size in sizes]
    rows += [(holes, True)] if holes else []
    found = {
        (size, STATES[state](size), sparse): f"{'holes in ' if sparse else ''}{size} {state}"
        for size, sparse in rows
        for state in ROLES[role]
    }
    return [Copy(*key, name) for key, name in found.items()]


def by_transfer(**options: Any) -> Callable[[Path, Path], object]:
    """transfer() with options."""
    return lambda src, dst: speedcopy.transfer(src, dst, **options)


def with_progress(src: Path, dst: Path) -> object:
    """A copy with a callback."""
    return speedcopy.copyfile(src, dst, progress=lambda _copied, _total: None)


EXECUTORS: dict[str, Callable[[Path, Path], object]] = {
    "copyfile": speedcopy.copyfile,
    'reflink="never"': by_transfer(reflink="never"),
    "sparse=False": by_transfer(sparse=False),
    "progress": with_progress,
}

#: The executors for tests that need not try them all.
BRIEFLY = ("copyfile", 'reflink="never"')


@dataclass(frozen=True)
class Left:
    """What a copy has left: its exception, and what the store has.

    Names in exceptions are compared by their last part, as the folders differ.
    """

    failure: Optional[Failure]
    names: tuple[str, ...]
    dst: Optional[bytes] = field(repr=False)
    size: int = -1


def last_part(name: object) -> object:
    """A name without its folder."""
    return name if name is None else os.path.basename(os.fspath(name))  # type: ignore[call-overload]


def told(failure: Failure) -> str:
    """An exception in words, without the names."""
    cause = f" from {failure.cause.__name__}" if failure.cause else ""
    return f"{failure.kind.__name__} {failure.errno} {failure.strerror}{cause}"


def named(failure: Failure) -> tuple[object, object]:
    """The names that an exception has."""
    return last_part(failure.filename), last_part(failure.filename2)


def faults(copy: Copy, theirs: Left, ours: Left) -> Iterator[str]:
    """What is wrong with our copy, beside shutil's."""
    truth = copy.source()
    if not ours.failure:
        is_right = (ours.dst, ours.names) == (truth, ("dst",))
        is_theirs = not theirs.failure and (ours.dst, ours.names) == (theirs.dst, theirs.names)
        if not is_right and not is_theirs:
            yield f"reported success, the store has {ours.size} bytes in {ours.names}"
        return
    if not theirs.failure:
        yield f"failed: {told(ours.failure)}"
        return
    if told(ours.failure) != told(theirs.failure):
        yield f"failed: {told(ours.failure)}; shutil: {told(theirs.failure)}"
    if named(ours.failure) not in (named(theirs.failure), ("src", "dst")):
        yield f"failed, names {named(ours.failure)}; shutil: {named(theirs.failure)}"
    if copy.before is None:
        if ours.names and not speedcopy.SPEEDCOPY_DISABLE:  # shutil leaves it
            yield "failed and left a new file"
    elif ours.dst not in (theirs.dst, copy.target()) and not (
        ours.dst is not None and truth.startswith(ours.dst)
    ):
        yield f"failed and left neither old nor new: {ours.size} bytes"


@dataclass
class Comparisons:
    """How many copies were compared, and what was wrong with which.

    ``failed`` is how often shutil raised, ``lost`` how often it reported success and the store had
    something else, ``lost_too`` how often ours did the same.
    """

    copies: int = 0
    wrong: int = 0
    failed: int = 0
    lost: int = 0
    lost_too: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)

    def lines(self) -> str:
        """The faults, each with the copies that have it."""
        return "\n".join(f"{what}: {', '.join(which)}" for what, which in self.faults.items())


class Places:
    """Fresh folders for src and for dst, each as the client and as the store has it."""

    _numbers = itertools.count()

    def __init__(self, mount: Mount, local: Path) -> None:
        """``local`` is a folder of a plain file system."""
        self._mount = mount
        self._local = local

    def _folders(self, role: str) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
        name = str(next(self._numbers))
        mounted, plain = self._mount.fresh(name), self._local / name
        if role == "within":
            return mounted, mounted
        plain.mkdir()
        return ((plain, plain), mounted) if role == "to" else (mounted, (plain, plain))

    def run(
        self,
        copy: Copy,
        role: str,
        executor: Callable[[Path, Path], object],
        before: Callable[[Path, Path], object],
    ) -> Left:
        """Makes the files, calls ``before`` with both paths of dst, copies, returns the result."""
        (src, src_store), (dst, dst_store) = self._folders(role)
        write(src_store / "src", copy)
        if copy.before is not None:
            (dst_store / "dst").write_bytes(copy.target())
        with self._mount.mounted(src_store if role == "from" else dst_store):
            before(dst / "dst", dst_store / "dst")
            failure = None
            with patience():
                try:
                    executor(src / "src", dst / "dst")
                except Exception as error:  # noqa: BLE001
                    failure = Failure.of(error)
            seen = self._look(copy, dst_store, failure)
        for folder in {src_store, dst_store}:
            shutil.rmtree(folder, ignore_errors=True)  # rclone may still be writing there
        return seen

    def _look(self, copy: Copy, folder: Path, failure: Optional[Failure]) -> Left:
        truth, path = copy.source(), folder / "dst"
        deadline = time.monotonic() + (LATE if self._mount.is_late and not failure else 0)
        while True:
            found = path.read_bytes() if path.exists() else None
            if found == truth or time.monotonic() >= deadline:
                break
            time.sleep(0.002)
        names = tuple(sorted({*os.listdir(folder)} - {"src"}))
        return Left(failure, names, found, -1 if found is None else len(found))


def write(path: Path, copy: Copy) -> None:
    """Makes src."""
    if copy.holes:
        make_sparse(path, copy.size, *copy.data_at())
    else:
        path.write_bytes(copy.source())


def learn(dst: Path, _store: Path) -> None:
    """Has the client cache the attributes of dst."""
    with suppress(OSError):
        os.stat(dst)


def compare(
    fuse: FuseMounts,
    mount: str,
    role: str,
    table: Iterable[Copy],
    before: Callable[[Path, Path], object] = learn,
    executors: Iterable[str] = BRIEFLY,
) -> None:
    """Makes each copy by shutil and by ours, and fails if one of ours is worse."""
    started, counts = time.monotonic(), Comparisons()
    places = Places(fuse[mount], fuse.plain())
    for copy in table:
        theirs = places.run(copy, role, STDLIB, before)
        for executor in executors:
            ours = places.run(copy, role, EXECUTORS[executor], before)
            wrong = next(faults(copy, theirs, ours), "")
            lost = not theirs.failure and theirs.dst != copy.source()
            counts.copies += 1
            counts.failed += bool(theirs.failure)
            counts.lost += lost
            counts.lost_too += lost and ours.dst == theirs.dst
            if wrong:
                counts.wrong += 1
                counts.faults.setdefault(wrong, []).append(f"{executor} {copy.id}")
    fuse.ledger.note(mount, counts, started)
    assert not counts.wrong, counts.lines()
