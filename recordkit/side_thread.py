"""A thread that makes single calls while the one that it belongs to does something else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

from recordkit.threads import Job, run_job, run_jobs

_Item = TypeVar("_Item")


class SideThread:
    """A thread that makes one call while its owner does something else.

    It starts with the first call; a forked process starts one of its own. If the system has no more threads, the owner
    makes the calls.

    Examples
    --------
    >>> side, squares = SideThread(), []
    >>> with side.calling(squares.append, 9):
    ...     pass  # something else
    >>> squares
    [9]
    >>> side.close()
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._pid = os.getpid()

    @contextlib.contextmanager
    def calling(self, function: Callable[[_Item], object], item: _Item) -> Iterator[None]:
        """Call ``function(item)`` during the ``with`` block, which waits for the end and raises the call's error."""
        job = Job(function, item)
        if self._start():
            self._queue.put(job)
        else:
            run_job(job)
        try:
            yield
        finally:
            job.done.acquire()
        if job.error is not None:
            raise job.error

    def _start(self) -> bool:
        """Start the thread if it does not run; return False if none can be started."""
        self._forget_after_fork()
        if self._thread is None:
            # A daemon: the program may end without a call of `close`.
            thread = Thread(target=run_jobs, args=(self._queue, bytearray(1)), name="recordkit", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system has no more threads
                return False
            self._thread = thread
        return True

    def _forget_after_fork(self) -> None:
        """In a forked process, forget the thread, which runs in the other process alone, and what it was told."""
        if self._pid != os.getpid():
            self._queue, self._thread, self._pid = SimpleQueue(), None, os.getpid()

    def close(self) -> None:
        """End the thread. A second call does nothing."""
        self._forget_after_fork()
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self._queue.put(None)
