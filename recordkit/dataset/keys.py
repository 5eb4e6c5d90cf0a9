"""The lookup of samples by key."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
