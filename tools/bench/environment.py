"""What the figures depend on: file system, kernel, Python, CPUs."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from common.errors import ToolError
from common.programs import output

#: Mount options that change how long a copy takes, or which mechanism is there at all.
# fmt: off
_TELLING = frozenset(
    {
        "acregmax", "acdirmax", "actimeo", "async", "autodefrag", "barrier", "cache",
        "closetimeo", "commit", "compress", "compress-force", "copies", "data", "dax", "delalloc",
        "discard", "hard", "huge", "logbsize", "max_channels", "metacopy", "multichannel",
        "nconnect", "noac", "nobarrier", "nobrl", "nodatacow", "nodatasum", "nodelalloc",
        "nodiscard", "noauto_da_alloc", "nolease", "nosharesock", "proto", "recordsize", "rsize",
        "size", "soft", "sync", "vers", "volatile", "writeback", "wsize", "wsync", "zlib",
    }
)
# fmt: on
_OCTAL = re.compile(r"\\([0-7]{3})")
_BSD_MOUNT = re.compile(
    r"(?P<source>.+?) on (?P<point>.+) \((?P<kind>[^,)]+)(?:, (?P<options>.*))?\)"
)


@dataclass(frozen=True)
class FileSystem:
    """The file system of a directory; ``options`` are only those that matter for copying."""

    kind: str
    source: str = ""
    options: tuple[str, ...] = ()

    @property
    def copies_ranges(self) -> bool:
        """Whether copy_file_range may be done by a server there, not by this machine."""
        return self.kind in {"cifs", "smb3"} or (self.kind == "nfs4" and "vers=4.2" in self.options)

    def __str__(self) -> str:
        """Read as in "ext4 on /dev/sda1 (discard)"."""
        source = f" on {self.source}" if self.source else ""
        options = f" ({','.join(self.options)})" if self.options else ""
        return f"{self.kind}{source}{options}"


@dataclass(frozen=True)
class Environment:
    """Where and with what a run was made; ``cpus`` are those that this process may use."""

    folder: str
    file_system: FileSystem
    system: str
    python: str
    cpus: int
    speedcopy: str

    def __str__(self) -> str:
        """Two lines, for a heading."""
        cpus = f"{self.cpus} CPU{'s' if self.cpus != 1 else ''}"
        first = f"speedcopy {self.speedcopy}, {self.python}, {self.system}, {cpus}"
        return f"{first}\n{self.folder}: {self.file_system}"


def environment(folder: Path, version: str) -> Environment:
    """Collect it all; ``version`` is speedcopy's."""
    return Environment(
        folder=str(folder),
        file_system=file_system(folder),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        python=_python(),
        cpus=_cpus(),
        speedcopy=version,
    )


def file_system(folder: Path) -> FileSystem:
    """The file system of ``folder``; "unknown" where the system does not say."""
    where = os.path.realpath(folder)
    try:
        if sys.platform == "win32":
            return FileSystem(_windows_kind(where))
        if sys.platform == "linux":
            table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
            return from_mountinfo(table, where)
        return from_mount_command(output(["mount"]), where)
    except (OSError, ToolError):
        return FileSystem("unknown")


def from_mountinfo(table: str, where: str) -> FileSystem:
    """Find ``where``, a resolved path, in the text of Linux's /proc/self/mountinfo."""
    mounts = []
    for line in table.splitlines():
        mount, _, file_system = line.partition(" - ")
        fields, (kind, source, options) = mount.split(" "), file_system.split(" ", 2)
        both = [*fields[5].split(","), *options.split(",")]
        mounts.append((_unescaped(fields[4]), FileSystem(kind, _unescaped(source), _telling(both))))
    return _holding(mounts, where)


def from_mount_command(printed: str, where: str) -> FileSystem:
    """Find ``where``, a resolved path, in what mount(8) of macOS and the BSDs prints."""
    mounts = []
    for match in filter(None, map(_BSD_MOUNT.fullmatch, printed.splitlines())):
        options = (match["options"] or "").split(", ")
        mounts.append(
            (match["point"], FileSystem(match["kind"], match["source"], _telling(options)))
        )
    return _holding(mounts, where)


def _holding(mounts: list[tuple[str, FileSystem]], where: str) -> FileSystem:
    """The longest mount point above ``where``; of those mounted over each other, the last."""
    best, found = "", FileSystem("unknown")
    for point, candidate in mounts:
        above = where == point or where.startswith(point.rstrip("/") + "/")
        if above and len(point) >= len(best):
            best, found = point, candidate
    return found


def _telling(options: list[str]) -> tuple[str, ...]:
    telling = (option for option in options if option.partition("=")[0] in _TELLING)
    return tuple(dict.fromkeys(telling))


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text)


def _cpus() -> int:
    if sys.platform == "linux" and hasattr(os, "sched_getaffinity"):  # PyPy has none
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _python() -> str:
    name, version = platform.python_implementation(), platform.python_version()
    if name != "PyPy":
        return f"{name} {version}"
    pypy = ".".join(map(str, sys.implementation.version[:3]))
    return f"PyPy {pypy} ({version})"


def _windows_kind(where: str) -> str:
    if sys.platform != "win32":
        return "unknown"
    volume, kind = ctypes.create_unicode_buffer(261), ctypes.create_unicode_buffer(261)
    api = ctypes.windll.kernel32
    api.GetVolumePathNameW(where, volume, len(volume))
    nothing = None, 0, None, None, None
    known = api.GetVolumeInformationW(volume.value, *nothing, kind, len(kind))
    return kind.value if known else "unknown"
