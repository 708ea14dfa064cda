"""Mounting the rows of the table, inside the guest.

There is no udev, no systemd and no DHCP here; boot.sh has made the root, the host's with an
overlay in memory.
"""

from __future__ import annotations

import functools
import os
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from common.programs import ProgramError, output

from lab.vm.mounts import FILE_SYSTEMS, MOUNTS, Mount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOUNT_POINTS = Path("/run/lab/mount")
DISKS = Path("/run/lab/disk")

# QEMU's user-mode network: the guest's own address, and that of the host's loopback.
GUEST_ADDRESS = "10.0.2.15/24"
HOST_ADDRESS = "10.0.2.2"

DEVICE_SECONDS = 20.0
STEP_SECONDS = 90.0  # each takes less than one, on an idle machine

KSMBD_CONFIGURATION = """\
[global]
map to guest = bad user
guest account = root
[{share}]
path = {path}
guest ok = yes
read only = no
"""


class Mounts:
    """What is mounted, where the same files lie on the servers' disks, what is skipped and why."""

    def __init__(
        self, server_disks: Path, ports: Mapping[str, int], absent: Mapping[str, str], ksmbd: Path
    ) -> None:
        """Takes what the host knows: its disks, ports, disks that failed, ksmbd's tools."""
        self.here: dict[str, Path] = {}
        self.servers: dict[str, Path] = {}
        self.skipped: dict[str, str] = {}
        self._server_disks = server_disks
        self._ports = ports
        self._absent = absent
        self._ksmbd_tools = ksmbd

    def mount_all(self) -> None:
        """Mount every row, or note why it cannot be mounted; kinds run side by side."""
        threads = [self._start("smb", self._smb)]
        self._mount_rows("disk", directory_of)  # the others need the local disks
        threads += [
            self._start("ksmbd", self._ksmbd),
            self._start("nfs", self._nfs),
            self._start("tmpfs", functools.partial(mount, "tmpfs", "tmpfs")),
            self._start("overlay", self._overlay),
        ]
        for thread in threads:
            thread.join()
        order = [row.name for row in MOUNTS]
        self.here = {name: self.here[name] for name in order if name in self.here}

    def _start(self, kind: str, mount: Callable[[Mount], Path]) -> threading.Thread:
        thread = threading.Thread(target=self._mount_rows, args=(kind, mount))
        thread.start()
        return thread

    def _mount_rows(self, kind: str, mount: Callable[[Mount], Path]) -> None:
        for row in MOUNTS:
            if row.kind == kind:
                try:
                    self.here[row.name] = mount(row)
                except (OSError, ProgramError) as error:
                    self.skipped[row.name] = reason(error)

    def _overlay(self, row: Mount) -> Path:
        base = directory_of(row)
        for part in ("lower", "upper", "work"):
            (base / part).mkdir()
        layers = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
        return mount("overlay", "overlay", row, layers)

    def _smb(self, row: Mount) -> Path:
        if row.disk in self._absent:
            raise OSError(self._absent[row.disk])
        start_network()
        self.servers[row.name] = self._server_disks / row.disk / row.share
        options = f"guest,port={self._ports[row.server]},{row.options}"
        return mount("cifs", f"//{HOST_ADDRESS}/{row.share}", row, options)

    def _ksmbd(self, row: Mount) -> Path:
        release = os.uname().release
        if release.startswith("6.1."):
            message = f"ksmbd of {release} crashes when a file is opened (6.1.176: opinfo_put)"
            raise OSError(message)
        self.servers[row.name] = directory_of(row)
        start_ksmbd(self._ksmbd_tools, row, self.servers[row.name])
        return mount("cifs", f"//127.0.0.1/{row.share}", row, f"guest,{row.options}")

    def _nfs(self, row: Mount) -> Path:
        directory = directory_of(row)
        self.servers[row.name] = directory
        start_nfs(directory.parent)
        # Version 4 has a tree of its own, whose root is the export with fsid=0.
        path = f"/{row.share}" if "vers=4" in row.options else directory
        return mount("nfs", f"127.0.0.1:{path}", row, row.options)


def run(*argv: str | Path) -> None:
    """Run a program."""
    output([str(argument) for argument in argv], seconds=STEP_SECONDS)


def reason(error: Exception) -> str:
    """Why a row is skipped, in one line."""
    if isinstance(error, ProgramError):
        return f"{error.program}: {error.first_line}"
    return str(error)


def mount(kind: str, source: str, row: Mount, options: str = "rw") -> Path:
    """Mount something on the row's own mount point."""
    target = MOUNT_POINTS / row.share
    target.mkdir(parents=True)
    run("mount", "-t", kind, "-o", options, source, target)
    return target


def directory_of(row: Mount) -> Path:
    """A new directory of the row's own on one of the local disks."""
    directory = local_disk(row.disk) / row.share
    directory.mkdir()
    return directory


@functools.cache
def local_disk(file_system: str) -> Path:
    """Mount one of the guest's disks; QEMU shows them in the order of its arguments."""
    device = Path(f"/dev/vd{'abc'[FILE_SYSTEMS.index(file_system)]}")
    wait_for(device)
    directory = DISKS / file_system
    directory.mkdir(parents=True)
    run("mount", "-t", file_system, device, directory)
    return directory


@functools.cache
def start_network() -> None:
    """Bring the network up by hand: DHCP would wait for udev, which is not there."""
    run("modprobe", "virtio_net")
    wait_for(Path("/sys/class/net/eth0"))
    run("ip", "link", "set", "eth0", "up")
    run("ip", "addr", "add", GUEST_ADDRESS, "dev", "eth0")


def wait_for(device: Path) -> None:
    """Wait until a driver has found its device."""
    deadline = time.monotonic() + DEVICE_SECONDS
    while not device.exists():
        if time.monotonic() > deadline:
            message = f"{device} does not appear"
            raise OSError(message)
        time.sleep(0.02)


def delay_network(milliseconds: float) -> None:
    """Delay a round trip; over loopback both directions pass the same queue."""
    run("modprobe", "sch_netem")
    for device, passes in (("eth0", 1), ("lo", 2)):
        delay = ["delay", f"{milliseconds / passes}ms", "limit", "10000"]
        run("tc", "qdisc", "add", "dev", device, "root", "netem", *delay)


@functools.cache
def start_nfs(directory: Path) -> None:
    """Export a directory to this guest, as versions 3 and 4."""
    run("modprobe", "nfsd")
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    state = Path("/var/lib/nfs")
    run("mount", "-t", "tmpfs", "tmpfs", state)
    for name in ("etab", "rmtab"):
        (state / name).touch()
    # Without it nfsd waits 90 s for clients of an earlier boot before a file can be opened.
    for name in ("rpc_pipefs", "nfsdcld"):
        (state / name).mkdir()
    run("mount", "-t", "rpc_pipefs", "sunrpc", state / "rpc_pipefs")
    run("nfsdcld", "-p", state / "rpc_pipefs", "-s", state / "nfsdcld")
    run("exportfs", "-o", "rw,fsid=0,no_root_squash,insecure,no_subtree_check", f"*:{directory}")
    run("rpcbind")
    run("rpc.nfsd", "4")
    run("rpc.mountd")


def start_ksmbd(tools: Path, row: Mount, directory: Path) -> None:
    """Start the kernel's own SMB server, with the tools that lie in the cache."""
    run("modprobe", "ksmbd")
    settings = Path("/etc/ksmbd")  # its default: the option for it differs between versions
    settings.mkdir(exist_ok=True)
    (settings / "ksmbd.conf").write_text(
        KSMBD_CONFIGURATION.format(share=row.share, path=directory)
    )
    (settings / "ksmbdpwd.db").touch()
    libraries = ":".join(str(path) for path in tools.glob("**/lib/*-linux-gnu"))
    run("env", f"LD_LIBRARY_PATH={libraries}", f"{tools}/usr/sbin/ksmbd.mountd")
