"""Threads: how many to use, a lock of each process, and a parallel map with ordered results and bounded memory."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from numbers import Integral
from queue import Empty, SimpleQueue
from threading import Lock, RLock, Thread, local
from typing import Any, TypeVar
from weakref import WeakSet

from recordkit.errors import PlanError

MAX_THREADS = 1024
"""Largest number of threads. Each thread keeps a decoded image in memory."""

# How long to wait for a started thread to begin to run, before it is left alone.
_START_S = 1.0

_of_thread = local()

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def count_threads(threads: int) -> int:
    """Return the number of threads to use.

    Parameters
    ----------
    threads : int, 0 to `MAX_THREADS`
        0 chooses as many as CPUs this process may use (affinity and control group).

    Returns
    -------
    n_threads : int, at least 1

    Raises
    ------
    PlanError
        `threads` is not a whole number from 0 to `MAX_THREADS`.

    Examples
    --------
    >>> count_threads(3)
    3
    """
    if not isinstance(threads, Integral) or not 0 <= threads <= MAX_THREADS:
        raise PlanError(argument="threads", expected=f"0 to {MAX_THREADS}", got=repr(threads))
    return threads or max(1, min(_affinity_cpus(), _cgroup_cpus()))


def _affinity_cpus() -> int:
    """Return how many CPUs this process may run on; all of the machine on systems other than Linux."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cgroup_cpus() -> int:
    """Return how many CPUs the control group allows, rounded up; a large number if it sets no limit."""
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no version 2 control group, or quota "max"
        return 1 << 16


class ProcessLock:
    """A lock of which a forked process makes its own, because a thread that it does not have may hold the other one."""

    def __init__(self) -> None:
        self._lock, self._process = RLock(), os.getpid()

    def get(self) -> AbstractContextManager[bool]:
        """Return the lock of this process."""
        if self._process != os.getpid():
            self._lock, self._process = RLock(), os.getpid()
        return self._lock


class ThreadedMap(Iterator[_Result]):
    """An iterator over ``function(item)`` for each item, computed by threads, in the order of the items.

    At most `n_ahead` items are in progress or finished but not taken, so memory does not grow with the number of items.
    ``next`` raises an error of `function` at its item's turn, and an error of `items` when the item is read. If the
    system can start no more threads, those that run do all the work; without any, the thread that calls ``next`` does.

    It is a context manager that calls `close`. If it is dropped without close(), the finaliser signals the threads
    but does not join them: the garbage collector may run inside Thread.start, where a join would deadlock.

    Parameters
    ----------
    function : callable
    items : iterable
        Consumed by the thread that calls ``next``.
    n_threads : int, at least 1
        With 1, `function` runs in the thread that calls ``next``, unless `ahead` is set.
    ahead : bool, default False
        Use a thread even if `n_threads` is 1, so that it works while the caller does something else.
    n_ahead : int, optional
        Largest number of items in progress or finished but not taken, at least 1; by default two per thread.
    stopped : bytearray, optional
        Its first byte becomes 1 when the map is closed. A `function` that works for long looks at it now and then, and
        returns early with any result.

    Examples
    --------
    >>> with ThreadedMap(abs, [-3, 1, -2], n_threads=2) as results:
    ...     list(results)
    [3, 1, 2]
    """

    def __init__(
        self,
        function: Callable[[_Item], _Result],
        items: Iterable[_Item],
        n_threads: int,
        *,
        ahead: bool = False,
        n_ahead: int | None = None,
        stopped: bytearray | None = None,
    ) -> None:
        self._function = function
        self._n_threads = 0 if n_threads == 1 and not ahead else n_threads
        self._n_ahead = n_ahead or 2 * n_threads
        self._stopped = bytearray(1) if stopped is None else stopped
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._window: deque[Job] = deque()
        self._threads: list[Thread] = []
        self._pid = os.getpid()
        self._items = iter(items)
        _open_maps.add(self)

    def __next__(self) -> _Result:
        if not self._n_threads and not self._window:
            return self._function(next(self._items))
        while len(self._window) < self._n_ahead:
            try:
                self._submit(next(self._items))
            except StopIteration:
                break
            if not self._n_threads:  # none could be started, and the item is computed already
                break
        if not self._window:
            self.close()
            raise StopIteration
        job = self._window.popleft()
        job.done.acquire()
        if job.error is not None:
            raise job.error
        result: _Result = job.result
        return result

    def _submit(self, item: Any) -> None:
        job = Job(self._function, item)
        self._window.append(job)
        self._queue.put(job)
        if len(self._threads) < self._n_threads:
            # A daemon, because `_close_all` joins the threads when the program ends.
            thread = Thread(target=run_jobs, args=(self._queue, self._stopped), name="recordkit", daemon=True)
            self._threads.append(thread)  # before the start, which Ctrl-C may interrupt
            _all_threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads
                self._threads.remove(thread)
                self._n_threads = len(self._threads)
                if not self._threads:
                    self._queue.get_nowait()
                    run_job(job)

    def close(self) -> None:
        """Discard the items that have not been started, and wait for the others. A second call does nothing."""
        self._stop()
        if os.getpid() == self._pid:
            for thread in self._threads:
                _join(thread)
        self._threads.clear()

    def __enter__(self) -> ThreadedMap[_Result]:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop()

    def _stop(self) -> None:
        """Tell the threads to end. This takes no lock, because the garbage collector may call it anywhere."""
        self._items = iter(())
        self._window.clear()
        self._stopped[0] = 1
        if os.getpid() != self._pid:  # a forked process has no threads
            return
        with contextlib.suppress(Empty):
            while True:
                self._queue.get_nowait()
        self._queue.put(None)


def is_stopped() -> bool:
    """Tell whether the map for which this thread works was closed, so that nobody waits for the result.

    A function that waits for something else, such as a network, looks at it now and then. It is false in other threads.
    """
    return bool(getattr(_of_thread, "stopped", b"\0")[0])


def _join(thread: Thread) -> None:
    """Wait until a thread ends. Its start may have been interrupted, before or after it began to run."""
    deadline_s = time.monotonic() + _START_S
    while thread.ident is None and time.monotonic() < deadline_s:
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join()


class Job:
    """One call of the function. The lock `done` is released when it has finished."""

    __slots__ = ("done", "error", "function", "item", "result")

    def __init__(self, function: Callable[[Any], Any], item: Any) -> None:
        self.function = function
        self.item = item
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()


def run_jobs(queue: SimpleQueue[Job | None], stopped: bytearray) -> None:
    """Run jobs until None arrives. An idle thread keeps no reference to a job, whose function may own the map."""
    _of_thread.stopped = stopped
    while (job := queue.get()) is not None:
        run_job(job)
        del job
    queue.put(None)  # for the next thread


def run_job(job: Job) -> None:
    """Make the call of a job, and keep its result or its error."""
    try:
        job.result = job.function(job.item)
    except BaseException as error:  # noqa: BLE001 (whoever waits for the job raises it)
        job.error = error
    job.done.release()


_open_maps: WeakSet[ThreadedMap[Any]] = WeakSet()
_all_threads: WeakSet[Thread] = WeakSet()  # those of dropped maps too, which still finish their items


@atexit.register
def _close_all() -> None:
    """Wait for running threads when the program ends, because the interpreter removes what they use."""
    for threaded_map in list(_open_maps):
        threaded_map.close()
    for thread in list(_all_threads):
        _join(thread)
