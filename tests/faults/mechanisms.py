"""The mechanisms, a row each, and what the policy makes of their errnos.

A mechanism's row in the native table has one in :data:`TABLES`; tests/package/test_native.py
compares both. The tests of a row are made from it, where the platform has the mechanism.
"""

from __future__ import annotations

import errno
import sys
from enum import Enum
from itertools import product, takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

import pytest
from support.interpose import Rule, fail, on_nfs, on_smb, short, slow

from speedcopy import _loader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The native table; empty where there is none.
NATIVE = _loader.native.MECHANISMS if _loader.native else ()

FICLONE = "FICLONE"
COPYCHUNK = "CIFS_IOC_COPYCHUNK_FILE"
COPY_FILE_RANGE = "copy_file_range"
SENDFILE = "sendfile"
READ_WRITE = "read/write"

#: What Transfer.declined says of a call that succeeded and moved nothing.
NO_DATA = "no data"


class Kind(Enum):
    """What a mechanism moves in one call, and so which errnos end the copy."""

    WHOLE_FILE = "all: any errno declines it"
    ROUNDS = "some: any errno declines it, but a full disk only before anything was moved"
    LAST = "some: no errno declines it"


class Mechanism(NamedTuple):
    """One row.

    ``call`` is the interposer's name of the system call, "" where there is no interposer;
    ``refusal`` the errno with which the tests reach the rows behind it; ``errnos`` are those that
    it may return and that are not in :data:`COMMON`. ``shares`` tells that it may share extents.
    A row with ``smb`` is asked on SMB only, and if it has declined, those named are not asked.
    ``ends`` are the errnos that end the copy, by system call, in the last row.
    """

    name: str
    call: str
    kind: Kind
    refusal: str = "EOPNOTSUPP"
    errnos: str = ""
    shares: bool = False
    smb: tuple[str, ...] = ()
    ends: Mapping[str, str] = {}


#: The errnos that each mechanism but the last is tried with.
COMMON = (
    "EOPNOTSUPP ENOTTY ENOSYS EXDEV EINVAL EBADF ETXTBSY EPERM EACCES "
    "EIO ENOENT EBUSY EAGAIN ENODATA EROFS ENOMEM ESTALE EOVERFLOW EFBIG"
)
FULL = "ENOSPC EDQUOT"

_LAST = Mechanism(
    READ_WRITE,
    "write",
    Kind.LAST,
    ends={
        "read": "EIO ENOMEM EBADF EINVAL EACCES ESTALE EOVERFLOW ENODATA",
        "write": "ENOSPC EDQUOT EIO EFBIG EPERM EROFS ENOMEM ESTALE EBADF EACCES",
    },
)

#: By platform, fastest first.
TABLES = {
    "linux": (
        Mechanism(FICLONE, FICLONE, Kind.WHOLE_FILE, shares=True),
        Mechanism(COPYCHUNK, COPYCHUNK, Kind.WHOLE_FILE, shares=True, smb=(COPY_FILE_RANGE,)),
        Mechanism(COPY_FILE_RANGE, COPY_FILE_RANGE, Kind.ROUNDS, "EXDEV", "EISDIR", shares=True),
        Mechanism(SENDFILE, SENDFILE, Kind.ROUNDS, "EINVAL"),
        _LAST,
    ),
    "darwin": (
        Mechanism("fclonefileat", "", Kind.WHOLE_FILE, shares=True),
        Mechanism("__copyfile", "", Kind.WHOLE_FILE, shares=True),
        _LAST,
    ),
    "freebsd": (
        Mechanism(COPY_FILE_RANGE, COPY_FILE_RANGE, Kind.ROUNDS, "EXDEV", shares=True),
        _LAST,
    ),
    "win32": (Mechanism("CopyFile2", "", Kind.WHOLE_FILE, shares=True),),
}

#: The rows of this platform; without a table of its own it has to have the last row only.
EXPECTED = TABLES.get(sys.platform) or TABLES.get(sys.platform.rstrip("0123456789"), (_LAST,))

#: What is to be done about rows of the native table that are not here; "" if there are none.
MISSING = "".join(
    f"tests/faults/mechanisms.py has no row for {name}. "
    for name in NATIVE
    if name not in [row.name for row in EXPECTED]
)

#: The mechanisms that may share extents.
SHARING = {row.name for row in EXPECTED if row.shares}

#: Those that never do.
NOT_SHARING = {row.name for row in EXPECTED if not row.shares}

#: Those that are built in and that the interposer reaches.
ROWS = {row.name: row for row in EXPECTED if row.call and row.name in NATIVE}

#: By mechanism in rounds: the call that moves the bytes.
MOVING = {row.name: row.call for row in ROWS.values() if row.kind is not Kind.WHOLE_FILE}

#: The fastest of them.
FASTEST = next(iter(MOVING), "")

#: By system call that moves bytes: its mechanism.
MOVED_BY = {"read": READ_WRITE, **{row.call: row.name for row in ROWS.values()}}

#: The calls that only mechanisms of other platforms make.
_ABSENT = {row.call for table in TABLES.values() for row in table} - {
    row.call for row in ROWS.values()
}


def require(*mechanisms: str) -> None:
    """Leaves out a module about mechanisms that this platform has not got."""
    missing = [name for name in mechanisms if name not in ROWS]
    if missing:
        pytest.skip(f"no {missing[0]} on this platform", allow_module_level=True)


def runnable(table: Mapping[str, tuple[Rule, ...]]) -> list[Any]:
    """The names in a table of rules, for pytest; those about other platforms' calls are skipped."""
    absent = {name: [rule.call for rule in table[name] if rule.call in _ABSENT] for name in table}
    return [
        pytest.param(name, marks=[_skip(f"no {call} on this platform") for call in calls[:1]])
        for name, calls in absent.items()
    ]


def some(cases: Iterable[Any], what: str) -> list[Any]:
    """The cases of a test; if there are none, one that is skipped because there is no ``what``."""
    return [*cases] or [pytest.param(None, marks=_skip(f"no {what} on this platform"))]


def _skip(reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skip(reason=reason)


def before(mechanism: str) -> list[Mechanism]:
    """The rows that are asked first, on a disk."""
    return [
        row for row in takewhile(lambda row: row.name != mechanism, ROWS.values()) if not row.smb
    ]


def reaching(mechanism: str) -> tuple[Rule, ...]:
    """Rules with which ``mechanism`` is the first that can move the bytes."""
    refused = [fail(row.call, getattr(errno, row.refusal)) for row in before(mechanism)]
    return (*refused, *(on_smb() if ROWS[mechanism].smb else ()))


def declined_before(mechanism: str) -> dict[str, str]:
    """What Transfer.declined holds when :func:`reaching` got there."""
    return {row.name: row.refusal for row in before(mechanism)}


def following(mechanism: str) -> str:
    """The row that goes on where ``mechanism`` has declined."""
    names = list(ROWS)
    behind = names[names.index(mechanism) + 1 :]
    return next(name for name in behind if not ROWS[name].smb and name not in ROWS[mechanism].smb)


def slow_disk(bytes_per_second: int, mechanism: str = FASTEST, cached: int = 0) -> tuple[Rule, ...]:
    """What is written to so fast, by ``mechanism``, after so many calls; clones nothing.

    As on NFS: the target may be a share, where a copy that took it for a disk would leave all that
    it has written to close.
    """
    slowly = slow(MOVING[mechanism], bytes_per_second, where="dst", skip=cached)
    return (slowly, *reaching(mechanism), *on_nfs())


def full_disk() -> list[Rule]:
    """Rules with which no mechanism in rounds finds room."""
    return [fail(call, errno.ENOSPC) for call in MOVING.values()]


class Answer(NamedTuple):
    """A call of a mechanism that does not move what it was asked to.

    ``progress`` is how many bytes have been moved before: in an earlier call, or, where there
    is only one, by the call that fails.
    """

    mechanism: str
    call: str
    answer: str
    progress: int

    @property
    def code(self) -> Optional[int]:
        """The errno, None for NO_DATA."""
        return None if self.answer == NO_DATA else getattr(errno, self.answer)

    def rules(self) -> tuple[Rule, ...]:
        """What has to happen to the calls of a copy."""
        how = Rule(self.call, "fail" if self.code else "nothing", self.code or 0)
        earlier = [short(self.call, self.progress, times=1)] if self.progress else []
        if self.progress and ROWS[self.mechanism].kind is Kind.WHOLE_FILE:
            how, earlier = how._replace(action="late", amount=self.progress), []
        return (*earlier, how, *reaching(self.mechanism))

    def __str__(self) -> str:
        """An id for pytest."""
        return f"{self.call}-{self.answer}-{self.progress}"


#: Odd, less than a block.
PROGRESS = 1001


def _declining(row: Mechanism) -> Iterator[tuple[str, int]]:
    """The answers that decline a mechanism, and the bytes that it has moved before."""
    if row.kind is not Kind.LAST:
        yield from product([*COMMON.split(), *row.errnos.split()], (0, PROGRESS))
        yield from product(FULL.split(), (0, PROGRESS) if row.kind is Kind.WHOLE_FILE else (0,))
    if row.kind is Kind.ROUNDS:
        yield from product([NO_DATA], (0, PROGRESS))


def _ending(row: Mechanism) -> Iterator[tuple[str, str, int]]:
    """The calls whose errnos end the copy, and the bytes that it has moved before."""
    if row.kind is Kind.ROUNDS:
        yield from product([row.call], FULL.split(), [PROGRESS])
    for call, errnos in row.ends.items():
        yield from product([call], errnos.split(), (0, PROGRESS))


#: The next row goes on from where this one stood.
DECLINING = [Answer(row.name, row.call, *case) for row in ROWS.values() for case in _declining(row)]

#: The copy has failed.
ENDING = [Answer(row.name, *case) for row in ROWS.values() for case in _ending(row)]
