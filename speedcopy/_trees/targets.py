"""Where a tree is copied to: how many copies at once help there."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, NamedTuple, Optional

from speedcopy._trees.executors import is_elsewhere

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from speedcopy._types import Path

_MOUNTS = "/proc/self/mountinfo"

#: Types of network file systems whose source has neither a colon nor two slashes.
_NETWORK = ("9p", "afs", "beegfs", "ceph", "cifs", "gpfs", "lustre", "nfs", "nfs4", "smb3")


#: SMB at 5 ms a round trip, 120 files of 64 KiB, native copies with times: 8 threads took 1.62 s,
#: 16 took 1.57, 32 took 1.94 and 64 took 2.05.
REMOTE_WORKERS = 16

#: The client knows for 1 s what a listing has said. A file in a batch of 4 took 8.3 requests, one
#: in a batch of 20 took 11.8.
_REMOTE_BATCH = 4

#: 10,000 files of 4 KiB on ext4, 2 CPUs, native copies: 75 us a file on 1 thread, 52 on 4. By a
#: second thread, a C program gains 23 %: the locks of the file system let through one at a time.
_MOST_LOCAL_WORKERS = 4

#: The same files on tmpfs, CPU time: 27 us a file in batches of 4, 19 in batches of 16, 17 in
#: batches of 64, and no less in larger ones.
_LOCAL_BATCH = 64

#: dask takes 30 ms a task, whatever is in it.
_BATCH_ELSEWHERE = 256


#: What a worker may have open: two directories, two files, a directory that is being read, and one
#: more for looking at metadata.
_DESCRIPTORS = 6


class Target(NamedTuple):
    """How a tree is copied."""

    workers: int
    #: How many files a task has.
    batch: int
    #: Directories are made, read and finished by the workers, not by the calling thread.
    remote: bool
    #: dst is on NFS.
    nfs: bool = False


def target(src: Path, dst: Path, *, workers: Optional[int], executor: Optional[Executor]) -> Target:
    """How to copy a tree between these directories."""
    to = share(dst)
    remote = bool(to or share(src))
    batch = _REMOTE_BATCH if remote else _LOCAL_BATCH
    default = REMOTE_WORKERS if remote else _local_workers()
    if is_elsewhere(executor):
        batch, default = max(batch, _BATCH_ELSEWHERE), REMOTE_WORKERS
    most = max(1, _free_descriptors() // _DESCRIPTORS)
    return Target(min(workers or default, most), batch, remote, to.startswith("nfs"))


def share(path: Path) -> str:
    """The type of file system if a round trip to it may take long, or "".

    Asks no server. FUSE is taken for a share, as most of it is one. What is not known is local.
    """
    name = os.fsdecode(path)
    if os.name == "nt":
        return "share" if os.path.abspath(name).startswith("\\\\") else ""
    with contextlib.suppress(OSError, AttributeError, IndexError, ValueError):
        device = os.stat(name).st_dev
        if os.major(device) == 0:  # no disk
            return _network(f"0:{os.minor(device)}")
    return ""


def is_below(src: Path, dst: Path) -> bool:
    """Whether src is dst or lies in it: then a copy may write what another one reads."""
    with contextlib.suppress(OSError):
        top, path = os.stat(dst), os.path.realpath(src)
        while not os.path.samestat(os.stat(path), top):
            path, below = os.path.dirname(path), path
            if path == below:
                return False
        return True
    return False


def _free_descriptors() -> int:
    """How many descriptors this process may still open."""
    with contextlib.suppress(OSError, ImportError):
        # Windows has no such module, and no such limit.
        import resource  # noqa: PLC0415

        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY:
            return limit - len(os.listdir("/dev/fd"))
    return 1 << 30


def _network(device: str) -> str:
    """The type of file system by a device number of no disk, or "" if it is none of a network."""
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == device:
                # ID PARENT DEVICE ROOT POINT OPTIONS [TAGS...] - TYPE SOURCE OPTIONS
                kind, source = fields[fields.index("-") + 1 :][:2]
                has_host = ":/" in source or source.startswith("//")
                return kind if has_host or kind in _NETWORK or kind.startswith("fuse") else ""
    return ""


def _local_workers() -> int:
    """The processors that this process may use, up to a limit."""
    affinity = getattr(os, "sched_getaffinity", None)
    cpus = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(_MOST_LOCAL_WORKERS, cpus)
