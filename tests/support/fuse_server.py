"""What our FUSE servers have in common: how they start, read requests and answer them.

A server is a module with a ``main(parent, ...)`` that runs in a process of its own.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Callable, Optional

from support.filesystems import UnavailableError
from support.fuse_wire import HANDLE, MAX_WRITE, Request, reply
from support.python import importing

if TYPE_CHECKING:
    from collections.abc import Iterator

READY = "ready"


class Server:
    """Serves requests. A subclass has a method per operation: ``_open`` for open and so on.

    Such a method gets a node and the body of the request, and returns the body of the answer. An
    OSError is answered with its errno.
    """

    def __init__(self, device: int) -> None:
        """``device`` is an open /dev/fuse that is mounted."""
        self.device = device

    def answer(self) -> None:
        """Answers one request, unless it has to wait. Raises OSError after an unmount."""
        request = Request.of(os.read(self.device, MAX_WRITE + 8192))
        if request.operation == "forget":
            return
        if request.operation == "interrupt":
            self.interrupted(*HANDLE.unpack_from(request.body))
            return
        name = f"_{request.operation}"
        method: Optional[Callable[[int, bytes], bytes]] = getattr(self, name, None)
        try:
            if method is None:
                raise OSError(errno.ENOSYS, name)  # noqa: TRY301
            if self.has_to_wait(request):
                return
            answer = reply(request.unique, method(request.nodeid, request.body))
        except OSError as error:
            answer = reply(request.unique, code=error.errno or errno.EIO)
        self.send(answer)

    def send(self, message: bytes) -> None:
        """Sends an answer."""
        with suppress(FileNotFoundError):  # nobody waits for it any more
            os.write(self.device, message)

    def has_to_wait(self, _request: Request) -> bool:
        """Whether the answer comes later. Raises OSError if the request fails."""
        return False

    def interrupted(self, _unique: int) -> None:
        """Called when the process that made the request has got a signal."""


def mounted_device(parent: str, folder: str) -> int:
    """Mounts a new /dev/fuse, in the process of a server. The process ends if that fails.

    The kernel kills the process when its parent ends.
    """
    pr_set_pdeathsig, sigkill, nosuid, nodev = 1, 9, 2, 4
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(pr_set_pdeathsig, sigkill, 0, 0, 0)
    if os.getppid() != int(parent):
        os._exit(1)
    try:
        device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        sys.exit(f"no FUSE: {error}")
    options = f"fd={device},rootmode={stat.S_IFDIR:o},user_id=0,group_id=0,allow_other".encode()
    where = os.fsencode(folder)
    if libc.mount(b"hostile", where, b"fuse.hostile", nosuid | nodev, options):
        sys.exit(f"no FUSE: {os.strerror(ctypes.get_errno())}")
    return device


def tell(text: object) -> None:
    """Sends the parent a line."""
    print(text, flush=True)  # noqa: T201


@contextmanager
def server_process(module: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    """Starts a server, and waits until it is mounted. It never outlives this process.

    Raises UnavailableError.
    """
    command = [sys.executable, "-m", module, str(os.getpid()), *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, env=importing()
    ) as server:
        assert server.stdout
        assert server.stderr
        if server.stdout.readline().decode().strip() != READY:
            raise UnavailableError(server.stderr.read().decode().strip()[-200:])
        yield server
