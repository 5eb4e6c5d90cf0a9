"""Equal images in datasets, found on the machines of a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.cluster.connection import connect
from recordkit.cluster.upkeep.ranges import Work, divide, run_on_ranges
from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.records import RecordFile
from recordkit.upkeep.compare.duplicates import DuplicatesReport, compare_equal_digests
from recordkit.upkeep.compare.payloads import digest_payloads
from recordkit.upkeep.edit.inputs import NO_CHECKSUM, Inputs, Locations


def duplicates(
    *paths: str | Path,
    threads: int = 0,
    progress: Callable[[int], None] | None = None,
    address: str | None = None,
) -> DuplicatesReport:
    """Find samples with equal images on a cluster, as `recordkit.upkeep.duplicates` does on one machine.

    The driver opens the files for their indexes. Each task reads a range of records of one file and returns checksum
    and length of each image. The driver finds the equal ones, and compares their images byte by byte, so it reads the
    duplicates.

    Parameters
    ----------
    *paths : str or Path
        As for `recordkit.upkeep.duplicates`; all machines reach the files by the same path or URL.
    threads : int, default 0
        Threads, and CPUs, of a task; 0 is 1. The driver compares with one thread per CPU.
    progress : callable, optional
        Called with the number of samples of the ranges that were read since the last call.
    address : str, optional
        See `recordkit.cluster.connection.connect`.

    Returns
    -------
    report : DuplicatesReport
        That of `recordkit.upkeep.duplicates`. Besides the indexes, the driver takes 16 bytes of memory per sample for
        the checksums and their order, 14 more while it sorts them, and more for each duplicate.

    Raises
    ------
    NotFoundError, FormatError, PlanError
        As `recordkit.upkeep.duplicates` raises them.
    ClusterError, MissingError
        The cluster cannot be reached, or Ray is missing.

    Examples
    --------
    >>> report = recordkit.cluster.duplicates("/shared/train", "/shared/test")  # doctest: +SKIP
    >>> len(report.groups)  # doctest: +SKIP
    0
    """
    with Inputs(paths) as inputs:
        ranges = [each for dataset in inputs.datasets for each in divide(dataset)]
        with connect(address) as ray:
            digests = run_on_ranges(ray, ranges, Work(_digest), threads=threads, progress=progress)
        all_digests = np.concatenate([np.empty(0, np.uint64), *digests])
        digests.clear()
        return compare_equal_digests(inputs, all_digests, tuple(map(str, paths)))


def _digest(dataset: RecordDataset, _argument: None, n_threads: int) -> NDArray[np.uint64]:
    return digest_payloads(_PartRecords(dataset), np.arange(len(dataset)), threads=n_threads)


class _PartRecords:
    """The records of a part of a dataset, for `digest_payloads`."""

    def __init__(self, dataset: RecordDataset) -> None:
        self._dataset = dataset
        self.files: Sequence[RecordFile] = dataset.records_at(np.empty(0, np.int64)).files

    def locations(self, rows: NDArray[np.int64]) -> Locations:
        """See `recordkit.upkeep.compare.payloads.Records`."""
        found = self._dataset.records_at(rows)
        return Locations(found.file_indices, found.offsets, found.ends, np.full(len(rows), NO_CHECKSUM, np.int64))
