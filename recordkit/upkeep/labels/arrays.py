"""The labels of many records as two flat arrays, also if the records have different numbers of labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset

MAX_WHOLE = 1 << 24
"""float32 holds all whole numbers up to this one."""

# Records whose labels are read at a time.
_BLOCK_SIZE = 1 << 20


@dataclass(frozen=True, eq=False)
class Labels:
    """The labels of some records, which may have different numbers of them.

    Attributes
    ----------
    values : ndarray of float32 or int64, shape (m,)
        The labels of all records, concatenated; int64 if they are exact.
    bounds : ndarray of uint64, shape (n + 1,)
        The labels of record i are ``values[bounds[i]:bounds[i + 1]]``.

    Examples
    --------
    >>> labels = Labels(np.array([4, 9, 1], np.float32), np.array([0, 1, 3], np.uint64))
    >>> labels.widths.tolist(), labels.at(np.array([1, 0])).values.tolist(), labels.is_exact
    ([1, 2], [9.0, 1.0, 4.0], False)
    """

    values: NDArray[np.float32] | NDArray[np.int64]
    bounds: NDArray[np.uint64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def widths(self) -> NDArray[np.int64]:
        """Number of labels of each record; int64, shape (n,)."""
        return (self.bounds[1:] - self.bounds[:-1]).astype(np.int64)

    @property
    def is_exact(self) -> bool:
        """True if the labels are int64, which are kept in PREFIX.labels.npy too."""
        return bool(self.values.dtype == np.int64)

    def as_exact(self) -> Labels:
        """Return the labels as int64, which cuts off fractions."""
        return Labels(self.values.astype(np.int64, copy=False), self.bounds)

    def as_float32(self) -> Labels:
        """Return the labels as records have them."""
        return Labels(self.values.astype(np.float32, copy=False), self.bounds)

    def between(self, begin: int, end: int) -> Labels:
        """Return the labels of the records `begin` to `end` - 1, as a view."""
        bounds = self.bounds[begin : end + 1]
        return Labels(self.values[int(bounds[0]) : int(bounds[-1])], bounds - bounds[0])

    def at(self, indices: NDArray[np.int64]) -> Labels:
        """Return the labels of some records, in the order of `indices`, which must be 0 to n - 1."""
        widths, starts = self.widths[indices], self.bounds[:-1].astype(np.int64)[indices]
        bounds = bounds_of(widths)
        positions = np.repeat(starts - bounds[:-1].astype(np.int64), widths) + np.arange(int(bounds[-1]))
        return Labels(self.values[positions], bounds)


def bounds_of(counts: NDArray[np.int64] | NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return where the labels of each record begin and end, from their numbers.

    Examples
    --------
    >>> bounds_of(np.array([1, 2])).tolist()
    [0, 1, 3]
    """
    bounds = np.zeros(len(counts) + 1, np.uint64)
    np.cumsum(counts, out=bounds[1:], dtype=np.uint64)
    return bounds


def dataset_labels(dataset: RecordDataset) -> Labels:
    """Return the labels of a dataset: the exact ones if it has them, otherwise those in the records.

    Only headers are read, and not compared with checksums, for which `RecordDataset.ragged_labels` reads all bytes.

    Raises
    ------
    FormatError
        A record is damaged.
    """
    indices = np.arange(len(dataset))
    exact = dataset.exact_labels(indices)
    if exact is not None:
        width = 1 if exact.ndim == 1 else exact.shape[1]
        return Labels(exact.reshape(-1), np.arange(len(dataset) + 1, dtype=np.uint64) * np.uint64(width))
    values = [np.empty(0, np.float32)]
    widths: list[NDArray[np.uint64]] = [np.empty(0, np.uint64)]
    for begin in range(0, len(dataset), _BLOCK_SIZE):
        found = dataset.records_at(indices[begin : begin + _BLOCK_SIZE])
        for file_index in np.unique(found.file_indices).tolist():  # samples are in the order of the files
            offsets = found.offsets[found.file_indices == file_index]
            _, file_values, file_bounds = found.files[file_index].headers(offsets)
            values.append(file_values)
            widths.append(np.diff(file_bounds))
    return Labels(np.concatenate(values), bounds_of(np.concatenate(widths)))


def are_whole(values: NDArray[np.float32] | NDArray[np.int64]) -> bool:
    """Return whether all labels are whole numbers that float32 holds exactly."""
    return bool(np.all((np.abs(values) <= MAX_WHOLE) & (np.floor(values) == values)))
