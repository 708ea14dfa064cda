"""The policy as data: which errno of which call means what.

The errnos of a mechanism are those that the comments in ``native/posix/linux.c`` name (a test
compares them) and those that the rule of ``native/posix/table.c`` decides without naming them.
"""

from __future__ import annotations

import errno
from typing import NamedTuple, Optional

from support.interpose import Rule, fail, late, nothing, on_smb, short

#: What Transfer.declined says of a call that succeeded and moved nothing.
NO_DATA = "no data"

FICLONE = "FICLONE"
COPYCHUNK = "CIFS_IOC_COPYCHUNK_FILE"
COPY_FILE_RANGE = "copy_file_range"
SENDFILE = "sendfile"
READ_WRITE = "read/write"

#: By mechanism: the row that goes on where it has declined.
NEXT = {
    FICLONE: COPY_FILE_RANGE,
    COPYCHUNK: SENDFILE,
    COPY_FILE_RANGE: SENDFILE,
    SENDFILE: READ_WRITE,
}

_UNSUPPORTED = "EOPNOTSUPP ENOTTY ENOSYS EXDEV EINVAL EBADF ETXTBSY EPERM EACCES"
_SERVER = "EIO ENOENT EBUSY EAGAIN ENODATA"
_BAD_LUCK = "EROFS ENOMEM ESTALE EOVERFLOW EFBIG"

_FULL = "ENOSPC EDQUOT"

#: The next row goes on from where this one stood.
DECLINED = {
    FICLONE: f"{_UNSUPPORTED} {_SERVER} {_BAD_LUCK} {_FULL}",
    COPYCHUNK: f"{_UNSUPPORTED} {_SERVER} {_BAD_LUCK} {_FULL}",
    COPY_FILE_RANGE: f"{_UNSUPPORTED} {_SERVER} {_BAD_LUCK} EISDIR",
    SENDFILE: f"{_UNSUPPORTED} {_SERVER} {_BAD_LUCK}",
}

#: The copy has failed; or, of these two mechanisms, only if they have moved something before.
FINAL = {
    COPY_FILE_RANGE: _FULL,
    SENDFILE: _FULL,
    "read": "EIO ENOMEM EBADF EINVAL EACCES ESTALE EOVERFLOW ENODATA",
    "write": "ENOSPC EDQUOT EIO EFBIG EPERM EROFS ENOMEM ESTALE EBADF EACCES",
}

#: What makes a mechanism the first that can; FICLONE always is asked.
_BEFORE: dict[str, tuple[Rule, ...]] = {
    FICLONE: (),
    COPYCHUNK: (),
    COPY_FILE_RANGE: (),
    SENDFILE: (fail(COPY_FILE_RANGE, errno.EXDEV),),
    READ_WRITE: (fail(COPY_FILE_RANGE, errno.EXDEV), fail(SENDFILE, errno.EINVAL)),
}

_DECLINED_BEFORE = {
    FICLONE: {},
    COPYCHUNK: {FICLONE: "EOPNOTSUPP"},
    COPY_FILE_RANGE: {FICLONE: "EOPNOTSUPP"},
    SENDFILE: {FICLONE: "EOPNOTSUPP", COPY_FILE_RANGE: "EXDEV"},
    READ_WRITE: {FICLONE: "EOPNOTSUPP", COPY_FILE_RANGE: "EXDEV", SENDFILE: "EINVAL"},
}


def reaching(mechanism: str) -> tuple[Rule, ...]:
    """Rules with which ``mechanism`` is the first that can move the bytes."""
    return (*_BEFORE[mechanism], *(on_smb() if mechanism == COPYCHUNK else ()))


def declined_before(mechanism: str) -> dict[str, str]:
    """What Transfer.declined holds when :func:`reaching` got there."""
    return dict(_DECLINED_BEFORE[mechanism])


class Row(NamedTuple):
    """One row of the policy.

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
        before = reaching(self.mechanism)
        if self.code is None:
            return (*self._earlier(), nothing(self.call), *before)
        if self.progress and self.call in (FICLONE, COPYCHUNK):
            return (late(self.call, self.code, self.progress), *before)
        return (*self._earlier(), fail(self.call, self.code), *before)

    def _earlier(self) -> tuple[Rule, ...]:
        return (short(self.call, self.progress, times=1),) if self.progress else ()

    def __str__(self) -> str:
        """An id for pytest."""
        return f"{self.call}-{self.answer}-{self.progress}"


#: Odd, less than a block.
PROGRESS = 1001


def _rows(table: dict[str, str]) -> list[Row]:
    return [
        Row(call if call in NEXT else READ_WRITE, call, answer, progress)
        for call, answers in table.items()
        for answer in answers.split()
        for progress in (0, PROGRESS)
    ]


DECLINED_ROWS = [
    *_rows(DECLINED),
    *(
        Row(call, call, answer, 0)
        for call in (COPY_FILE_RANGE, SENDFILE)
        for answer in _FULL.split()
    ),
    *(
        Row(call, call, NO_DATA, progress)
        for call in (COPY_FILE_RANGE, SENDFILE)
        for progress in (0, PROGRESS)
    ),
]

FINAL_ROWS = [row for row in _rows(FINAL) if row.progress or row.mechanism == READ_WRITE]
