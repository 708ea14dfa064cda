"""``speedcopy cp``: what is copied where, and what is refused, as GNU cp does it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import stat
import sys
import time
from typing import TYPE_CHECKING, Any, Optional

import speedcopy
from speedcopy import _engine
from speedcopy._cli import trees
from speedcopy._cli.messages import Refused, not_preserved, of_file, of_special, quoted, reason
from speedcopy._cli.meter import meter
from speedcopy._cli.parser import Parser, choice
from speedcopy._copyfile import Options

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from speedcopy._cli.meter import Meter
    from speedcopy._types import Progress

_SEPARATORS = f"{os.sep}{os.altsep or ''}"


def _parser() -> Parser:
    parser = Parser(
        prog="speedcopy cp",
        usage="%(prog)s [OPTION]... SRC DST\n       %(prog)s [OPTION]... SRC... DIRECTORY",
        description="Copy files and trees. The file system or the file server copies where it can.",
    )
    add = parser.add_argument
    add("operands", nargs="*", metavar="SRC... DST", help="what is copied, and where to")
    add("-r", "-R", "--recursive", action="store_true", help="copy directories, and links as links")
    add("-p", dest="preserve", action="store_true", help="keep mode, times, extended attributes")
    add("--progress", action="store_true", help="show files, bytes, speed, time left on a terminal")
    add(
        "--reflink",
        action=choice("auto", "always", "never"),
        default="auto",
        metavar="WHEN",
        help="share the data of SRC: auto, always (or fail), never",
    )
    add("--workers", type=_workers, metavar="N", help="copy N files of a tree at the same time")
    add("--debug", action="store_true", help="print on stderr how each file was copied")
    add("--json", action="store_true", help="print an object on stdout for each SRC")
    return parser


def _workers(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main(arguments: Sequence[str]) -> int:
    """Copies; the exit code is 1 if anything was not copied."""
    parser = _parser()
    options = parser.parse(arguments)
    operands: list[str] = options.operands
    if not operands:
        parser.error("missing file operand")
    *sources, target = operands
    if not sources:
        parser.error(f"missing destination file operand after {quoted(target)}")
    if len(sources) > 1 and not os.path.isdir(target):
        why = "Not a directory" if os.path.lexists(target) else "No such file or directory"
        sys.stderr.write(f"{parser.prog}: target {quoted(target)}: {why}\n")
        return 1
    if options.debug:
        speedcopy.SPEEDCOPY_DEBUG = True
    failed = False
    shown = meter(sources, wanted=options.progress, recursive=options.recursive)
    with contextlib.closing(shown):
        copier = _Copier(options, shown)
        for src, dst in _pairs(sources, target):
            done = copier.copy(src, dst)
            failed |= done["error"] is not None
            if options.json:
                failed |= not _print(json.dumps(done), shown)
    return int(failed)


def _print(line: str, shown: Meter) -> bool:
    """Prints a line. Where that fails, the copies go on; returns False."""
    try:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if not isinstance(error, BrokenPipeError):
            shown.say(f"speedcopy cp: write error: {reason(error)}")
        return False
    return True


def _pairs(sources: list[str], target: str) -> Iterator[tuple[str, str]]:
    """Each source, and where its copy lies."""
    inside = os.path.isdir(target)
    for src in sources:
        name = os.path.basename(src.rstrip(_SEPARATORS)) if inside else ""
        yield src, target if name in ("", "..") else os.path.join(target, name)


class _Copier:
    def __init__(self, options: argparse.Namespace, shown: Meter) -> None:
        self._options = options
        self._meter = shown
        self._made: dict[str, tuple[int, int]] = {}

    def copy(self, src: str, dst: str) -> dict[str, Any]:
        """Copies one SRC and says what became of it, as --json has it."""
        done: dict[str, Any] = {"src": src, "dst": dst, "error": None}
        started = time.perf_counter()
        before = self._meter.files, self._meter.bytes
        try:
            done.update(self._copy(src, dst))
        except Refused as why:
            done["error"] = str(why)
            for line in str(why).splitlines():
                self._meter.say(f"speedcopy cp: {line}")
        self._meter.next()
        done["files"] = self._meter.files - before[0]
        done["bytes"] = self._meter.bytes - before[1]
        done["seconds"] = time.perf_counter() - started
        return done

    def _copy(self, src: str, dst: str) -> dict[str, Any]:
        try:
            src_st = os.lstat(src) if self._options.recursive else os.stat(src)
        except OSError as error:
            msg = f"cannot stat {quoted(src)}: {reason(error)}"
            raise Refused(msg) from error
        is_dir = stat.S_ISDIR(src_st.st_mode)
        if is_dir and not self._options.recursive:
            msg = f"-r not specified; omitting directory {quoted(src)}"
            raise Refused(msg)
        if self._is_repeated(src, src_st, dst):
            return {}
        self._look(src, src_st, dst)
        if is_dir:
            trees.copy(src, dst, self._options, self._meter)
            return {}
        if stat.S_ISLNK(src_st.st_mode):
            trees.copy_link(src, dst)
            self._meter.update(1, 0)
            return {}
        return self._copy_file(src, dst)

    def _is_repeated(self, src: str, src_st: os.stat_result, dst: str) -> bool:
        """Whether this SRC was copied before. Refuses to copy over what has just been copied."""
        place, identity = os.path.abspath(dst), (src_st.st_dev, src_st.st_ino)
        is_dir = stat.S_ISDIR(src_st.st_mode)
        before = self._made.get(place)
        if before is None or (before != identity and is_dir):
            self._made[place] = identity
            return False
        if before != identity:
            msg = f"will not overwrite just-created {quoted(dst)} with {quoted(src)}"
            raise Refused(msg)
        kind = "directory" if is_dir else "file"
        warning = f"warning: source {kind} {quoted(src)} specified more than once"
        self._meter.say(f"speedcopy cp: {warning}")
        return True

    def _look(self, src: str, src_st: os.stat_result, dst: str) -> None:
        """Refuses what would harm dst, or what is no copy."""
        is_dir, is_link = stat.S_ISDIR(src_st.st_mode), stat.S_ISLNK(src_st.st_mode)
        try:
            dst_st = os.lstat(dst) if is_link or is_dir else os.stat(dst)
        except OSError as error:
            if error.errno != errno.ENOENT:
                msg = f"cannot stat {quoted(dst)}: {reason(error)}"
                raise Refused(msg) from error
            if os.path.islink(dst) and not is_link:
                msg = f"not writing through dangling symlink {quoted(dst)}"
                raise Refused(msg) from None
            if dst.endswith(tuple(_SEPARATORS)) and not is_dir:
                msg = f"cannot create regular file {quoted(dst)}: Not a directory"
                raise Refused(msg) from None
            dst_st = None
        if dst_st is not None:
            if os.path.samestat(src_st, dst_st):
                msg = f"{quoted(src)} and {quoted(dst)} are the same file"
                raise Refused(msg)
            if is_dir and not stat.S_ISDIR(dst_st.st_mode):
                msg = f"cannot overwrite non-directory {quoted(dst)} with directory {quoted(src)}"
                raise Refused(msg)
            if stat.S_ISDIR(dst_st.st_mode) and not is_dir:
                msg = f"cannot overwrite directory {quoted(dst)} with non-directory"
                raise Refused(msg)
        if is_dir and os.path.realpath(dst).startswith(os.path.join(os.path.realpath(src), "")):
            msg = f"cannot copy a directory, {quoted(src)}, into itself, {quoted(dst)}"
            raise Refused(msg)

    def _copy_file(self, src: str, dst: str) -> dict[str, Any]:
        reflink = self._options.reflink
        options = Options(
            reflink=reflink,
            metadata="best-effort" if self._options.preserve else None,
            progress=self._progress(),
            as_cp=True,
        )
        try:
            told = _engine.report(src, dst, options)
        except shutil.SpecialFileError as error:
            raise Refused(of_special(str(error), src)) from error
        except OSError as error:
            raise Refused(of_file(error, src, dst, reflink=reflink)) from error
        self._meter.update(1, told.copied)
        if told.refused:
            raise Refused("\n".join(not_preserved(dst, told.refused)))
        return {"mechanism": told.mechanism, "declined": told.declined}

    def _progress(self) -> Optional[Progress]:
        """Only where it is shown: with a callback, a server copies in smaller requests."""
        if not self._meter.is_shown:
            return None
        return lambda copied, _total: self._meter.update(0, copied)
