"""The threads of this process that send requests to stores. All files share them, so that their number is bounded."""

from __future__ import annotations

import atexit
import os
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# A request that hangs must not keep a program from ending.
_END_S = 2.0


class RequestPool:
    """Threads that run functions, started as they are needed.

    Parameters
    ----------
    n_threads : int, at least 1
    """

    def __init__(self, n_threads: int) -> None:
        self.n_threads = n_threads
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = Lock()
        self._threads: list[Thread] = []
        self._n_jobs = 0  # that wait or run

    def submit(self, function: Callable[..., _Result], *arguments: Any) -> Future[_Result]:
        """Run a function in a thread. If the system has no more threads, and none runs, the caller runs it."""
        future: Future[_Result] = Future()

        def run() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    result = function(*arguments)
                except BaseException as error:  # noqa: BLE001 (raised by whoever waits for the result)
                    future.set_exception(error)
                else:
                    future.set_result(result)
            with self._lock:
                self._n_jobs -= 1

        with self._lock:
            self._n_jobs += 1
            if len(self._threads) < min(self._n_jobs, self.n_threads):
                self._start_thread()
            has_threads = bool(self._threads)
        if has_threads:
            self._queue.put(run)
        else:
            run()
        return future

    def _start_thread(self) -> None:
        thread = Thread(target=self._run, name="recordkit-request", daemon=True)
        self._threads.append(thread)
        try:
            thread.start()
        except RuntimeError:  # the system has no more threads
            self._threads.remove(thread)

    def _run(self) -> None:
        while (job := self._queue.get()) is not None:
            job()
            del job  # an idle thread keeps no file alive
        self._queue.put(None)  # for the next thread

    def close(self) -> None:
        """Discard the functions that have not begun, and wait a moment for the others."""
        try:
            while True:
                self._queue.get_nowait()
        except Empty:
            self._queue.put(None)
        end_s = time.monotonic() + _END_S
        for thread in self._threads:
            thread.join(max(0.0, end_s - time.monotonic()))


def call_at_once(function: Callable[[_Item], _Result], items: Iterable[_Item], n_threads: int) -> list[_Result]:
    """Return the results of a function for some items, computed by threads of their own, which may wait for the pool.

    After an error or Ctrl-C no further call begins, and those that run get a moment to end.

    Parameters
    ----------
    function : callable
    items : iterable
    n_threads : int, at least 1
        Largest number of calls at once.

    Examples
    --------
    >>> call_at_once(abs, [-3, 1, -2], 2)
    [3, 1, 2]
    """
    pool = RequestPool(n_threads)
    try:
        futures = [pool.submit(function, item) for item in items]
        return [future.result() for future in futures]
    finally:
        pool.close()


_pools: dict[int, RequestPool] = {}
_pools_lock = Lock()


def request_pool(n_requests: int) -> RequestPool:
    """Return the pool of this process. The largest number of requests that was asked for is its limit.

    Parameters
    ----------
    n_requests : int, at least 1
        Number of requests at once.
    """
    with _pools_lock:
        pool = _pools.setdefault(os.getpid(), RequestPool(n_requests))
        pool.n_threads = max(pool.n_threads, n_requests)
        return pool


def _forget_threads() -> None:
    """Forget the pool of the parent in a forked process, which has no threads."""
    global _pools_lock
    _pools_lock = Lock()
    _pools.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


@atexit.register
def _close_pools() -> None:
    for pool in _pools.values():
        pool.close()
