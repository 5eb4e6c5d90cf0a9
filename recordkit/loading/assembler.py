"""The work of a loader's threads: each work item loads some consecutive batches.

Threads share one assembler. `recordkit.loading.loader` decides which epoch and which batches are next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, with_places
from recordkit.loading.array_pool import ArrayPool
from recordkit.loading.batch import Batch
from recordkit.loading.engine import BatchArrays, Request, sample_location, with_sample_location
from recordkit.loading.labels import LabelReader
from recordkit.loading.native import choose_engine
from recordkit.loading.options import LoaderOptions
from recordkit.loading.probe import BatchFormat
from recordkit.loading.timing import Timing
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.sampling.sampler import BatchIndices, Sampler
from recordkit.threads import ProcessLock

# Bytes per work item. Small batches are grouped, because scheduling an item costs as much as loading 50 digits, and
# the threads schedule one at a time.
_ITEM_BYTES = 1 << 22
_MAX_BATCHES_PER_ITEM = 64
# Samples whose indices are computed together, at least those of one work item: for a batch of 64 that takes as long as
# for 2,000. One thread computes them, and those that need the same ones wait for it.
_N_DRAWN = 1 << 12
# A block is kept while threads load its work items; one of a single work item is not needed again.
_N_BLOCKS_KEPT = 4
# Work items whose batches the caller has: those of the last one, and those of the next one that `next` returns.
_N_ITEMS_TAKEN = 2
# Number of consecutive samples to try as the replacement of a bad one.
_MAX_REPLACEMENTS = 100


class BadSample(NamedTuple):
    """A sample that could not be loaded.

    Attributes
    ----------
    key : int
    path : Path or str
        Path of the .rec file that holds the sample; its URL if it is in a store.
    reason : str
    """

    key: int
    path: Path | str
    reason: str


class LoadedBatches(NamedTuple):
    """The result of one work item: batches, and the error of the next sample if it ends the epoch."""

    batches: list[Batch]
    error: Exception | None


class BatchAssembler:
    """Loads consecutive batches of an epoch with one call of the engine.

    Parameters
    ----------
    dataset : RecordDataset
    sampler : Sampler
    options : LoaderOptions
        Of these, the engine, `on_error` and `memory`.
    batch_format : BatchFormat
    n_threads : int
        Number of threads that share the assembler.

    Attributes
    ----------
    memory : int
        The budget in bytes: a part for batches, and the rest for images under way.
    n_items_ahead : int
        Number of work items that the batches' part has room for.
    engine : Engine
    bad_samples : list of BadSample
        Samples that could not be loaded, each once.
    batches_per_item : int
        Number of batches to load in one work item.

    Raises
    ------
    PlanError
        The budget has no room for three batches.
    """

    def __init__(
        self,
        dataset: RecordDataset,
        sampler: Sampler,
        options: LoaderOptions,
        batch_format: BatchFormat,
        *,
        n_threads: int,
    ) -> None:
        self._item = item = batch_format.item
        self._dataset = dataset
        self._sampler = sampler
        self._on_error = options.on_error
        self._labels = LabelReader(dataset, batch_format.labels)
        self.bad_samples: list[BadSample] = []
        self._bad_samples: dict[int, BadSample] = {}  # by index
        batch_bytes = math.prod(item.shape) * item.dtype.itemsize * sampler.batch_size
        self.memory = _choose_memory(options.memory, batch_bytes)
        self.batches_per_item, self.n_items_ahead = _choose_items(self.memory, batch_bytes, n_threads)
        n_items_drawn = max(1, _N_DRAWN // (self.batches_per_item * sampler.batch_size))
        self._n_drawn = n_items_drawn * self.batches_per_item
        self._draw = lru_cache(maxsize=_N_BLOCKS_KEPT if n_items_drawn > 1 else 0)(sampler.batches)
        self._draw_lock = ProcessLock()
        self._pool = ArrayPool(item.dtype, n_kept=self.n_items_ahead + _N_ITEMS_TAKEN)
        budget = _image_budget(self.memory, batch_bytes, n_threads)
        self.engine = choose_engine(options.engine)(dataset, batch_format.plan, item, budget)

    def load(self, epoch: int, start: int, numbers: range, timing: Timing, stopped: bytearray) -> LoadedBatches:
        """Load consecutive batches, up to the first sample whose error ends the epoch.

        Parameters
        ----------
        epoch : int
        start : int
            Position in the epoch at which batch 0 begins.
        numbers : range
            Numbers of the batches.
        timing : Timing
            The time that the work takes is added here.
        stopped : bytearray
            See `recordkit.loading.engine.Request`.
        """
        begin_s, begin_cpu_s = time.perf_counter(), time.thread_time()
        batch_indices = self._batch_indices(epoch, start, numbers)
        positions = np.concatenate([batch.positions for batch in batch_indices])
        indices = np.concatenate([batch.indices for batch in batch_indices])  # a copy, which a replacement may change
        n = len(indices)
        # Rows that are not loaded have zeros, which are whole numbers.
        labels = np.zeros((n, self._labels.n_columns), np.float32)
        arrays = BatchArrays(self._pool.take((n, *self._item.shape)), labels)
        request = Request(epoch, positions, indices, stopped)
        failures = self.engine.load(request, arrays)
        error = None
        # A PlanError is a fault of a transform and not of the sample, so it always ends the epoch.
        fatal = [row for row in failures if self._on_error == "raise" or isinstance(failures[row], PlanError)]
        if fatal:
            row = min(fatal)
            error = with_sample_location(failures[row], self._dataset, int(indices[row]))
            ends = np.cumsum([len(batch.indices) for batch in batch_indices])
            batch_indices = batch_indices[: int(np.searchsorted(ends, row, side="right"))]
        if self._on_error != "raise":
            failures = {row: failure for row, failure in failures.items() if row not in fatal}
            self._record_failures(failures, request, arrays)
        skipped_rows = failures.keys() if self._on_error == "skip" else ()
        batches, label_error = self._divide(arrays, indices, batch_indices, skipped_rows)
        timing.load_s += time.perf_counter() - begin_s
        timing.load_cpu_s += time.thread_time() - begin_cpu_s
        return LoadedBatches(batches, label_error or error)

    def _batch_indices(self, epoch: int, start: int, numbers: range) -> list[BatchIndices]:
        """Return the batches of a work item, which are computed together with those of the next items."""
        first = numbers[0] // self._n_drawn * self._n_drawn
        n = min(self._n_drawn, self._sampler.n_batches(start=start) - first)
        with self._draw_lock.get():
            block = self._draw(epoch, first, n, start=start)
        return block[numbers[0] - first : numbers[-1] + 1 - first]

    def _divide(
        self,
        arrays: BatchArrays,
        indices: NDArray[np.int64],
        batch_indices: Sequence[BatchIndices],
        skipped_rows: Collection[int],
    ) -> tuple[list[Batch], PlanError | None]:
        """Divide the rows of the arrays into batches, without the rows to skip, up to a label of another type."""
        keys = self._dataset.keys_at(indices)
        batches: list[Batch] = []
        begin = 0
        for batch in batch_indices:
            end = begin + len(batch.indices)
            n_valid = batch.n_valid
            rows: slice | list[int] = slice(begin, end)
            if skipped_rows:
                rows = [row for row in range(begin, end) if row not in skipped_rows]
                n_valid = sum(row - begin < n_valid for row in rows)
            try:
                label, n_labels = self._labels.read(arrays.labels[rows], indices[rows])
            except PlanError as error:
                return batches, error
            batches.append(Batch(arrays.data[rows], label, keys[rows], indices[rows], n_valid, n_labels))
            begin = end
        return batches, None

    def _record_failures(self, failures: Mapping[int, Exception], request: Request, arrays: BatchArrays) -> None:
        """Add samples to `bad_samples`; if they are to be replaced, change their rows and indices in place."""
        for row, error in failures.items():
            index = int(request.indices[row])
            key, path = sample_location(self._dataset, index)
            shown = with_places(str(path))
            bad_sample = BadSample(key, path if shown == str(path) else shown, str(error))
            # Two threads may fail on one sample at once; setdefault is atomic.
            if self._bad_samples.setdefault(index, bad_sample) is bad_sample:
                self.bad_samples.append(bad_sample)
            if self._on_error == "replace":
                self._replace(row, request, arrays, with_sample_location(error, self._dataset, index))

    def _replace(self, row: int, request: Request, arrays: BatchArrays, error: Exception) -> None:
        """Fill a row with the next sample in the file that can be loaded."""
        one_row = slice(row, row + 1)
        for _ in range(_MAX_REPLACEMENTS):
            request.indices[row] = (request.indices[row] + 1) % len(self._dataset)
            next_sample = Request(request.epoch, request.positions[one_row], request.indices[one_row], request.stopped)
            errors = self.engine.load(next_sample, BatchArrays(arrays.data[one_row], arrays.labels[one_row]))
            if not errors:
                return
            if isinstance(errors[0], PlanError):
                raise with_sample_location(errors[0], self._dataset, int(request.indices[row]))
        raise error


def _choose_items(memory: int, batch_bytes: int, n_threads: int) -> tuple[int, int]:
    """Return the number of batches of an item, and of items that are loaded ahead."""
    n_fitting = min(_ITEM_BYTES, memory // 8) // batch_bytes
    batches_per_item = max(1, min(_MAX_BATCHES_PER_ITEM, n_fitting))
    n_items = memory // 2 // (batches_per_item * batch_bytes) - _N_ITEMS_TAKEN
    return batches_per_item, max(1, min(2 * n_threads, n_items))


def _image_budget(memory: int, batch_bytes: int, n_threads: int) -> MemoryBudget:
    """Return what the batches leave to the images under way."""
    batches_per_item, n_items_ahead = _choose_items(memory, batch_bytes, n_threads)
    item_bytes = batches_per_item * batch_bytes
    return MemoryBudget(
        memory - (n_items_ahead + _N_ITEMS_TAKEN) * item_bytes,
        n_threads,
        lambda other: _image_budget(other, batch_bytes, n_threads),
    )


def _choose_memory(memory: int | str | None, batch_bytes: int) -> int:
    """Return the budget: the argument, or the default, which always has room for the batches that the caller wants."""
    smallest = 4 * batch_bytes  # one batch ahead, those that the caller has, and as much for images
    n_bytes = choose_memory(memory)
    if memory is None:
        return max(n_bytes, smallest)
    if n_bytes < smallest:
        raise PlanError(
            argument="memory",
            expected=f"at least {smallest} bytes, 4 times a batch",
            got=memory,
            advice="give a larger `memory`, or a smaller `batch_size`",
        )
    return n_bytes
