"""The keys and labels of a source that are read before its images, in flat arrays."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class EntryTable:
    """Keys and labels of samples, 8 bytes for each number.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,), optional
        The keys, each once. Otherwise, and if they are repeated, the keys are 0 to n - 1.
    values : ndarray of int64 or float64, shape (m,)
        The labels of all samples, concatenated.
    bounds : ndarray of int64, shape (n + 1,)
        The labels of sample i are ``values[bounds[i]:bounds[i + 1]]``.

    Examples
    --------
    >>> table = EntryTable(np.array([7, 9], np.uint64), np.array([4, 5]), np.array([0, 1, 2]))
    >>> table.keys_at([1]), table.labels([0, 1]), table.indices([9, 7])
    ([9], [(4,), (5,)], [1, 0])
    """

    def __init__(self, keys: NDArray[np.uint64] | None, values: NDArray[np.generic], bounds: NDArray[np.int64]) -> None:
        self._values, self._bounds = values, bounds
        self._keys = self._order = None
        if keys is not None:
            order = np.argsort(keys, kind="stable")
            if not np.any(keys[order[1:]] == keys[order[:-1]]):
                self._keys, self._order = keys, order

    def __len__(self) -> int:
        return len(self._bounds) - 1

    @property
    def has_keys(self) -> bool:
        """True if the keys are not 0 to n - 1 by default."""
        return self._keys is not None

    def keys_at(self, indices: Sequence[int]) -> list[int]:
        """Return the keys of the samples at `indices`."""
        if self._keys is None:
            return list(indices)
        keys: list[int] = self._keys[np.asarray(indices, np.int64)].tolist()
        return keys

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the samples at `indices`."""
        rows = np.asarray(indices, np.int64)
        begins, ends = self._bounds[rows].tolist(), self._bounds[rows + 1].tolist()
        return [tuple(self._values[begin:end].tolist()) for begin, end in zip(begins, ends, strict=True)]

    def indices(self, keys: Sequence[int]) -> list[int]:
        """Return the indices of the samples with some keys, which must exist."""
        if self._keys is None or self._order is None:
            return list(keys)
        positions = np.searchsorted(self._keys, np.asarray(keys, np.uint64), sorter=self._order)
        indices: list[int] = self._order[positions].tolist()
        return indices


class LabelColumn:
    """Labels that are appended sample by sample. They stay whole numbers until one is a fraction."""

    def __init__(self) -> None:
        self._values: array[int] | array[float] = array("q")
        self._bounds = array("q", [0])

    def append(self, labels: Sequence[float]) -> None:
        """Append the labels of a sample.

        Raises
        ------
        OverflowError
            A whole number has more than 64 bits, or more than 53 and other labels are fractions.
        """
        if self._values.typecode == "q" and not all(isinstance(label, int) for label in labels):
            self._values = array("d", map(_exact_float, self._values))
        if self._values.typecode == "d":
            labels = [_exact_float(label) for label in labels]
        self._values.extend(labels)  # type: ignore[arg-type]  # the type code says which of the two it is
        self._bounds.append(len(self._values))

    def arrays(self) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
        """Return the values and bounds as `EntryTable` takes them."""
        return np.array(self._values), np.array(self._bounds, np.int64)


def _exact_float(number: float) -> float:
    if float(number) != number and number == number:  # NaN differs from itself
        raise OverflowError(f"{number} among fractions")
    return float(number)


def concatenate(
    tables: Sequence[tuple[NDArray[np.generic], NDArray[np.int64]]],
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Join values and bounds of several parts.

    Examples
    --------
    >>> part = (np.array([4, 5]), np.array([0, 1, 2]))
    >>> [array.tolist() for array in concatenate([part, part])]
    [[4, 5, 4, 5], [0, 1, 2, 3, 4]]
    """
    starts = itertools.accumulate((len(values) for values, _ in tables), initial=0)
    bounds = [np.zeros(1, np.int64), *(bounds[1:] + start for (_, bounds), start in zip(tables, starts, strict=False))]
    return np.concatenate([values for values, _ in tables]), np.concatenate(bounds)
