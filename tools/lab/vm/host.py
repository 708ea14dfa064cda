"""One run, seen from outside the guest.

Host and guest talk through files in the scratch directory, which both see without a cache:
session.json tells the guest what to do, report.json tells what it mounted, stdout and stderr
grow as COMMAND writes, and status holds its exit code at the end.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from common.errors import ToolError

from lab.errors import EXIT_SKIPPED, LabError
from lab.processes import adopt_orphans, running, tail
from lab.vm import machine, samba, setup
from lab.vm.disks import loop_mount, make_image, private_mounts
from lab.vm.mounts import FILE_SYSTEMS, MOUNTS, SMB_SERVERS

if TYPE_CHECKING:
    import subprocess

BOOT_SECONDS = 300.0  # 12 s here; a busy machine may be far slower
POLL_SECONDS = 0.03

Say = Callable[[str], None]


@dataclass(frozen=True)
class Session:
    """What one run was asked for."""

    command: list[str]
    kernel: str
    samba: str
    delay: float = 0
    strict: bool = False
    writable: list[str] = field(default_factory=list)
    verbose: bool = False


def run(session: Session, say: Say) -> int:
    """Boot, mount, run the command; its exit code. Nothing is left behind."""
    setup.require(session.kernel, session.samba)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="speedcopy-lab-")))
        adopt_orphans()
        private_mounts()
        disks, absent = _mount_disks(scratch, stack)
        servers = _start_servers(session, scratch, disks, stack)
        images = _guest_images(scratch)
        _write_session(session, scratch, servers, absent)
        return _run_guest(session, scratch, servers, images, say)


def _mount_disks(scratch: Path, stack: ExitStack) -> tuple[dict[str, Path], dict[str, str]]:
    """File systems for the Samba servers, and why some could not be made."""
    disks: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for name in FILE_SYSTEMS:
        image, directory = scratch / f"{name}.image", scratch / "disk" / name
        try:
            make_image(name, image)
            stack.enter_context(loop_mount(image, directory))
        except ToolError as error:
            absent[name] = str(error)
            continue
        disks[name] = directory
        for row in MOUNTS:
            if row.server and row.disk == name:
                (directory / row.share).mkdir()
    return disks, absent


def _start_servers(
    session: Session, scratch: Path, disks: dict[str, Path], stack: ExitStack
) -> dict[str, samba.Server]:
    root = samba.chroot(session.samba, scratch, stack)
    servers = {}
    for name in SMB_SERVERS:
        servers[name] = samba.Server(name, scratch / name, disks, root)
        stack.callback(servers[name].stop)
        servers[name].start()
    return servers


def _guest_images(scratch: Path) -> list[Path]:
    images = [scratch / f"guest-{name}.image" for name in FILE_SYSTEMS]
    for name, image in zip(FILE_SYSTEMS, images):
        make_image(name, image)
    return images


def _write_session(
    session: Session,
    scratch: Path,
    servers: dict[str, samba.Server],
    absent: dict[str, str],
) -> None:
    for directory in ("control", "work"):
        (scratch / directory).mkdir()
    for stream in ("stdout", "stderr"):
        (scratch / stream).touch()
    text = {
        "command": session.command,
        "directory": os.getcwd(),
        "environment": {**os.environ, "PATH": _path_with_this_python()},
        "delay": session.delay,
        "strict": session.strict,
        "ports": {name: server.port for name, server in servers.items()},
        "writable": session.writable,
        "absent": absent,
        "ksmbd": str(setup.KSMBD_TOOLS.path),
    }
    (scratch / "session.json").write_text(json.dumps(text))


def _path_with_this_python() -> str:
    """So that python in the guest is the Python that runs the lab, its packages included."""
    return f"{os.path.dirname(sys.executable)}:{os.environ.get('PATH', os.defpath)}"


def _run_guest(
    session: Session,
    scratch: Path,
    servers: dict[str, samba.Server],
    images: list[Path],
    say: Say,
) -> int:
    argv = machine.command_line(session.kernel, scratch, images, session.writable, session.verbose)
    with ExitStack() as stack:
        log = None if session.verbose else stack.enter_context((scratch / "console").open("wb"))
        started = time.monotonic()
        guest = stack.enter_context(running(argv, log, machine.environment(scratch)))
        _wait_for(scratch / "report.json", guest, scratch)
        report: dict[str, Any] = json.loads((scratch / "report.json").read_text())
        _announce(report, time.monotonic() - started, say)
        if report["skipped"] and session.strict:
            return EXIT_SKIPPED
        return _follow(scratch, servers, guest)


def _wait_for(file: Path, guest: subprocess.Popen[bytes], scratch: Path) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while not file.exists():
        if guest.poll() is not None or time.monotonic() > deadline:
            reason = "did not boot in time" if guest.poll() is None else "ended while it booted"
            logs = "\n".join(tail(scratch / name) for name in ("console", "guest.log"))
            message = f"the guest {reason} (--verbose shows its console)\n{logs}".rstrip()
            raise LabError(message)
        time.sleep(POLL_SECONDS)


def _announce(report: dict[str, Any], seconds: float, say: Say) -> None:
    mounted, skipped = report["mounted"], report["skipped"]
    for name, reason in skipped.items():
        say(f"skipped {name}: {reason}")
    say(
        f"kernel {report['kernel']}, {len(mounted)} mounts, {len(skipped)} skipped, "
        f"boot {seconds:.0f} s"
    )


def _follow(scratch: Path, servers: dict[str, samba.Server], guest: subprocess.Popen[bytes]) -> int:
    """Pass the output on and restart servers until the command has ended."""
    with ExitStack() as stack:
        streams = [
            (stack.enter_context((scratch / "stdout").open("rb")), sys.stdout.buffer),
            (stack.enter_context((scratch / "stderr").open("rb")), sys.stderr.buffer),
        ]
        status = scratch / "status"
        ended = False
        while not ended:
            ended = status.exists() or guest.poll() is not None
            for source, target in streams:
                _pass_on(source, target)
            serve_control(scratch / "control", servers)
            time.sleep(0 if ended else POLL_SECONDS)
    if not status.exists():
        message = f"the guest died (--verbose shows why)\n{tail(scratch / 'guest.log')}"
        raise LabError(message)
    return int(status.read_text())


def _pass_on(source: IO[bytes], target: IO[bytes]) -> None:
    for piece in iter(lambda: source.read(1 << 16), b""):
        target.write(piece)
        target.flush()


def serve_control(directory: Path, servers: dict[str, samba.Server]) -> None:
    """Restart the server that the guest asked for; the request vanishes when it is back."""
    request = directory / "restart"
    name = request.read_text() if request.exists() else ""
    if name.endswith("\n"):  # else it is still being written
        if server := servers.get(name.strip()):
            server.restart()
        else:
            (directory / "error").write_text(f"no server {name.strip()}: {', '.join(servers)}\n")
        request.unlink()
