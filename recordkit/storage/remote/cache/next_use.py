"""When each page will be used next, from the order in which an epoch visits the samples.

Evicting the page whose next use is farthest away gives the most hits (Belady's rule). A cache that evicts the least
recently used page has none at all if it reads a dataset larger than itself from begin to end in each epoch.

A plan looks at three parts of the future, of which each is enumerated in chunks, so that its memory is proportional to
the number of pages and never to the number of samples:

- The uses of the next `horizon` positions: the bytes of each page in each of 16 segments of them, and its last use.
- The last use of each page in this epoch.
- The first use of each page in the next epoch.

Times are positions in this epoch; those of the next epoch follow after its n positions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import RLock
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NEVER = float("inf")
"""Next use of a page of a file without a plan."""

_N_SEGMENTS = 16
_HORIZON = 1 << 21
# Positions that one call enumerates of the far future, so that it takes some milliseconds.
_CHUNK = 1 << 16

Locate = Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]
"""Returns file number, begin and end of the records of some samples, by their indices."""


class EpochOrder(Protocol):
    """The part of `recordkit.sampling.order.Order` that a plan needs."""

    @property
    def n(self) -> int:
        """Number of positions in an epoch."""

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the samples at some positions."""


class UsePlan:
    """The next uses of the pages of a dataset. Threads may share it.

    Parameters
    ----------
    order : Order
        All positions of an epoch, also those of other ranks: they may share the cache.
    locate : callable
        ``locate(indices)`` returns the file numbers, begins and ends of records, three arrays of int64.
    sizes : sequence of int
        Bytes of each file.
    page_bytes : int
    horizon : int, optional
        Number of positions whose uses are known in detail.

    Examples
    --------
    >>> from recordkit.storage.remote.cache.pages import PAGE_BYTES
    >>> class Forward:
    ...     n = 100
    ...     def indices(self, epoch, positions):
    ...         return positions
    >>> def locate(indices):
    ...     return np.zeros_like(indices), indices * 10, indices * 10 + 10
    >>> plan = UsePlan(Forward(), locate, [1000], page_bytes=100)
    >>> plan.advance(0, 50)
    >>> plan.of_file(0).next_use(np.array([9, 4])).tolist()
    [85.0, 140.0]
    """

    def __init__(
        self, order: EpochOrder, locate: Locate, sizes: Sequence[int], page_bytes: int, horizon: int = _HORIZON
    ) -> None:
        self._order = order
        self._locate = locate
        self._page_bytes = page_bytes
        self._bases = np.append(0, np.cumsum([-(-size // page_bytes) for size in sizes])).astype(np.int64)
        self._lock = RLock()
        self._horizon = min(horizon, order.n)
        self._segment = max(1, -(-self._horizon // _N_SEGMENTS))
        n_pages = int(self._bases[-1])
        self._used = np.zeros((_N_SEGMENTS, n_pages), np.float32)
        self._last_near = np.full(n_pages, -1, np.int64)
        self._last_use = np.full(n_pages, -1, np.int64)
        self._first_use = np.full(n_pages, -1, np.int64)
        self.epoch = -1  # before the first advance nothing is known
        self.position = self._begin = self._first_seen = 0
        self._last_seen = order.n

    def advance(self, epoch: int, position: int) -> None:
        """Say where reading is. An earlier position of the same epoch changes nothing.

        Parameters
        ----------
        epoch : int
        position : int, 0 to n - 1
        """
        with self._lock:
            if epoch != self.epoch:
                self._begin_epoch(epoch, position)
            elif position >= self._begin + self._horizon // 2 and self._begin + self._horizon < self._order.n:
                self._look_ahead(position)
            self.position = max(self.position, position)
            self._enumerate_far()

    def of_file(self, number: int) -> FileUses:
        """Return the uses of one file."""
        return FileUses(self, int(self._bases[number]))

    def next_use(self, pages: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when pages, numbered over all files, are used next; see `FileUses.next_use`."""
        with self._lock:
            current = self._current_segment()
            is_used = (self._used[current:, pages] > 0) & (self._last_near[pages] >= self.position)
            segments = current + np.argmax(is_used, axis=0)
            times = (self._begin + segments * self._segment).astype(np.float64)
            horizon_end = self._begin + self._horizon
            last = self._last_use[pages]
            is_later = (last >= horizon_end) | ((last < 0) & (self._last_seen > horizon_end))
            n = self._order.n
            first = self._first_use[pages]
            next_epoch = np.where(first < 0, n + self._first_seen, n + first)
            # Among pages of unknown use in this epoch, those of late use in the next one count as later.
            far = np.where(is_later, horizon_end + next_epoch / (4.0 * n), next_epoch)
            return np.where(is_used.any(axis=0), times, far)

    def bytes_before(self, pages: NDArray[np.int64], time: float) -> NDArray[np.float32]:
        """Return how many bytes of pages are used from now to a time; see `FileUses.bytes_before`."""
        with self._lock:
            current = self._current_segment()
            n_segments = min((time - self._begin) / self._segment, _N_SEGMENTS)
            return self._used[current : max(current, int(n_segments)), pages].sum(axis=0)

    @property
    def segment(self) -> int:
        """Number of positions within which the order of uses is not known."""
        return self._segment

    def _current_segment(self) -> int:
        return max(0, min((self.position - self._begin) // self._segment, _N_SEGMENTS - 1))

    def _begin_epoch(self, epoch: int, position: int) -> None:
        self.epoch, self.position = epoch, position
        self._last_use[:] = self._first_use[:] = -1
        self._first_seen = 0  # positions from here on are not enumerated yet
        self._last_seen = self._order.n
        self._look_ahead(position)

    def _look_ahead(self, begin: int) -> None:
        """Count the bytes of each page in the segments from a position on."""
        self._begin = begin
        self._used[:] = 0
        self._last_near[:] = -1
        end = min(begin + self._horizon, self._order.n)
        for chunk in range(begin, end, _CHUNK):
            positions, pages, n_bytes = self._uses(self.epoch, chunk, min(chunk + _CHUNK, end))
            segments = (positions - begin) // self._segment
            np.add.at(self._used, (segments, pages), n_bytes)
            self._last_near[pages] = positions

    def _enumerate_far(self) -> None:
        """Enumerate some more of the next epoch, and of the end of this one, until all pages have been seen."""
        n = self._order.n
        if self._first_seen < n:
            end = min(self._first_seen + _CHUNK, n)
            positions, pages, _ = self._uses(self.epoch + 1, self._first_seen, end)
            fresh = self._first_use[pages] < 0
            # Assigned backwards, the first position remains.
            self._first_use[pages[fresh][::-1]] = positions[fresh][::-1]
            self._first_seen = n if (self._first_use >= 0).all() else end
        floor = self._begin + self._horizon
        if self._last_seen > floor:
            begin = max(self._last_seen - _CHUNK, floor)
            positions, pages, _ = self._uses(self.epoch, begin, self._last_seen)
            fresh = self._last_use[pages] < 0
            self._last_use[pages[fresh]] = positions[fresh]
            self._last_seen = floor if (self._last_use >= 0).all() else begin

    def _uses(self, epoch: int, begin: int, end: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the uses of pages by some positions: the position, the page and its bytes."""
        positions = np.arange(begin, end)
        files, begins, ends = self._locate(self._order.indices(epoch, positions))
        first, last = begins // self._page_bytes, np.maximum(begins, ends - 1) // self._page_bytes
        counts = last - first + 1
        which = np.repeat(np.arange(len(positions)), counts)
        pages = first[which] + np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts)
        page_begins = pages * self._page_bytes
        n_bytes = np.minimum(ends[which], page_begins + self._page_bytes) - np.maximum(begins[which], page_begins)
        return positions[which], self._bases[files[which]] + pages, n_bytes


class FileUses:
    """The uses of one file of a plan.

    Parameters
    ----------
    plan : UsePlan
    base : int
        Number of its first page over all files.
    """

    def __init__(self, plan: UsePlan, base: int) -> None:
        self._plan = plan
        self._base = base

    @property
    def now(self) -> tuple[int, int, int]:
        """Identity of the plan, and epoch and position of the reader."""
        return id(self._plan), self._plan.epoch, self._plan.position

    def next_use(self, pages: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return when pages are used next: a position of this epoch, or n and a position of the next one.

        In this epoch it is the begin of a segment, so that pages which are used in the same segment are equal.
        """
        return self._plan.next_use(pages + self._base)

    def bytes_before(self, page: int, time: float) -> float:
        """Return how many bytes of a page are used from now to a time, as far as the plan knows."""
        return float(self._plan.bytes_before(np.array([page + self._base]), time)[0])

    def bytes_soon(self, page: int) -> float:
        """Return how many bytes of a page are used in this segment and the next one."""
        return self.bytes_before(page, self._plan.position + 2 * self._plan.segment)
