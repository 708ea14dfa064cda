"""Samba servers outside the guest, on the loopback address.

Outside they are native while the guest is emulated, so that what is measured is the client
and the wire. The guest reaches them through QEMU's user-mode network.
"""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from lab.errors import LabError
from lab.processes import running, tail
from lab.vm import setup
from lab.vm.disks import mounted
from lab.vm.mounts import MOUNTS

START_SECONDS = 20.0
SMBD = "/usr/sbin/smbd"

GLOBAL = """\
[global]
server role = standalone server
interfaces = 127.0.0.1
bind interfaces only = yes
smb ports = {port}
disable netbios = yes
# SMB 1 has no server-side copy: one row of the table asks for it
server min protocol = NT1
map to guest = Bad User
guest account = root
load printers = no
printing = bsd
printcap name = /dev/null
disable spoolss = yes
log file = {state}/log
private dir = {state}/private
lock directory = {state}/lock
state directory = {state}/state
cache directory = {state}/cache
pid directory = {state}/pid
ncalrpc dir = {state}/ncalrpc
binddns dir = {state}/binddns
usershare path =
"""

SHARE = """
[{share}]
path = {path}
guest ok = yes
read only = no
"""

# Without it Samba copies on btrfs as anywhere else; with it FICLONE reaches the disk.
CLONING = "vfs objects = btrfs\n"


def configuration(server: str, port: int, state: Path, disks: dict[str, Path]) -> str:
    """smb.conf of one server: the rows of the table that are its own, on disks that are here."""
    text = GLOBAL.format(port=port, state=state)
    for row in MOUNTS:
        if row.server == server and row.disk in disks:
            text += SHARE.format(share=row.share, path=disks[row.disk] / row.share)
            text += CLONING if row.disk == "btrfs" else ""
    return text


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One smbd, which keeps its port over a restart."""

    def __init__(self, name: str, folder: Path, disks: dict[str, Path], root: Path | None) -> None:
        """Write its configuration; root is where another Samba is unpacked."""
        self.name = name
        self.port = free_port()
        self._log = folder / "log.smbd"
        self._process = ExitStack()
        for part in ("private", "lock", "state", "cache", "pid", "ncalrpc", "binddns"):
            (folder / part).mkdir(parents=True)
        config = folder / "smb.conf"
        config.write_text(configuration(name, self.port, folder, disks))
        self._argv = [SMBD, "--foreground", "--no-process-group", f"--configfile={config}"]
        if root:
            self._argv = ["chroot", str(root), *self._argv]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        log = self._process.enter_context(self._log.open("ab"))
        process = self._process.enter_context(running(self._argv, log))
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                logged = tail(self._log) + tail(self._log.with_name("log"))
                message = f"smbd ({self.name}) does not answer:\n{logged}"
                raise LabError(message)
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop it and the processes of its clients."""
        self._process.close()

    def restart(self) -> None:
        """Stop and start: clients lose their connection and their open files."""
        self.stop()
        self.start()

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def chroot(samba: str, scratch: Path, stack: ExitStack) -> Path | None:
    """The root directory for a Samba that is not this machine's, with the scratch in it."""
    if samba == setup.DEFAULT_SAMBA:
        return None
    root = setup.samba(samba).path
    for directory in (Path("/dev"), Path("/proc"), scratch):
        inside = root / directory.relative_to("/")
        stack.enter_context(mounted(["--rbind", str(directory)], inside))
    return root
