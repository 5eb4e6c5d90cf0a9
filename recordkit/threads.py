"""Work spread over threads, with its results in order and a bounded amount under way."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from recordkit.errors import PlanError

MAX_THREADS = 1024
"""More than any machine has CPUs for; each thread has a decoded image in memory."""

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


def in_order(
    work: Callable[[_Item], _Result], items: Iterable[_Item], n_threads: int, *, ahead: bool = False
) -> Generator[_Result, None, None]:
    """Yield ``work(item)`` for each item, in the items' order.

    At most two items a thread are under way or waiting to be taken, so memory does not grow with their number. An
    error of `work` is raised here, with its own type. One thread is the caller's own, unless it is to work `ahead`
    while the caller does something else.

    Examples
    --------
    >>> list(in_order(abs, [-3, 1, -2], n_threads=2))
    [3, 1, 2]
    """
    if n_threads == 1 and not ahead:
        yield from map(work, items)
        return
    window: deque[Future[_Result]] = deque()
    process = os.getpid()
    pool = ThreadPoolExecutor(n_threads, "recordkit")
    try:
        for item in items:
            window.append(pool.submit(work, item))
            if len(window) >= 2 * n_threads:
                yield window.popleft().result()
        while window:
            yield window.popleft().result()
    finally:
        if os.getpid() == process:  # a forked one has neither the threads nor, perhaps, a lock that one of them held
            pool.shutdown(cancel_futures=True)
