"""copy() and copy2(): the data, and the metadata with it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Optional, Union

import speedcopy
from speedcopy import _engine, _loader, _results
from speedcopy._copyfile import Options, check_metadata

if TYPE_CHECKING:
    from speedcopy._native import Report
    from speedcopy._types import Metadata, Path, PathT, Progress

_native = _loader.native

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
    can; :func:`speedcopy.transfer` also says what it could not. ``"times"`` is the same without
    extended attributes and ACLs, which cost requests on a share.

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
    return os.path.join(dst, os.path.basename(src))  # type: ignore[return-value, arg-type]


class Copier:
    """Copies regular files as :func:`copy2` does, with as little work per file as possible.

    A copier is for one thread. With ``options.src_is_file`` there is one look less at each file.
    """

    __slots__ = ("_options", "_refused", "_report", "audits", "flags", "skip")

    def __init__(self, options: Options, *, audits: bool = True, skip: int = 0) -> None:
        self._options = options
        #: False if the audit hooks have heard of these copies. The standard library tells them all.
        self.audits = audits
        self.flags = options.flags
        self._report: Optional[Report] = None
        #: The rows that cannot copy any file between these devices, for Options(skip=...).
        self.skip = skip
        #: By the standard library.
        self._refused: dict[str, str] = {}
        # On Windows the native layer leaves some copies to Python, even those of data alone.
        can = _engine.KEEPS_METADATA and _engine.has_native(options)
        if _native is None or not can or speedcopy.SPEEDCOPY_DEBUG:
            return
        self._report = _native.new_report()
        # The caller knows each file's bytes; with this flag, no server copies in one request.
        self.flags &= ~_native.lib.SC_TELL_END

    @property
    def is_native(self) -> bool:
        """Whether the native layer copies."""
        return self._report is not None

    def __call__(self, src: Union[str, bytes], dst: Union[str, bytes]) -> int:
        """Copies one file. Returns its bytes. Raises what :func:`copy2` raises."""
        options, report = self._options, self._report
        if _native is None or report is None:
            done = _engine.report(src, dst, options)
            self._refused = done.refused
            return done.copied
        if self.audits:
            _engine.audit(src, dst, src, dst, options.metadata)
        names = os.fsencode(src), os.fsencode(dst)
        result = _native.copy(*names, self.flags, options.progress, report)
        if result:
            _results.raise_for(result, src, dst)
        self.learn(report)
        return report.copied

    def learn(self, report: Report) -> None:
        """Leaves out, from now on, what has declined all files of this kind."""
        if _native is not None and not self.skip:
            self.skip = _results.useless(report)
            self.flags |= _native.lib.SC_SKIP_ROW * self.skip

    @property
    def refused(self) -> dict[str, str]:
        """The metadata of the last file that was refused, as in a Transfer."""
        return self._refused if self._report is None else _results.refused(self._report)
