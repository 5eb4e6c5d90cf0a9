"""The division of a dataset into ranges of records, each of which one task reads.

Ranges are cut at offsets of the index, so that each has about the same number of bytes, and never cross files.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.parts import file_ranges

TASK_BYTES = 100_000_000
"""Most bytes of a range, unless one record has more. Ray's own blocks have 128 MiB."""

# A task costs about 10 ms, and reading fewer bytes than these takes less.
_LEAST_TASK_BYTES = 8_000_000
# Several tasks for each CPU, so that all end at about the same time.
_TASKS_PER_CPU = 4

# A task carries up to 28 bytes for each record, and Ray warns of tasks of more than 1 MiB.
_TASK_ROWS = 1 << 15


def choose_n_tasks(n_bytes: int, n_cpus: int) -> int:
    """Return the number of tasks that read this many bytes fast with this many CPUs.

    Ray's own choice is at least 200, which takes seven times as long for a file of 250 MB on two CPUs.
    """
    enough_for_cpus = min(_TASKS_PER_CPU * n_cpus, math.ceil(n_bytes / _LEAST_TASK_BYTES))
    return max(1, enough_for_cpus, math.ceil(n_bytes / TASK_BYTES))


def plan_ranges(dataset: RecordDataset, n_tasks: int, task_bytes: int = TASK_BYTES) -> list[tuple[int, int]]:
    """Divide a dataset into ranges of records.

    Parameters
    ----------
    dataset : RecordDataset
    n_tasks : int
        Number of ranges that the caller would like; there are more if they were too large, or if there are more files.
    task_bytes : int

    Returns
    -------
    ranges : list of (int, int)
        First index and end of each range, in the order of the dataset.
    """
    files, ranges = file_ranges(dataset), []
    size = max(1, min(task_bytes, math.ceil(sum(file.n_bytes for file in files) / max(1, n_tasks))))
    for begin, end, n_bytes in files:
        if begin < end:
            ranges += _cut(begin, dataset.offsets[begin:end], math.ceil(n_bytes / size), size)
    return ranges


def _cut(begin: int, offsets: NDArray[np.uint64], n_ranges: int, size: int) -> list[tuple[int, int]]:
    """Divide the records of a file, the first of which has the index `begin`, into ranges of about `size` bytes."""
    n = len(offsets)
    cuts = np.searchsorted(
        offsets, np.arange(n_ranges, dtype=np.uint64) * np.uint64(size)
    )  # a dataset is in file order
    # A record of more than `size` bytes is the first one after several multiples of it.
    cuts = np.unique(cuts[cuts < n])
    ends = np.append(cuts[1:], n)
    return [
        (begin + first, begin + min(first + _TASK_ROWS, end))
        for cut, end in zip(cuts.tolist(), ends.tolist(), strict=True)
        for first in range(cut, end, _TASK_ROWS)
    ]
