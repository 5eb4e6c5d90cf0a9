"""Fetching the records of a loader's next work items from a store, while the ones before are loaded.

A request to a store takes milliseconds to seconds however small it is, so many must be on the way at once. The order of
the epoch is known, so the requests for work items far ahead begin early: as many as `_AHEAD_BYTES` have room for.
Records of local files are left to the operating system.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Lock

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.loading.remote.fetching import RecordFetch, count_fetches, start_fetching
from recordkit.loading.timing import Timing
from recordkit.sampling.sampler import Sampler
from recordkit.storage.remote.cache.next_use import UsePlan

_AHEAD_BYTES = 1 << 27
# Work items of tiny images have few bytes; this many of them are ahead at most, each with one request or more.
_MAX_ITEMS = 64


class ReadAhead:
    """Fetches the records of the work items of an epoch in their order, if the dataset is in a store.

    Parameters
    ----------
    dataset : RecordDataset
    uses : UsePlan or None
        The plan of the caches, which is told how far the reader is.
    sampler : Sampler
    begin : (int, int)
        The epoch, and the position in it at which batch 0 begins.
    timing : Timing
        The time that threads wait and the bytes that are fetched are added here.
    """

    def __init__(
        self, dataset: RecordDataset, uses: UsePlan | None, sampler: Sampler, begin: tuple[int, int], timing: Timing
    ) -> None:
        self._dataset = dataset
        self._timing = timing
        self._sampler = sampler
        self._uses = uses
        self._epoch, self._start = begin
        self._fetches: dict[int, RecordFetch] = {}  # by the number of the first batch
        self._lock = Lock()
        self._is_closed = False
        self._before = count_fetches(dataset)

    def items(self, items: Iterable[range]) -> Iterator[range]:
        """Yield work items, the numbers of their batches; begin to fetch each one and those behind it before."""
        if self._uses is None:
            yield from items
            return
        ahead: deque[range] = deque()
        for item in items:
            ahead.append(item)
            self._begin(item)
            while ahead and (len(ahead) > _MAX_ITEMS or self._n_bytes() > _AHEAD_BYTES):
                yield ahead.popleft()
        yield from ahead

    def _begin(self, item: range) -> None:
        batches = self._sampler.batches(self._epoch, item[0], len(item), start=self._start)
        if self._uses is not None:
            self._uses.advance(self._epoch, self._sampler.position(item[0], start=self._start))
        fetch = start_fetching(self._dataset, np.concatenate([batch.indices for batch in batches]))
        with self._lock:
            self._fetches[item[0]] = fetch
            if self._is_closed:
                fetch.release()

    def _n_bytes(self) -> int:
        with self._lock:
            return sum(fetch.n_bytes for fetch in self._fetches.values())

    @contextmanager
    def fetched(self, item: range) -> Iterator[None]:
        """Wait until the records of a work item are here, and keep them until the end of the block.

        Raises
        ------
        RemoteError
            A record could not be fetched, or its object was replaced.
        """
        fetch = self._fetches.get(item[0])
        if fetch is None:
            yield
            return
        try:
            begin_s = time.perf_counter()
            fetch.wait()
            self._timing.fetch_s += time.perf_counter() - begin_s
            yield
        finally:
            fetch.release()
            with self._lock:
                del self._fetches[item[0]]

    def close(self) -> None:
        """Give up what is not loaded yet. Threads that wait go on at once."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            differences = [now - before for now, before in zip(count_fetches(self._dataset), self._before, strict=True)]
            self._timing.n_requests, self._timing.n_bytes_fetched, self._timing.n_bytes_cached = differences
            for fetch in self._fetches.values():
                fetch.release()
