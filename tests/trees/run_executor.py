"""Copies a tree by an executor: ``python -m trees.run_executor NAME SRC DST [KILL]``.

Prints what came of it as JSON. With KILL, one worker process is killed when some files are copied.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import sys
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Callable

from speedcopy._trees.copytree import copytree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from speedcopy import Done

WORKERS = 2

#: An executor, and a function that kills one of its processes.
Started = tuple[Executor, Callable[[], None]]


def kill(pid: int) -> None:
    """Ends a process as a machine does that is switched off."""
    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))


@contextlib.contextmanager
def threads() -> Iterator[Started]:
    """Threads of this process."""
    with ThreadPoolExecutor(WORKERS) as executor:
        yield executor, lambda: None


@contextlib.contextmanager
def processes(how: str) -> Iterator[Started]:
    """Processes of the standard library.

    The one that is killed may hold the lock of the queue. The others then wait for it for ever, and
    so does the shutdown of CPython 3.11, unless these are killed as well.
    """
    executor = ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(how))
    pool: Any = executor
    started: dict[int, Any] = pool._processes  # noqa: SLF001
    try:
        yield executor, lambda: kill(next(iter(started)))
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in [*started.values()]:
            process.kill()


@contextlib.contextmanager
def loky() -> Iterator[Started]:
    """Processes that are used again."""
    from loky import get_reusable_executor  # type: ignore[import-not-found, import-untyped, unused-ignore]

    executor = get_reusable_executor(WORKERS)
    try:
        yield executor, lambda: kill(next(iter(executor._processes)))  # noqa: SLF001
    finally:
        executor.shutdown(kill_workers=True)


@contextlib.contextmanager
def dask() -> Iterator[Started]:
    """A cluster of worker processes, each with a nanny that starts it again."""
    from distributed import Client, LocalCluster  # type: ignore[import-not-found, unused-ignore]

    with (
        LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client.get_executor(), lambda: kill(cluster.workers[0].pid)


EXECUTORS: dict[str, Callable[[], contextlib.AbstractContextManager[Started]]] = {
    "threads": threads,
    **{
        how: lambda how=how: processes(how)  # type: ignore[misc]
        for how in multiprocessing.get_all_start_methods()
    },
    "loky": loky,
    "dask": dask,
}


def main(name: str, src: str, dst: str, *killing: str) -> None:
    """Copies, and prints the files copied, the error, its notes, and what was heard of it."""
    heard: list[str] = []
    sys.addaudithook(
        lambda event, arguments: heard.append(arguments[0]) if event == "shutil.copyfile" else None
    )
    seen: list[Done] = []
    to_kill = [*killing]
    result: dict[str, Any] = {"error": None, "notes": []}
    with EXECUTORS[name]() as (executor, kill_one):

        def progress(done: Done) -> None:
            seen.append(done)
            if to_kill and done.files:
                to_kill.clear()
                kill_one()

        try:
            copytree(src, dst, executor=executor, workers=WORKERS, progress=progress)
        except Exception as error:  # noqa: BLE001
            result["error"] = [kind.__name__ for kind in type(error).__mro__]
            result["notes"] = getattr(error, "__notes__", [])
    print(json.dumps({**result, "done": seen[-1] if seen else None, "heard": sorted(heard)}))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
