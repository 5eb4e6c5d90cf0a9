"""The keys of the records of a file without an index, and the lookup of samples by key."""

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


class KeyLookup:
    """Finds the indices of all samples with a key, by binary search. Memory: 16 bytes per sample.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        Key of each sample; keys may repeat.

    Examples
    --------
    >>> KeyLookup(np.array([7, 5, 7], np.uint64)).indices(7)
    [0, 2]
    """

    def __init__(self, keys: NDArray[np.uint64]) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._sorted_keys = keys[self._order]

    def indices(self, key: int) -> list[int]:
        """Return the indices of all samples with a key, 0 to 2**64 - 1, in increasing order."""
        begin, end = (int(np.searchsorted(self._sorted_keys, np.uint64(key), side)) for side in ("left", "right"))
        return [int(index) for index in self._order[begin:end]]
