"""Tasks that each read a range of the records of one file, and the results of all in their order.

The driver opens the datasets for their indexes, and each task gets the offsets of its range. So a task opens the .rec
file alone, and an error if that is another file than the one that the driver has opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from recordkit.cluster.read_plan import plan_ranges
from recordkit.cluster.tasks import TaskCall, Tasks
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import ClosedPart

RANGE_BYTES = 1 << 28
"""Most bytes of a range, unless one record has more: some seconds of decoding."""

Progress = Callable[[int], None]


class Range(NamedTuple):
    """The samples `begin` to `end` - 1 of a dataset, which are in one file."""

    dataset: RecordDataset
    begin: int
    end: int

    @property
    def n_samples(self) -> int:
        """Number of samples."""
        return self.end - self.begin

    @property
    def name(self) -> str:
        """The samples and their file, for errors."""
        path = self.dataset.files[int(self.dataset.file_indices([self.begin])[0])]
        return f"the samples {self.begin} to {self.end - 1}, in {path}"


class Work(NamedTuple):
    """The work of each task.

    Attributes
    ----------
    function : callable
        Called in a task with the samples of a range as a dataset, with an argument, and with the number of threads.
    argument : callable
        Returns the argument for the range of a number; it is called on the driver when the task starts.
    """

    function: Callable[[RecordDataset, Any, int], Any]
    argument: Callable[[int], Any] = lambda number: None


def divide(dataset: RecordDataset) -> list[Range]:
    """Return the ranges of a whole dataset, in its order.

    Raises
    ------
    PlanError
        The dataset is a subset.
    """
    return [Range(dataset, begin, end) for begin, end in plan_ranges(dataset, 1, RANGE_BYTES)]


def run_on_ranges(
    ray: Any, ranges: Sequence[Range], work: Work, *, threads: int = 0, progress: Progress | None = None
) -> list[Any]:
    """Run a task for each range, and return their results in the order of the ranges.

    Parameters
    ----------
    ray : module
        Connected to a cluster.
    ranges : sequence of Range
    work : Work
    threads : int, default 0
        Threads, and CPUs, of a task; 0 is 1.
    progress : callable, optional
        Called with the number of samples of the ranges that were read since the last call.

    Raises
    ------
    RecordkitError
        The first error of a task.
    """
    n_threads = threads or 1
    tasks = Tasks(ray, n_threads)
    task = tasks.remote(read_range)

    def calls() -> Iterator[TaskCall]:
        for number, each in enumerate(ranges):

            def start(number: int = number, each: Range = each) -> Any:
                return task.remote(work.function, ray.put(ClosedPart(*each)), work.argument(number), n_threads)

            yield TaskCall(number, start, each.name)

    results: list[Any] = [None] * len(ranges)
    with contextlib.closing(tasks.run(calls())) as done:
        for number, result in done:
            results[number] = result
            if progress is not None:
                progress(ranges[number].n_samples)
    return results


def read_range(
    function: Callable[[RecordDataset, Any, int], Any], part: ClosedPart, argument: Any, n_threads: int
) -> Any:
    """Open a range and work on it. This is a task."""
    with part.open() as dataset:
        return function(dataset, argument, n_threads)
