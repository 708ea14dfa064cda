"""What this process may do while it copies: its user, umask, resource limits and time.

Each is a context manager.
"""

from __future__ import annotations

import os
import signal
import stat
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Callable

import pytest

resource: Any
try:
    import resource
except ModuleNotFoundError:
    resource = None

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

NOBODY = 65534

#: A copy that takes longer hangs. Seconds.
PATIENCE = 30


@contextmanager
def unprivileged() -> Iterator[None]:
    """Runs the block as another user than root, so that permissions are checked."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """The process's umask."""
    if os.name == "nt" and mask & stat.S_IWUSR:
        pytest.skip("no umask but the C library's own here")
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def limit(name: str, value: int) -> Iterator[None]:
    """A soft resource limit, such as RLIMIT_FSIZE."""
    if not resource:
        pytest.skip("no resource limits here")
    kind = getattr(resource, name)
    soft, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value, hard))
    try:
        yield
    finally:
        resource.setrlimit(kind, (soft, hard))


@contextmanager
def all_of(*contexts: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """Enters several contexts, the last one innermost."""
    with ExitStack() as stack:
        for context in contexts:
            stack.enter_context(context())
        yield


@contextmanager
def descriptors_left(count: int) -> Iterator[None]:
    """Leaves the process only ``count`` descriptors that it may open."""
    with ExitStack() as stack:
        stack.enter_context(limit("RLIMIT_NOFILE", 200))
        taken: list[int] = []

        def close_all() -> None:
            for fd in taken:
                os.close(fd)

        stack.callback(close_all)
        with suppress(OSError):
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        for _ in range(count):
            os.close(taken.pop())
        yield


@contextmanager
def patience() -> Iterator[None]:
    """Fails a copy that hangs, where the system has a timer for it."""

    def give_up(*_: object) -> None:
        msg = f"still copying after {PATIENCE} s"
        raise AssertionError(msg)

    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
