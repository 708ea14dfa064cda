"""The options of a copy, as one value."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Literal, Optional

from speedcopy import _loader, _switches

if TYPE_CHECKING:
    from speedcopy._types import Metadata, Progress, Reflink

_native = _loader.native
_KEEP_HOLES = _switches.from_environment("SPEEDCOPY_SPARSE", default=True)


def _raises_access() -> bool:
    """Whether shutil raises EACCES for an extended attribute, as it did before Python 3.12."""
    code = getattr(getattr(shutil, "_copyxattr", None), "__code__", None)
    return code is not None and "EACCES" not in code.co_names


_STRICT_ACCESS = _native.lib.SC_STRICT_ACCESS if _native and _raises_access() else 0


class Options:
    """The options of one copy, from the public signature to the flags of ``sc_copy``.

    ``flags`` is 0 without a native layer. The other ways of copying use more: with ``clones_only``
    the copy is a clone or fails; with ``writes_all`` every byte is written and no extent shared.
    ``metadata`` is also "mode", which is what :func:`shutil.copy` copies. ``skip`` has a bit for
    each row of the platform's table that is not tried. With ``src_is_file`` the caller has checked
    that src is a regular file. With ``name_is_free`` it has made the directory of dst: that saves
    one operation on NFS, where a dst that failed then stays as an empty or truncated file.
    """

    __slots__ = ("clones_only", "flags", "follow_symlinks", "metadata", "progress", "writes_all")

    def __init__(  # noqa: PLR0913 (keywords)
        self,
        *,
        follow_symlinks: bool = True,
        progress: Optional[Progress] = None,
        reflink: Reflink = "auto",
        sparse: bool = True,
        metadata: Optional[Literal[Metadata, "mode"]] = None,
        skip: int = 0,
        src_is_file: bool = False,
        name_is_free: bool = False,
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
            self.flags |= lib.SC_MODE if metadata else 0
            self.flags |= lib.SC_STAT if metadata in ("strict", "best-effort") else 0
            self.flags |= lib.SC_BEST_EFFORT if metadata == "best-effort" else 0
            self.flags |= lib.SC_SRC_IS_FILE if src_is_file else 0
            self.flags |= lib.SC_NAME_IS_FREE if name_is_free else 0
            self.flags |= _STRICT_ACCESS | lib.SC_SKIP_ROW * skip
