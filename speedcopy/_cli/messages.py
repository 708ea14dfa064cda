"""GNU cp's wording."""

from __future__ import annotations

import errno
import itertools
import os
import re
from typing import Optional


class Refused(Exception):  # noqa: N818 (one source is not copied, and the others are)
    """Why something was not copied, as cp says it."""


def quoted(name: str) -> str:
    """A name as a shell takes it; nothing in it can control the terminal."""
    if "'" in name and name.isprintable() and not re.search(r'["$`\\!]', name):
        return f'"{name}"'
    pieces = [
        "'{}'".format("".join(run).replace("'", "'\\''"))
        if printable
        else f"$'{_escaped(''.join(run))}'"
        for printable, run in itertools.groupby(name, str.isprintable)
    ]
    shown = "".join(pieces)
    return shown if shown.startswith("'") else f"''{shown}"


def _escaped(text: str) -> str:
    known = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    return "".join(
        known.get(char) or "".join(f"\\{byte:03o}" for byte in os.fsencode(char)) for char in text
    )


def reason(error: OSError) -> str:
    """The system's words for an error."""
    return error.strerror or str(error)


def of_file(error: OSError, src: str, dst: str, *, reflink: str = "auto") -> str:
    """Why the copy of a file has failed."""
    names = (error.filename, error.filename2)
    if names == (src, None):
        return f"cannot open {quoted(src)} for reading: {reason(error)}"
    if names == (dst, None):
        return _of_dst(error, dst)
    if names == (src, dst) and reflink == "always":
        return f"failed to clone {quoted(dst)} from {quoted(src)}: {reason(error)}"
    if names == (src, dst):
        return f"error copying {quoted(src)} to {quoted(dst)}: {reason(error)}"
    return f"cannot copy {quoted(src)} to {quoted(dst)}: {reason(error)}"


def _of_dst(error: OSError, dst: str) -> str:
    if error.errno == errno.EISDIR and os.path.isdir(dst):
        return f"cannot overwrite directory {quoted(dst)} with non-directory"
    if error.errno == errno.ELOOP and os.path.islink(dst):
        return f"not writing through dangling symlink {quoted(dst)}"
    return f"cannot create regular file {quoted(dst)}: {reason(error)}"


def of_directory(text: str, src: str, dst: str) -> str:
    """Why a directory was not copied; ``text`` is that of an OSError."""
    found = re.match(r"\[Errno (\d+)\] .*?: (.*)$", text, re.DOTALL)
    if found is not None:
        number, name = int(found[1]), found[2]
        if name == repr(dst) and number == errno.EEXIST:
            return f"cannot overwrite non-directory {quoted(dst)} with directory {quoted(src)}"
        if name == repr(dst):
            return f"cannot create directory {quoted(dst)}: {os.strerror(number)}"
        if name == repr(src):
            return f"cannot access {quoted(src)}: {os.strerror(number)}"
    return of_tree(text, src, dst)


def not_preserved(dst: str, refused: dict[str, str]) -> list[str]:
    """What -p could not keep, from ``Transfer.refused``."""
    names = {"mode": "permissions", "xattrs": "extended attributes"}
    return [
        f"preserving {names.get(what, what)} for {quoted(dst)}: {_words(why)}"
        for what, why in refused.items()
    ]


def _words(why: str) -> str:
    number = getattr(errno, why, 0)
    return os.strerror(number) if number else why


def of_special(text: str, src: str) -> str:
    """Why a pipe or a device was not copied; ``text`` is that of ``shutil.SpecialFileError``."""
    return f"{quoted(src)} {text.rpartition('` ')[2]}"


def of_tree(text: str, src: str, dst: str) -> str:
    """The same for an error of which only the text is left, as in ``shutil.Error``."""
    if re.search(r"` is a [\w ]+$", text):
        return of_special(text, src)
    found = re.match(r"\[Errno (\d+)\] .*?: (.*)$", text, re.DOTALL)
    if found is None:
        return f"cannot copy {quoted(src)} to {quoted(dst)}: {ascii(text)[1:-1]}"
    number, names = int(found[1]), found[2]
    error = OSError(number, os.strerror(number))
    meant: dict[str, tuple[str, Optional[str]]] = {
        repr(src): (src, None),
        repr(dst): (dst, None),
        f"{src!r} -> {dst!r}": (src, dst),
    }
    if names in meant:
        error.filename, error.filename2 = meant[names]
        return of_file(error, src, dst)
    return f"cannot copy {quoted(src)} to {quoted(dst)}: {error.strerror}"
