"""The batches of one epoch, which threads load ahead of the caller."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from weakref import ref

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.loading.assembler import BatchAssembler, LoadedBatches
from recordkit.loading.batch import Batch
from recordkit.loading.remote.read_ahead import ReadAhead
from recordkit.loading.timing import Timing, count_disk_reads
from recordkit.sampling.sampler import Sampler
from recordkit.storage.remote.cache.next_use import UsePlan
from recordkit.threads import ProcessLock, ThreadedMap


class EpochParts(NamedTuple):
    """The parts of a loader that all its epochs use.

    Attributes
    ----------
    dataset : RecordDataset
    sampler : Sampler
    assembler : BatchAssembler
    uses : UsePlan or None
        See `recordkit.loading.remote.fetching.plan_uses`.
    n_threads : int
    """

    dataset: RecordDataset
    sampler: Sampler
    assembler: BatchAssembler
    uses: UsePlan | None
    n_threads: int


@dataclass
class EpochProgress:
    """The position of an iteration over an epoch.

    Attributes
    ----------
    epoch : int
    start : int
        Position in the epoch at which the iteration begins.
    n_yielded : int
        Number of batches that the caller has had.
    is_begun : bool
        The first batch was asked for.
    is_finished : bool
        The caller has had all batches.
    find_threads : callable
        Returns the threads of the iteration; None if they do not run. Only the generator of the batches owns them, so
        that they end when it is dropped.
    """

    epoch: int = 0
    start: int = 0
    n_yielded: int = 0
    is_begun: bool = False
    is_finished: bool = False
    find_threads: Callable[[], ThreadedMap[LoadedBatches] | None] = lambda: None


class EpochBatches(Iterator[Batch]):
    """The batches of an epoch, for one or more threads: a generator cannot be called by two at a time.

    Parameters
    ----------
    parts : EpochParts
    progress : EpochProgress
        It changes with each batch.
    timing : Timing
        The times of the iteration are added here.
    lock : ProcessLock
    """

    def __init__(self, parts: EpochParts, progress: EpochProgress, timing: Timing, lock: ProcessLock) -> None:
        self._batches = _iterate(parts, progress, timing)
        self._progress = progress
        self._lock = lock
        self._is_replaced = False

    def __next__(self) -> Batch:
        with self._lock.get():
            if self._is_replaced:
                raise PlanError(
                    expected="one iteration of a loader at a time",
                    got="a newer one, or another position, since this one began",
                    advice="make a Loader for each iteration",
                )
            return next(self._batches)

    def close(self, *, is_replaced: bool) -> None:
        """End the iteration, and wait for its threads. If another one replaces it before its end, the next call fails.

        Parameters
        ----------
        is_replaced : bool
        """
        with self._lock.get():
            loaded = self._progress.find_threads()
            self._is_replaced = is_replaced and inspect.getgeneratorstate(self._batches) != inspect.GEN_CLOSED
            self._batches.close()
            if loaded is not None:
                loaded.close()


def _iterate(parts: EpochParts, progress: EpochProgress, timing: Timing) -> Generator[Batch, None, None]:
    """Yield the batches from the position of `progress` on."""
    progress.is_begun = True
    dataset, sampler, assembler, uses, n_threads = parts
    epoch, start, process = progress.epoch, progress.start, os.getpid()
    n_batches, step = sampler.n_batches(start=start), assembler.batches_per_item
    items = (range(first, min(first + step, n_batches)) for first in range(0, n_batches, step))
    ahead = ReadAhead(dataset, uses, sampler, (epoch, start), timing)
    stopped = bytearray(1)

    def load(numbers: range) -> LoadedBatches:
        with ahead.fetched(numbers):
            return assembler.load(epoch, start, numbers, timing, stopped)

    loaded = ThreadedMap(
        load, ahead.items(items), n_threads, ahead=True, n_ahead=assembler.n_items_ahead, stopped=stopped
    )
    progress.find_threads = ref(loaded)
    n_reads = count_disk_reads()
    begin_s = time.perf_counter()
    try:
        while True:
            if os.getpid() != process:
                raise RuntimeError("a forked process has no threads of the loader; start a new iteration in it")
            result = next(loaded, None)
            if result is None:
                break
            timing.wait_s += time.perf_counter() - begin_s
            for batch in result.batches:
                progress.n_yielded += 1
                yield_s = time.perf_counter()
                yield batch
                timing.consumer_s += time.perf_counter() - yield_s
            if result.error is not None:
                raise result.error
            begin_s = time.perf_counter()
    except Exception:
        ahead.close()
        loaded.close()
        raise
    finally:
        ahead.close()
        timing.n_disk_reads = count_disk_reads() - n_reads
    progress.is_finished = True
