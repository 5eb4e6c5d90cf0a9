"""Memory budgets: how many bytes a loader or a pack may use, and how its threads share them.

Before a thread decodes an image it takes the bytes that this needs, and waits until they are free. An image that needs
more than the budget is refused before memory is allocated. Most images need no more than a thread's share, which needs
no lock; so the budget costs nothing until images are large.

A thread takes the bytes of one image at a time, and holds nothing else that another thread may be waiting for.
Therefore no two threads can wait for each other.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Condition

from recordkit.errors import ImageError, PlanError

MIN_MEMORY = 1 << 20
"""Smallest budget, in bytes."""

_MIB = 1 << 20
_MAX_MEMORY = 1 << 62  # more than any machine has; the core counts in 64 bits
_DEFAULT_FRACTION = 4  # of the machine's memory
_CGROUPS = Path("/sys/fs/cgroup")


def choose_memory(memory: int | str | None) -> int:
    """Return the budget in bytes: the argument, or a quarter of the memory of the machine or of the control group.

    Parameters
    ----------
    memory : int, str or None
        A text is as for `parse_size`.

    Raises
    ------
    PlanError
        `memory` is less than `MIN_MEMORY`.

    Examples
    --------
    >>> choose_memory(1 << 30), choose_memory("1G")
    (1073741824, 1073741824)
    """
    if memory is None:
        return max(MIN_MEMORY, min(_machine_bytes(), _cgroup_bytes()) // _DEFAULT_FRACTION)
    n_bytes = parse_size(memory) if isinstance(memory, str) else memory
    if isinstance(n_bytes, bool) or not isinstance(n_bytes, int) or n_bytes < MIN_MEMORY:
        expected = f"a number of bytes, at least {MIN_MEMORY}, or a text as 512M or 2G"
        raise PlanError(argument="memory", expected=expected, got=repr(memory))
    return min(n_bytes, _MAX_MEMORY)


def read_size(size: int | str, argument: str) -> int:
    """Return the bytes of a size of a file, a number or a text as for `parse_size`.

    Parameters
    ----------
    size : int or str
    argument : str
        Name of the argument, for the error.

    Raises
    ------
    PlanError
        It is no size, or less than a byte.

    Examples
    --------
    >>> read_size("512M", "shard_bytes")
    536870912
    """
    n_bytes = parse_size(size) if isinstance(size, str) else size
    if n_bytes is None or n_bytes < 1:
        raise PlanError(argument=argument, expected="a size as 512M or 2G", got=repr(size))
    return n_bytes


def parse_size(text: str) -> int | None:
    """Return the bytes of a number that may end with K, M, G or T (2**10 to 2**40); None for another text.

    Examples
    --------
    >>> parse_size("1.5G")
    1610612736
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text.upper(), re.ASCII)
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2] or " ")) if match else None


def _machine_bytes() -> int:
    """Return the size of the machine's memory; 4 GiB if the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 1 << 32


def _cgroup_bytes() -> int:
    """Return the smallest limit of the control groups that this process is in; a large number if there is none."""
    limits = [_MAX_MEMORY]
    with contextlib.suppress(OSError, ValueError):
        group = Path("/proc/self/cgroup").read_text(encoding="utf-8").rpartition("::")[2].strip().lstrip("/")
        folders = [_CGROUPS / group, *(_CGROUPS / group).parents]
        files = [folder / "memory.max" for folder in folders if folder.is_relative_to(_CGROUPS)]
        for file in (*files, _CGROUPS / "memory" / "memory.limit_in_bytes"):  # version 2, and 1 in a container
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                limits.append(int(file.read_text(encoding="ascii")))
    return min(limits)


class MemoryBudget:
    """Bytes for images under way, shared by threads.

    Parameters
    ----------
    n_bytes : int
    n_threads : int
        Largest number of threads that hold memory at the same time.
    of_memory : callable, optional
        Returns the budget that images would have with another `memory`, of which errors name one that is enough. By
        default images have all of it.

    Attributes
    ----------
    share : int
        Bytes that each thread may use at any time without taking them: together a quarter of the budget.
    largest : int
        Most bytes that one image may need.

    Examples
    --------
    >>> budget = MemoryBudget(1 << 30, n_threads=2)
    >>> with budget.hold(500_000_000):  # waits until they are free
    ...     pass
    >>> budget.share, budget.largest
    (134217728, 939524096)
    """

    def __init__(self, n_bytes: int, n_threads: int, of_memory: Callable[[int], MemoryBudget] | None = None) -> None:
        self.of_memory = of_memory or (lambda memory: MemoryBudget(memory, n_threads))
        self.share = n_bytes // (4 * n_threads)
        self.largest = n_bytes - (n_threads - 1) * self.share
        self._free = n_bytes - n_threads * self.share
        self._freed = Condition()

    @contextlib.contextmanager
    def hold(self, n_bytes: int) -> Iterator[None]:
        """Take bytes for the time of a ``with`` block.

        Raises
        ------
        ImageError
            They are more than `largest`.
        """
        if n_bytes <= self.share:
            yield
            return
        self.take(n_bytes)
        try:
            yield
        finally:
            self.give(n_bytes)

    def take(self, n_bytes: int) -> None:
        """Wait until bytes beyond a thread's share are free, and take them; `give` returns them.

        Raises
        ------
        ImageError
            They are more than `largest`.
        """
        if n_bytes > self.largest:
            raise ImageError(
                expected=f"an image that needs at most {self.largest} bytes, which the memory has free for images",
                got=f"{n_bytes}",
                advice=f"give a memory of {self._enough_mib(n_bytes)}M",
            )
        with self._freed:
            self._freed.wait_for(lambda: n_bytes - self.share <= self._free)
            self._free -= n_bytes - self.share

    def give(self, n_bytes: int) -> None:
        """Return the bytes that `take` took."""
        with self._freed:
            self._free += n_bytes - self.share
            self._freed.notify_all()

    def _enough_mib(self, n_bytes: int) -> int:
        """Return the smallest `memory`, in MiB, that has room for an image that needs `n_bytes`."""
        too_small = (n_bytes - 1) // _MIB
        enough = too_small + 1
        while self.of_memory(enough * _MIB).largest < n_bytes:
            too_small, enough = enough, 2 * enough
        while enough - too_small > 1:
            middle = (too_small + enough) // 2
            if self.of_memory(middle * _MIB).largest < n_bytes:
                too_small = middle
            else:
                enough = middle
        return enough
