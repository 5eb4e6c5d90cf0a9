"""Work spread over threads, with its results in order and a bounded amount under way."""

from __future__ import annotations

import atexit
import contextlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar
from weakref import WeakSet

from recordkit.errors import PlanError

MAX_THREADS = 1024
"""More than any machine has CPUs for; each thread has a decoded image in memory."""

# A thread that is going to run does so by then.
_START_S = 1.0

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def count_threads(asked: int) -> int:
    """Return the number of threads to use: `asked`, or as many as CPUs this process may use if that is 0.

    Raises
    ------
    PlanError
        Fewer than 0 or more than `MAX_THREADS` are asked for.

    Examples
    --------
    >>> count_threads(3)
    3
    """
    if not 0 <= asked <= MAX_THREADS:
        raise PlanError(f"threads: expected 0 to {MAX_THREADS}, got {asked}")
    return asked or max(1, min(len(os.sched_getaffinity(0)), _cgroup_cpus()))


def _cgroup_cpus() -> int:
    """CPUs that the control group allows, rounded up; many if it sets no limit."""
    try:
        with open("/sys/fs/cgroup/cpu.max", encoding="ascii") as file:
            quota, period = file.read().split()
        return -(-int(quota) // int(period))
    except (OSError, ValueError):  # no version 2 control group, or quota "max"
        return 1 << 16


class InOrder(Iterator[_Result]):
    """``work(item)`` for each item, done by threads, in the items' order.

    At most two items a thread are under way or waiting to be taken, so memory does not grow with their number. An
    error of `work`, or of `items`, is raised here, with its own type. Used as a context, it is closed at the end.

    Forgotten, it ends by itself, without waiting for its threads: Python may find that out anywhere, also where a
    thread is being started, and whoever waits there waits forever.

    Parameters
    ----------
    work : callable
    items : iterable
    n_threads : int
        One is the caller's own, unless it is to work `ahead`.
    ahead : bool, default False
        Also a single thread works while the caller does something else.

    Examples
    --------
    >>> with InOrder(abs, [-3, 1, -2], n_threads=2) as results:
    ...     list(results)
    [3, 1, 2]
    """

    def __init__(
        self, work: Callable[[_Item], _Result], items: Iterable[_Item], n_threads: int, *, ahead: bool = False
    ) -> None:
        self._work = work
        self._n_threads = 0 if n_threads == 1 and not ahead else n_threads
        self._todo: SimpleQueue[_Job | None] = SimpleQueue()
        self._window: deque[_Job] = deque()
        self._threads: list[Thread] = []
        self._process = os.getpid()
        self._items = iter(items)
        _live.add(self)

    def __next__(self) -> _Result:
        if not self._n_threads:
            return self._work(next(self._items))
        while len(self._window) < 2 * self._n_threads:
            try:
                self._submit(next(self._items))
            except StopIteration:
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
        job = _Job(self._work, item)
        self._window.append(job)
        self._todo.put(job)
        if len(self._threads) < self._n_threads:
            # The system does not wait for them when the program ends; `_close_all` does.
            thread = Thread(target=_serve, args=(self._todo,), name="recordkit", daemon=True)
            self._threads.append(thread)  # first, because Ctrl-C may come while it is being started
            thread.start()

    def close(self) -> None:
        """Let go of what is not begun, and wait for the rest. A second call does nothing."""
        self._stop()
        if os.getpid() == self._process:
            for thread in self._threads:
                _join(thread)
        self._threads.clear()

    def __enter__(self) -> InOrder[_Result]:
        return self

    def __exit__(self, *_about: object) -> None:
        self.close()

    def __del__(self) -> None:
        self._stop()

    def _stop(self) -> None:
        """Tell the threads to end; whatever holds a lock, this does not wait for it."""
        self._items = iter(())
        self._window.clear()
        if os.getpid() != self._process:  # a forked one has no threads
            return
        with contextlib.suppress(Empty):
            while True:
                self._todo.get_nowait()
        self._todo.put(None)


def _join(thread: Thread) -> None:
    """Wait for a thread's end, also for that of one whose start was interrupted, perhaps before it began."""
    until_s = time.monotonic() + _START_S
    while thread.ident is None and time.monotonic() < until_s:
        time.sleep(0.001)
    if thread.ident is not None:
        thread.join()


class _Job:
    """One item on its way. `done` is held until it is."""

    __slots__ = ("done", "error", "item", "result", "work")

    def __init__(self, work: Callable[[Any], Any], item: Any) -> None:
        self.work = work
        self.item = item
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = Lock()
        self.done.acquire()


def _serve(todo: SimpleQueue[_Job | None]) -> None:
    """Do jobs. Between them nothing is held that would keep alive whoever asks for them."""
    while (job := todo.get()) is not None:
        try:
            job.result = job.work(job.item)
        except BaseException as error:  # noqa: BLE001 (raised where the result is taken)
            job.error = error
        job.done.release()
        del job
    todo.put(None)  # for the next one


_live: WeakSet[InOrder[Any]] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Wait for threads that are at work when the program ends: what they use is about to go."""
    for each in list(_live):
        each.close()
