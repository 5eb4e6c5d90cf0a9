"""Exact comparison of the labels and the encoded images of many records, without a Python object for each.

Length and CRC-32 of a payload take 12 bytes of memory. They tell which payloads differ; those that agree in both are
compared byte by byte, so that a collision of checksums never counts as equality.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.records import RecordFile
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.edit.inputs import Locations
from recordkit.upkeep.labels.arrays import Labels

# Bytes of records that are read in one call of the core, and most records of one.
_BLOCK_BYTES = 1 << 24
_BLOCK_RECORDS = 1 << 18

Progress = Callable[[int], None]


class Records(Protocol):
    """The records that are read, by numbers of rows: `Inputs`, or a part of a dataset."""

    @property
    def files(self) -> Sequence[RecordFile]:
        """The open files."""

    def locations(self, rows: NDArray[np.int64]) -> Locations:
        """Return where some rows are."""


def digest_payloads(
    inputs: Records, rows: NDArray[np.int64], *, threads: int = 0, progress: Progress | None = None
) -> NDArray[np.uint64]:
    """Compute CRC-32 and length of the payloads of some rows.

    Parameters
    ----------
    inputs : Records
    rows : ndarray of int64, shape (m,)
        Best in increasing order, so that the files are read in theirs.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of rows since the last call.

    Returns
    -------
    digests : ndarray of uint64, shape (m,)
        ``CRC-32 << 32 | length``.

    Raises
    ------
    FormatError
        A record is damaged.
    """
    digests = np.empty(len(rows), np.uint64)

    def digest(block: NDArray[np.int64]) -> int:
        where = inputs.locations(rows[block])
        file = inputs.files[int(where.file_numbers[0])]
        lengths, checksums = file.digests(where.offsets, payload=True)
        digests[block] = checksums.astype(np.uint64) << np.uint64(32) | lengths
        return len(block)

    with ThreadedMap(digest, _blocks(inputs, rows), count_threads(threads)) as done:
        for n_rows in done:
            if progress:
                progress(n_rows)
    return digests


def same_payloads(
    inputs: Records,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    *,
    threads: int = 0,
    progress: Progress | None = None,
) -> NDArray[np.bool_]:
    """Compare the payloads of pairs of rows.

    Parameters
    ----------
    inputs : Records
    rows, others : ndarray of int64, shape (m,)
        Best in increasing order, so that the files are read in theirs.
    threads, progress
        As for `digest_payloads`.

    Returns
    -------
    is_same : ndarray of bool, shape (m,)

    Raises
    ------
    FormatError
        A record is damaged.
    """
    is_same = np.zeros(len(rows), bool)

    def compare(pairs: NDArray[np.int64]) -> int:
        a, b = inputs.locations(rows[pairs]), inputs.locations(others[pairs])
        file, other = inputs.files[int(a.file_numbers[0])], inputs.files[int(b.file_numbers[0])]
        is_same[pairs] = file.same_payloads(a.offsets, other, b.offsets)
        return len(pairs)

    with ThreadedMap(compare, _blocks(inputs, rows, others), count_threads(threads)) as done:
        for n_pairs in done:
            if progress:
                progress(n_pairs)
    return is_same


def labels_differ(labels: Labels, others: Labels) -> NDArray[np.bool_]:
    """Compare the labels of records, one by one; both have n records. A label that is not a number equals itself.

    Examples
    --------
    >>> bounds = np.array([0, 1, 3], np.uint64)
    >>> labels_differ(Labels(np.array([4, 9, 1]), bounds), Labels(np.array([4.0, 9.0, 2.0], np.float32), bounds))
    array([False,  True])
    """
    differs: NDArray[np.bool_] = labels.widths != others.widths
    same = np.flatnonzero(~differs & (labels.widths > 0))
    if len(same):
        first, second = labels.at(same), others.at(same)
        a, b = first.values, second.values
        if not (first.is_exact and second.is_exact):  # as the records have them
            a, b = a.astype(np.float32), b.astype(np.float32)
        is_other = (a != b) & ~((a != a) & (b != b))
        differs[same] = np.logical_or.reduceat(is_other, first.bounds[:-1].astype(np.int64))
    return differs


def _blocks(inputs: Records, *columns: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Split the indices of columns of rows into blocks, in each of which a column has rows of one file."""
    n = len(columns[0])
    if not n:
        return []
    is_cut = np.zeros(n + 1, bool)
    is_cut[[0, n]] = is_cut[::_BLOCK_RECORDS] = True
    sizes = np.zeros(n, np.uint64)
    for rows in columns:
        where = inputs.locations(rows)
        is_cut[1:-1] |= np.diff(where.file_numbers) != 0
        sizes += where.ends - where.offsets
    is_cut[1:-1] |= np.diff(np.cumsum(sizes) // np.uint64(_BLOCK_BYTES)) != 0
    return [np.arange(begin, end) for begin, end in itertools.pairwise(np.flatnonzero(is_cut).tolist())]
