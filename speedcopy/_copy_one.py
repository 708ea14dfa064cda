"""copy() and copy2(): the data, then the mode or all metadata.

``copy_one`` is the only place where a tree copies a file.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Callable, Literal, Optional, Union, cast

from speedcopy._copyfile import copyfile

if TYPE_CHECKING:
    from speedcopy._types import Path, PathT, Progress

#: What becomes of metadata that the file system of dst refuses: "strict" raises, as shutil does.
Metadata = Literal["strict", "best-effort"]


def copy(
    src: Path, dst: PathT, *, follow_symlinks: bool = True, metadata: Metadata = "strict"
) -> Union[PathT, str, bytes]:
    """Copies data and mode as :func:`shutil.copy` does, and returns the name of the new file."""
    new = _inside(src, dst)
    copyfile(src, new, follow_symlinks=follow_symlinks)
    with _refusals(metadata):
        shutil.copymode(src, new, follow_symlinks=follow_symlinks)
    return new


def copy2(
    src: Path, dst: PathT, *, follow_symlinks: bool = True, metadata: Metadata = "strict"
) -> Union[PathT, str, bytes]:
    """Copies data and metadata as :func:`shutil.copy2` does, and returns the name of the file."""
    new = _inside(src, dst)
    copyfile(src, new, follow_symlinks=follow_symlinks)
    copy_metadata(src, new, metadata, follow_symlinks=follow_symlinks)
    return new


def copy_one(
    src: str, dst: str, metadata: Metadata, progress: Optional[Progress], *, mode_only: bool
) -> None:
    """Copies a file of a tree; ``dst`` is no directory."""
    copyfile(src, dst, progress=progress)
    if mode_only:
        with _refusals(metadata):
            shutil.copymode(src, dst)
    else:
        copy_metadata(src, dst, metadata)


def copy_metadata(
    src: Path, dst: Path, metadata: Metadata, *, follow_symlinks: bool = True
) -> None:
    """Does what :func:`shutil.copystat` does.

    With ``metadata="best-effort"``, one attribute that is refused does not keep the others away.
    """
    try:
        shutil.copystat(src, dst, follow_symlinks=follow_symlinks)
    except OSError:
        if metadata == "strict":
            raise
        _copy_each(src, dst, follow_symlinks)


def _copy_each(src: Path, dst: Path, follow_symlinks: bool) -> None:
    """Copies times, extended attributes and mode, in shutil's order, each as far as it goes."""
    follow = follow_symlinks or not (os.path.islink(src) and os.path.islink(dst))
    with suppress(OSError, NotImplementedError):
        st = os.stat(src, follow_symlinks=follow)
        os.utime(dst, ns=(st.st_atime_ns, st.st_mtime_ns), follow_symlinks=follow)
    if hasattr(os, "listxattr"):
        with suppress(OSError):
            for name in os.listxattr(src, follow_symlinks=follow):
                with suppress(OSError):
                    value = os.getxattr(src, name, follow_symlinks=follow)
                    os.setxattr(dst, name, value, follow_symlinks=follow)
    with suppress(OSError, NotImplementedError):
        shutil.copymode(src, dst, follow_symlinks=follow)


def _refusals(metadata: Metadata) -> suppress:
    return suppress(*([OSError] if metadata == "best-effort" else []))


def _inside(src: Path, dst: PathT) -> Union[PathT, str, bytes]:
    """The file that ``dst`` means: one in it, if it is a directory."""
    if not os.path.isdir(dst):
        return dst
    join = cast("Callable[..., Union[str, bytes]]", os.path.join)
    basename = cast("Callable[..., Union[str, bytes]]", os.path.basename)
    return join(dst, basename(src))
