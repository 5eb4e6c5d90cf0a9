"""The keys of the records of a file without an index, and the lookup of samples by key and of equal numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def keys_of_ids(ids: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the keys of records that have no index.

    Parameters
    ----------
    ids : ndarray of uint64, shape (n,)
        The ids in the headers, in file order.

    Returns
    -------
    keys : ndarray of uint64, shape (n,)
        The ids, also if some of them repeat. If all records have the same id, such as 0 in files of programs that write
        none, it is no key, and the keys are the positions 0 to n - 1.

    Examples
    --------
    >>> keys_of_ids(np.array([7, 5, 7], np.uint64)).tolist(), keys_of_ids(np.zeros(3, np.uint64)).tolist()
    ([7, 5, 7], [0, 1, 2])
    """
    if len(ids) > 1 and bool(np.all(ids == ids[0])):
        return np.arange(len(ids), dtype=np.uint64)
    return ids


def count_different(values: NDArray[np.uint64]) -> int:
    """Return the number of different values; in less time than `numpy.unique`, above all for increasing ones.

    Examples
    --------
    >>> count_different(np.array([7, 5, 7], np.uint64)), count_different(np.array([5, 7], np.uint64))
    (2, 2)
    """
    is_increasing = bool(np.all(values[1:] > values[:-1]))
    ordered = values if is_increasing else np.sort(values)
    return min(len(values), 1) + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def ranks(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each value the number of equal ones before it.

    Examples
    --------
    >>> ranks(np.array([7, 5, 7, 7], np.uint64)).tolist()
    [0, 0, 1, 2]
    """
    result = np.zeros(len(values), np.int64)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    begins = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1])[: len(values)])
    sizes = np.diff(np.append(begins, len(values)))
    result[order] = np.arange(len(values)) - np.repeat(begins, sizes)
    return result


def find_sorted(ordered: NDArray[Any], values: NDArray[Any]) -> NDArray[np.int64]:
    """Return the first position of each value in an array in increasing order; -1 for one that is not there.

    Examples
    --------
    >>> find_sorted(np.array([5, 7, 7]), np.array([7, 6])).tolist()
    [1, -1]
    """
    if not len(ordered):
        return np.full(len(values), -1, np.int64)
    positions = np.searchsorted(ordered, values).astype(np.int64)
    return np.where(ordered[np.minimum(positions, len(ordered) - 1)] == values, positions, -1)


def match(values: NDArray[Any], others: NDArray[Any]) -> NDArray[np.int64]:
    """Return the position of an equal number among others for each value: of the k-th of equal ones the k-th.

    Returns
    -------
    positions : ndarray of int64, shape (n,)
        -1 for a value that fewer others equal.

    Examples
    --------
    >>> match(np.array([7, 9, 7, 7]), np.array([7, 5, 7])).tolist()
    [0, -1, 2, -1]
    """
    order = np.argsort(others, kind="stable")
    ordered = others[order]
    found = np.searchsorted(ordered, values) + ranks(values)
    rows = np.flatnonzero(found < len(ordered))
    rows = rows[ordered[found[rows]] == values[rows]]
    positions = np.full(len(values), -1, np.int64)
    positions[rows] = order[found[rows]]
    return positions


class KeyLookup:
    """Finds samples by key, by binary search. Memory: 16 bytes per sample.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        Key of each sample; keys may repeat.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        The indices of the samples, by key and then by index.
    sorted_keys : ndarray of uint64, shape (n,)

    Examples
    --------
    >>> lookup = KeyLookup(np.array([7, 5, 7], np.uint64))
    >>> lookup.indices(7), lookup.first_indices(np.array([5, 6], np.uint64)).tolist(), lookup.repeated_keys().tolist()
    ([0, 2], [1, -1], [7])
    >>> lookup.first_indices(np.array([5, 7, 7], np.uint64)).tolist()
    [1, 0, 0]
    """

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self.order = np.argsort(keys, kind="stable").astype(np.int64, copy=False)
        self.sorted_keys = keys[self.order]

    def indices(self, key: int) -> list[int]:
        """Return the indices of all samples with a key, 0 to 2**64 - 1, in increasing order."""
        begin, end = (int(np.searchsorted(self.sorted_keys, np.uint64(key), side)) for side in ("left", "right"))
        return [int(index) for index in self.order[begin:end]]

    def first_indices(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the index of the first sample with each of some keys; -1 for a key that none has."""
        if np.array_equal(keys, self.sorted_keys) and bool(np.all(keys[1:] > keys[:-1])):  # no search is needed
            rows: NDArray[np.int64] = self.order.copy()
            return rows
        indices = find_sorted(self.sorted_keys, keys)
        is_there = indices >= 0
        indices[is_there] = self.order[indices[is_there]]
        return indices

    def repeated_keys(self) -> NDArray[np.uint64]:
        """Return the key of each sample whose key an earlier one has, in increasing order."""
        is_repeated = self.sorted_keys[1:] == self.sorted_keys[:-1]
        repeated: NDArray[np.uint64] = self.sorted_keys[1:][is_repeated]
        return repeated
