"""Fetching the records of samples that lie in a store, all at once and before they are read."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.sampling.order import Order
from recordkit.storage.remote.cache.next_use import UsePlan

if TYPE_CHECKING:
    from recordkit.storage.remote.fetch import Fetch


class RecordFetch:
    """Records on their way: those of some samples, in one file or several.

    Parameters
    ----------
    handles : sequence of recordkit.storage.remote.fetch.Fetch
        One for each file.

    Attributes
    ----------
    n_bytes : int
        Bytes that the records keep in memory, or that are requested for them.
    """

    def __init__(self, handles: Sequence[Fetch]) -> None:
        self._handles = handles

    @property
    def n_bytes(self) -> int:
        """Bytes that the records keep in memory, or that are requested for them."""
        return sum(handle.n_bytes for handle in self._handles)

    def wait(self) -> None:
        """Wait until all records are here.

        Raises
        ------
        RemoteError
            One could not be fetched, or its object was replaced.
        """
        for handle in self._handles:
            handle.wait()

    def release(self) -> None:
        """Give the records up: their memory is free, requests that have not begun are dropped, and `wait` returns."""
        for handle in self._handles:
            handle.release()


def start_fetching(dataset: RecordDataset, indices: NDArray[np.int64]) -> RecordFetch:
    """Begin to fetch the records of some samples that are in a store.

    Parameters
    ----------
    dataset : RecordDataset
    indices : ndarray of int64, shape (m,)
        Values from 0 to n - 1.
    """
    locations, sources = dataset.records_at(indices), dataset.sources
    handles = []
    for file_index in np.unique(locations.file_indices).tolist():
        source = sources[file_index]
        if source is not None:
            rows = locations.file_indices == file_index
            handles.append(source.start_fetching(locations.offsets[rows], locations.ends[rows]))
    return RecordFetch(handles)


def plan_uses(dataset: RecordDataset, order: Order) -> UsePlan | None:
    """Tell the caches of a dataset's files in which order its samples are read; None if no file is in a store.

    Parameters
    ----------
    dataset : RecordDataset
    order : Order

    Returns
    -------
    plan : UsePlan or None
        The reader calls its `advance`.
    """
    if not dataset.is_remote:
        return None

    # The plan belongs to the open objects, so it must not keep the dataset alive, which would close them when it ends.
    reference = weakref.ref(dataset)

    def locate(indices: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        opened = reference()
        if opened is None:
            raise ReferenceError("the dataset of this plan has ended")
        locations = opened.records_at(indices)
        return locations.file_indices, locations.offsets.astype(np.int64), locations.ends.astype(np.int64)

    from recordkit.storage.remote.cache.pages import PAGE_BYTES

    sizes = [file.size for file in dataset.records_at(np.empty(0, np.int64)).files]
    plan = UsePlan(order, locate, sizes, PAGE_BYTES)
    for number, source in enumerate(dataset.sources):
        if source is not None:
            source.plan(plan.of_file(number))
    return plan


def count_fetches(dataset: RecordDataset) -> tuple[int, int, int]:
    """Return what was read from the stores of a dataset's files since they were opened.

    Returns
    -------
    n_requests, n_bytes_fetched, n_bytes_cached : int
        Requests, bytes that came from stores, and bytes that the cache had.
    """
    counters = [source.counters for source in dataset.sources if source is not None]
    n_requests, n_fetched, n_cached = (sum(numbers) for numbers in zip((0, 0, 0), *counters, strict=True))
    return n_requests, n_fetched, n_cached
