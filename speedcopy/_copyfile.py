"""copyfile() and transfer(), and their keywords as one value."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING, Literal, Optional

import speedcopy
from speedcopy import _engine, _fallback, _loader, _switches

if TYPE_CHECKING:
    from speedcopy._types import Metadata, Path, PathT, Progress, Reflink

_native = _loader.native
_KEEP_HOLES = _switches.from_environment("SPEEDCOPY_SPARSE", default=True)


def _raises_access() -> bool:
    """Whether shutil raises EACCES for an extended attribute, as it did before Python 3.12."""
    code = getattr(getattr(shutil, "_copyxattr", None), "__code__", None)
    return code is not None and "EACCES" not in code.co_names


_STRICT_ACCESS = _native.lib.SC_STRICT_ACCESS if _native and _raises_access() else 0

#: On macOS an SMB server copies only where that is asked for: nobody has seen it work.
SERVER_COPY = (
    _native.lib.SC_SERVER_COPY
    if _native and _switches.from_environment("SPEEDCOPY_MACOS_SERVER_COPY")
    else 0
)


class Options:
    """The options of one copy, from the public signature to the flags of ``sc_copy``.

    ``flags`` is 0 without a native layer. The other ways of copying use more: with ``clones_only``
    the copy is a clone or fails; with ``writes_all`` every byte is written and no extent shared.
    ``metadata`` is also "mode", which is what :func:`shutil.copy` copies. ``skip`` has a bit for
    each row of the platform's table that is not tried. With ``src_is_file`` the caller has checked
    that src is a regular file. With ``name="free"`` it has made the directory of dst: that saves
    one operation on NFS, where a dst that failed then stays as an empty or truncated file. With
    ``name="only"``, OtherNameError is raised for a dst that is a link, or has hard links. With
    ``as_cp``, a new dst has the mode that GNU cp gives it.
    """

    __slots__ = (
        *("as_cp", "clones_only", "flags", "follow_symlinks", "metadata", "progress"),
        "writes_all",
    )

    def __init__(
        self,
        *,
        follow_symlinks: bool = True,
        progress: Optional[Progress] = None,
        reflink: Reflink = "auto",
        sparse: bool = True,
        metadata: Optional[Literal[Metadata, "mode"]] = None,
        skip: int = 0,
        src_is_file: bool = False,
        name: Literal["any", "free", "only"] = "any",
        as_cp: bool = False,
    ) -> None:
        """Raises ValueError or TypeError for arguments that :func:`transfer` does not accept."""
        if reflink not in ("auto", "always", "never"):
            msg = f"reflink must be 'auto', 'always' or 'never', not {reflink!r}"
            raise ValueError(msg)
        if reflink == "always" and not sparse:
            msg = "reflink='always' and sparse=False contradict each other: a clone keeps all holes"
            raise ValueError(msg)
        if progress is not None and not callable(progress):
            msg = f"progress must be callable, not {type(progress).__name__}"
            raise TypeError(msg)
        self.follow_symlinks = follow_symlinks
        self.metadata = metadata
        self.as_cp = as_cp
        self.progress = progress
        self.clones_only = reflink == "always"
        keeps_holes = self.clones_only or (sparse and _KEEP_HOLES)
        self.writes_all = reflink == "never" or not keeps_holes
        self.flags = 0
        if _native:
            lib = _native.lib
            self.flags |= lib.SC_REFLINK_ALWAYS if self.clones_only else 0
            self.flags |= lib.SC_REFLINK_NEVER if reflink == "never" else 0
            self.flags |= lib.SC_KEEP_HOLES if keeps_holes else 0
            self.flags |= lib.SC_TELL_END if progress is not None else 0
            self.flags |= lib.SC_COPY_MODE if metadata else 0
            self.flags |= lib.SC_COPY_TIMES if metadata and metadata != "mode" else 0
            self.flags |= lib.SC_COPY_XATTRS if metadata in ("strict", "best-effort") else 0
            self.flags |= lib.SC_BEST_EFFORT if metadata in ("best-effort", "times") else 0
            self.flags |= lib.SC_SRC_IS_FILE if src_is_file else 0
            self.flags |= lib.SC_NAME_IS_FREE if name == "free" else 0
            self.flags |= lib.SC_ONE_NAME if name == "only" else 0
            self.flags |= lib.SC_AS_CP if as_cp else 0
            self.flags |= _STRICT_ACCESS | SERVER_COPY | lib.SC_SKIP_ROW * skip

    def mode_of_new(self, src: Path) -> int:
        """The mode with which Python creates dst. Its owner must be able to set metadata."""
        if not self.as_cp:
            return 0o666
        try:
            mode = os.stat(src).st_mode & 0o777
        except (OSError, ValueError):
            mode = stat.S_IRUSR
        return mode | stat.S_IWUSR if self.metadata else mode


def check_metadata(metadata: str) -> None:
    """Raises ValueError for what is no :data:`Metadata`."""
    if metadata not in ("strict", "best-effort", "times"):
        msg = f"metadata must be 'strict', 'best-effort' or 'times', not {metadata!r}"
        raise ValueError(msg)


#: For calls without keywords. Made once: an Options costs as much as the rest of such a call.
_DEFAULT = Options()


def copyfile(
    src: Path,
    dst: PathT,
    *,
    follow_symlinks: bool = True,
    progress: Optional[Progress] = None,
) -> PathT:
    """Copies the data of ``src`` to ``dst`` as :func:`shutil.copyfile` does, and returns ``dst``.

    ``progress(copied, total)`` is called with numbers of bytes: during the copy at most every
    50 ms, and once at the end with ``copied == total``. If ``progress`` is slow, it is called less
    often. An exception in ``progress`` or in a signal handler (KeyboardInterrupt) stops the copy
    and is raised here; so ``progress`` can cancel a copy.

    If the copy fails or is stopped, a ``dst`` that it created is removed, and an existing ``dst``
    is truncated to the bytes that had been copied. If the copy is left to the standard library,
    ``progress`` is called at the end only, and ``dst`` stays as the standard library leaves it.

    Audit hooks receive ``shutil.copyfile``, and an ``open`` for each file before it is opened. If
    a hook raises, nothing is copied.

    Raises what :func:`shutil.copyfile` of the running Python raises: ``shutil.SameFileError``;
    ``shutil.SpecialFileError`` for a named pipe, and for a character device as ``src`` other
    than the null device; OSError and its subclasses with the names as given; ValueError for a
    name that contains a NUL.
    """
    options = _DEFAULT
    if progress is not None or not follow_symlinks:
        options = Options(follow_symlinks=follow_symlinks, progress=progress)
    # As _engine.copy(), without the price of one more call.
    if speedcopy.SPEEDCOPY_DEBUG:
        _engine.report(src, dst, options)
    elif not _engine.copy_natively(src, dst, options, None):
        _fallback.copy(src, dst, options)
    return dst


def transfer(
    src: Path,
    dst: Path,
    *,
    follow_symlinks: bool = True,
    reflink: Reflink = "auto",
    sparse: bool = True,
    metadata: Optional[Metadata] = None,
    progress: Optional[Progress] = None,
) -> speedcopy.Transfer:
    """Copies as :func:`copyfile` does, and returns how the copy was made.

    ``reflink="always"`` shares the extents of ``src``. If no clone is possible, it raises
    OSError(EOPNOTSUPP) with both names and creates no file. ``"never"`` uses no mechanism with
    which the file system or the server may share extents. Windows does not report clones: there
    "always" always raises, and "never" reads and writes.

    ``sparse=False`` leaves no holes in ``dst``: every byte is written. So nothing is cloned, and
    no server copies, as it might clone. SPEEDCOPY_SPARSE=0 in the environment has the same effect
    on all copies, except with ``reflink="always"``.

    ``metadata="strict"`` also copies what :func:`shutil.copystat` copies, and raises what that
    raises. All data is copied then, and ``dst`` stays. With ``"best-effort"``, metadata that the
    file system refuses is not an error: ``Transfer.refused`` lists it. ``"times"`` is the same
    without extended attributes and ACLs, which cost requests on a share.

    Raises what :func:`copyfile` raises. Also raises ValueError for another ``reflink`` or
    ``metadata``, and for "always" with ``sparse=False``, because a clone has the holes of ``src``.
    """
    if metadata is not None:
        check_metadata(metadata)
    options = Options(
        follow_symlinks=follow_symlinks,
        progress=progress,
        reflink=reflink,
        sparse=sparse,
        metadata=metadata,
    )
    return _engine.report(src, dst, options)
