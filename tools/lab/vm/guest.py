"""One run, seen from inside the guest: mounts, then the command.

Started as root by boot.sh, with the scratch directory as its argument. Few imports: each costs
the emulated machine a part of a second.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.vm.guest_mounts import Mounts, delay_network, run
from lab.vm.mounts import GUEST_WRITABLE, PREFIX, SHARE_MOUNT

if TYPE_CHECKING:
    from collections.abc import Mapping

NOT_FOUND = 127  # as in a shell

# A daemon that the command leaves behind may hold its end of the output open.
LAST_OUTPUT_SECONDS = 1.0


def main(scratch: Path) -> None:
    """Mount, report, run the command, write its exit code."""
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    session: dict[str, Any] = json.loads((scratch / "session.json").read_text())
    mounts = Mounts(scratch / "disk", session["ports"], session["absent"], Path(session["ksmbd"]))
    mounts.mount_all()
    for number, directory in enumerate(session["writable"]):
        run("mount", "--bind", f"{GUEST_WRITABLE}/{number}", directory)
    if session["delay"]:
        delay_network(session["delay"])
    report = {
        "kernel": os.uname().release,
        "mounted": list(mounts.here),
        "skipped": mounts.skipped,
    }
    write_whole(scratch / "report.json", json.dumps(report))
    if not (mounts.skipped and session["strict"]):
        own = variables(mounts, scratch)
        write_whole(scratch / "status", str(run_command(session, own, scratch)))


def variables(mounts: Mounts, scratch: Path) -> dict[str, str]:
    """What the command finds in its environment."""
    own = {PREFIX + name: str(path) for name, path in mounts.here.items()}
    own.update(
        {f"{PREFIX}{name}_SERVER": str(path) for name, path in mounts.servers.items()},
    )
    own[PREFIX + "MOUNTS"] = " ".join(mounts.here)
    own[PREFIX + "SKIPPED"] = " ".join(mounts.skipped)
    own[PREFIX + "SCRATCH"] = str(scratch / "work")
    own[PREFIX + "CONTROL"] = str(scratch / "control")
    if SHARE_MOUNT in mounts.here:
        own["SHARE"] = str(mounts.here[SHARE_MOUNT])
    return own


def run_command(session: Mapping[str, Any], own: Mapping[str, str], scratch: Path) -> int:
    """Run the command with its output passed on; its exit code, as a shell has it."""
    streams = [os.pipe() for _ in range(2)]
    try:
        process = subprocess.Popen(
            [expanded(argument, own) for argument in session["command"]],
            cwd=session["directory"],
            env={**session["environment"], **own},
            stdin=subprocess.DEVNULL,
            stdout=streams[0][1],
            stderr=streams[1][1],
        )
    except OSError as error:
        for end in (*streams[0], *streams[1]):
            os.close(end)
        (scratch / "stderr").write_text(f"lab: {error}\n")
        return NOT_FOUND
    relays = [
        start_relay(source, target, scratch / name)
        for (source, target), name in zip(streams, ("stdout", "stderr"))
    ]
    code = process.wait()
    for relay in relays:
        relay.join(LAST_OUTPUT_SECONDS)
    if code >= 0:
        return code
    with (scratch / "stderr").open("a") as stderr:
        stderr.write(f"lab: {session['command'][0]}: {signal.strsignal(-code)}\n")
    return 128 - code


def start_relay(source: int, command_end: int, path: Path) -> threading.Thread:
    """Pass output on through a pipe: a command may open /dev/stdout anew, at its beginning."""
    os.close(command_end)

    def relay() -> None:
        with open(source, "rb", buffering=0) as pipe, path.open("ab", buffering=0) as target:
            for piece in iter(lambda: pipe.read(1 << 16), b""):
                target.write(piece)

    thread = threading.Thread(target=relay, daemon=True)
    thread.start()
    return thread


def expanded(argument: str, own: Mapping[str, str]) -> str:
    """An argument with the lab's variables put in, unless it is a script for a shell."""
    if re.search(r"\s", argument):
        return argument
    return re.sub(
        r"\$(?:(\w+)|\{(\w+)\})", lambda found: own.get(found[1] or found[2], found[0]), argument
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file that appears with all its content."""
    draft = path.with_name(path.name + ".draft")
    draft.write_text(text)
    draft.rename(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
