"""The executors of a tree that brings none."""

from __future__ import annotations

import queue
import sys
import threading
from concurrent.futures import Executor, Future
from typing import Any, Callable, Optional

_Work = tuple["Future[Any]", Callable[..., Any], tuple[object, ...]]


def is_elsewhere(executor: Optional[Executor]) -> bool:
    """Whether an executor may work in another process.

    ThreadPoolExecutor is not imported for that: while the interpreter exits, its module cannot be.
    """
    threads = sys.modules.get("concurrent.futures.thread")
    return not (executor is None or (threads and isinstance(executor, threads.ThreadPoolExecutor)))


def _work(future: Future[Any], function: Callable[..., Any], arguments: tuple[object, ...]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function(*arguments))
    except BaseException as error:  # noqa: BLE001 (whoever asks for the result gets it)
        future.set_exception(error)


class Inline(Executor):
    """Runs what it is given at once, on the calling thread."""

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], /, *arguments: object
    ) -> Future[Any]:
        """Calls the function. What the calling thread is interrupted by is raised here."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:  # noqa: BLE001
            future.set_exception(error)
        return future


class Threads(Executor):
    """Runs what it is given on threads of its own, as many as the system lets it have.

    A ThreadPoolExecutor refuses all work while the interpreter exits, and raises where the system
    refuses a thread. A copy must go on there. So what no thread can do is done at once.
    """

    def __init__(self, most: int) -> None:
        """Starts no thread yet."""
        self._most = most
        self._threads: list[threading.Thread] = []
        self._waiting: queue.SimpleQueue[Optional[_Work]] = queue.SimpleQueue()

    def submit(  # type: ignore[override]
        self, function: Callable[..., Any], /, *arguments: object
    ) -> Future[Any]:
        """Has a thread call the function."""
        future: Future[Any] = Future()
        if len(self._threads) < self._most:
            self._start()
        if self._threads:
            self._waiting.put((future, function, arguments))
        else:
            _work(future, function, arguments)
        return future

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="speedcopy")
        self._threads.append(thread)  # before the start, which a signal handler may interrupt
        try:
            thread.start()
        except RuntimeError:  # no more threads; or none any more, since the interpreter exits
            self._threads.remove(thread)
            self._most = len(self._threads)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            _work(*work)
            del work  # its result may be large, and the next one may be long in coming
        self._waiting.put(None)  # for the next thread

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT002
        """Lets the threads end after what they have been given."""
        del cancel_futures  # who stops a tree cancels them
        self._waiting.put(None)
        if wait:
            for thread in self._threads:
                if thread.ident is not None:  # an interrupted start may have started none
                    thread.join()
        self._threads.clear()
        self._most = 0
