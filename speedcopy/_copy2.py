"""copy() and copy2(): the data, and the metadata with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional, Union

import speedcopy
from speedcopy import _engine, _loader, _results
from speedcopy._copyfile import Options, check_metadata

if TYPE_CHECKING:
    from speedcopy._native import Directories, Report
    from speedcopy._types import Metadata, Path, PathT, Progress

_native = _loader.native

_DIRECTORY = sum(getattr(os, name, 0) for name in ("O_PATH", "O_DIRECTORY", "O_CLOEXEC"))

_MODE = Options(metadata="mode")
_STRICT = Options(metadata="strict")


def copy(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies data and mode as :func:`shutil.copy` does; returns the file that it has written.

    ``dst`` may be a directory: then it is the file in there that is called as ``src`` is.
    ``progress`` is that of :func:`speedcopy.copyfile`.

    Raises what :func:`shutil.copy` raises.
    """
    options = _MODE
    if progress is not None or not follow_symlinks:
        options = Options(follow_symlinks=follow_symlinks, progress=progress, metadata="mode")
    dst = _file(src, dst)
    _engine.copy(src, dst, options)
    return dst


def copy2(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    metadata: Metadata = "strict",
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies data and metadata as :func:`shutil.copy2` does; returns the file that it has written.

    ``dst`` may be a directory: then it is the file in there that is called as ``src`` is.
    ``progress`` is that of :func:`speedcopy.copyfile`. The access time is the one that ``src`` had
    before it was read.

    ``metadata="strict"`` raises what :func:`shutil.copy2` raises where the file system refuses
    metadata: all data has been copied then, and ``dst`` stays. ``"best-effort"`` copies what it
    can; :func:`speedcopy.transfer` says what it could not. So does ``"times"``, of times and mode
    alone: extended attributes and ACLs cost requests on a share.

    Raises ValueError for another ``metadata``, and what :func:`shutil.copy2` raises.
    """
    options = _STRICT
    if progress is not None or not follow_symlinks or metadata != "strict":
        check_metadata(metadata)
        options = Options(follow_symlinks=follow_symlinks, progress=progress, metadata=metadata)
    dst = _file(src, dst)
    _engine.copy(src, dst, options)
    return dst


def _file(src: Path, dst: PathT) -> PathT:
    """The file that is meant by ``dst``."""
    if not os.path.isdir(dst):
        return dst
    inside: PathT = os.path.join(dst, os.path.basename(src))  # type: ignore[assignment, arg-type]
    return inside


class Copier:
    """Copies regular files as :func:`copy2` does, with as little work per file as possible.

    With ``src_prefix`` and ``dst_prefix``, all names begin with these: two directories, each with a
    separator at the end. They are opened until :meth:`close`. That saves time on a local file
    system, and costs requests on a share. A copier is for one thread. With ``options.src_is_file``
    there is one look less at each file.
    """

    __slots__ = (
        *("_directories", "_dst_length", "_flags", "_open", "_options", "_report", "_src_length"),
        *("_refused", "skip"),
    )

    def __init__(
        self,
        options: Options,
        src_prefix: Union[str, bytes] = "",
        dst_prefix: Union[str, bytes] = "",
    ) -> None:
        self._options = options
        self._flags = options.flags
        self._report: Optional[Report] = None
        self._directories: Optional[Directories] = None
        self._open: list[int] = []
        #: The rows that cannot copy any file between these devices, for Options(skip=...).
        self.skip = 0
        #: By the standard library.
        self._refused: dict[str, str] = {}
        # On Windows the native layer leaves some copies to Python, even those of data alone.
        can = _engine.KEEPS_METADATA and _engine.has_native(options)
        if _native is None or not can or speedcopy.SPEEDCOPY_DEBUG:
            return
        self._report = _native.new_report()
        # The caller knows each file's bytes; with this flag, no server copies in one request.
        self._flags &= ~_native.lib.SC_TELL_END
        if src_prefix and dst_prefix:
            self._src_length = len(os.fsencode(src_prefix))
            self._dst_length = len(os.fsencode(dst_prefix))
            try:
                self._open.append(os.open(src_prefix, _DIRECTORY))
                self._open.append(os.open(dst_prefix, _DIRECTORY))
                self._directories = _native.look_at_directories(*self._open)
            except OSError:
                self.close()

    def close(self) -> None:
        """Closes the directories."""
        while self._open:
            os.close(self._open.pop())
        self._directories = None

    def __call__(self, src: Union[str, bytes], dst: Union[str, bytes]) -> int:
        """Copies one file. Returns its bytes. Raises what :func:`copy2` raises."""
        options, report = self._options, self._report
        if _native is None or report is None:
            done = _engine.report(src, dst, options)
            self._refused = done.refused
            return done.copied
        _engine.audit(src, dst, src, dst, options.metadata)
        src_name, dst_name = os.fsencode(src), os.fsencode(dst)
        directories = self._directories
        if directories is not None:
            src_name, dst_name = src_name[self._src_length :], dst_name[self._dst_length :]
        result = _native.copy(
            src_name, dst_name, self._flags, options.progress, report, directories
        )
        if result and directories and _results.lacks_descriptors(result):
            self.close()
            return self(src, dst)
        if result:
            _results.raise_for(result, src, dst)
        if not self.skip:
            self.skip = _results.useless(report)
            self._flags |= _native.lib.SC_SKIP_ROW * self.skip
        return report.copied

    @property
    def refused(self) -> dict[str, str]:
        """The metadata of the last file that was refused, as in a Transfer."""
        return self._refused if self._report is None else _results.refused(self._report)
