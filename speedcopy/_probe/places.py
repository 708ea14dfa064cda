"""What a directory lies on: the file system, its server and the version of the protocol."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from typing import Optional

#: MS-FSCC 2.5.1, FILE_SUPPORTS_BLOCK_REFCOUNTING: a share that announces it may be asked to clone.
_CLONES = 0x08000000

#: Characters of a path that Windows takes without a prefix, and a NUL.
_LONGEST = 261

_SMB = ("cifs", "smb3")
_NFS = ("nfs", "nfs4")


@dataclass(frozen=True)
class Place:
    """What a directory lies on, as far as the system says it.

    ``file_system`` is the kernel's name for its type, ``source`` the device or the share.
    ``protocol`` is "SMB" or "NFS" with the version, such as "SMB 3.1.1", or empty where there is
    no server. ``announces_clones`` is whether an SMB share says that it can clone, None where that
    is not known. ``device`` is equal for two places on one file system. All of it is empty on a
    platform that cannot be asked.
    """

    directory: str
    file_system: str = ""
    source: str = ""
    server: str = ""
    protocol: str = ""
    announces_clones: Optional[bool] = None
    device: str = ""

    @property
    def is_smb(self) -> bool:
        """Whether a share of an SMB server is mounted here."""
        return self.file_system in _SMB

    @property
    def is_nfs(self) -> bool:
        """Whether an export of an NFS server is mounted here."""
        return self.file_system in _NFS

    @property
    def version(self) -> tuple[int, ...]:
        """The version of the protocol as numbers, empty if it is not known."""
        return tuple(map(int, re.findall(r"\d+", self.protocol)))

    def __str__(self) -> str:
        """One line for a report."""
        facts = [self.protocol or self.file_system or "unknown file system"]
        if self.source:
            facts.append(self.source)
        return f"{self.directory}: {', '.join(facts)}"


if sys.platform == "win32":
    import ctypes

    def _volume(directory: str) -> Place:
        """The volume as Windows has it. A drive letter of a share stands for itself."""
        kernel32 = ctypes.WinDLL("kernel32")
        root, kind = ctypes.create_unicode_buffer(_LONGEST), ctypes.create_unicode_buffer(_LONGEST)
        if not kernel32.GetVolumePathNameW(directory, root, _LONGEST):
            return Place(directory)
        rest = (None, 0, None, None, None)
        kernel32.GetVolumeInformationW(root, *rest, kind, _LONGEST)
        share = root.value.startswith("\\\\")
        server = root.value.lstrip("\\").partition("\\")[0] if share else ""
        protocol = "SMB" if share else ""
        return Place(directory, kind.value, root.value, server, protocol, device=root.value)


def place(directory: str) -> Place:
    """Looks up what ``directory`` lies on. On Linux, raises OSError where it is none."""
    if sys.platform == "win32":
        return _volume(directory)
    mount = _mount(directory)
    if mount is None:
        return Place(directory)
    # 36 35 98:0 /root /mnt rw shared:1 - ext3 /dev/sda1 rw,errors=continue
    before, _, after = mount.partition(" - ")
    kind, source, options = after.split(" ", 2)
    found = Place(directory, kind, _unescaped(source), device=before.split()[2])
    version = _version(options)
    if found.is_smb:
        host, _, share = found.source.lstrip("/").partition("/")
        announced = _announces_clones(host, share.partition("/")[0])
        protocol = f"SMB {version}".strip()
        return replace(found, server=host, protocol=protocol, announces_clones=announced)
    if found.is_nfs:
        host = found.source.rpartition(":/")[0]
        return replace(found, server=host, protocol=f"NFS {version}".strip())
    return found


def copies_by_server(where: Place) -> Optional[int]:
    """How many COPY requests an NFS client has made so far, None if it does not count them.

    copy_file_range succeeds, too, where the client reads and writes, and does not say which it was.
    """
    if not where.is_nfs:
        return None
    devices = read("/proc/self/mountstats").split("\ndevice ")
    section = "".join(text for text in devices if text.startswith(f"{where.source} mounted on "))
    counts = re.findall(r"^\s+COPY: (\d+)", section, re.MULTILINE)
    return sum(map(int, counts)) if section else None


def kernel() -> str:
    """The kernel and its release."""
    if sys.platform == "win32":
        return "Windows {}.{}.{}".format(*sys.getwindowsversion()[:3])
    system = os.uname()
    return f"{system.sysname} {system.release}"


def read(path: str) -> str:
    """A file of the kernel's, empty if there is none or it may not be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _mount(directory: str) -> Optional[str]:
    """The line about the mount in /proc/self/mountinfo, None on a system without such a file.

    By the mount's number and not by its path or its device: another file system may be mounted
    over it, and btrfs has a device for each subvolume.
    """
    mounts = read("/proc/self/mountinfo")
    if sys.platform != "linux" or not mounts:
        return None
    # PyPy has no O_PATH, which needs no permission to read.
    fd = os.open(directory, getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        number = re.search(r"^mnt_id:\s*(\d+)", read(f"/proc/self/fdinfo/{fd}"), re.MULTILINE)
    finally:
        os.close(fd)
    if number is None:
        return None
    start = f"{number[1]} "
    return next((line for line in mounts.split("\n") if line.startswith(start)), None)


def _unescaped(text: str) -> str:
    r"""A field of mountinfo, which has a space as ``\040``."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _version(options: str) -> str:
    """The version of the protocol among mount options, empty if it is not there."""
    found = re.search(r"(?:^|,)vers=(\d[\d.]*)", options)
    return found[1] if found else ""


def _announces_clones(host: str, share: str) -> Optional[bool]:
    r"""Whether the CIFS client's notes on ``\\host\share`` have the attribute for cloning."""
    name = rf"\\{host}\{share}".lower()
    shares = r"^\s*\d+\) (\\\\.+?) Mounts: .* Attributes: (0x[0-9a-f]+)"
    for unc, attributes in re.findall(shares, read("/proc/fs/cifs/DebugData"), re.MULTILINE):
        if unc.lower() == name:
            return bool(int(attributes, 16) & _CLONES)
    return None
