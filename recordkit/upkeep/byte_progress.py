"""The progress of work that reads the same bytes several times, as one number of bytes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


class PassProgress:
    """Progress of several passes over the same bytes, each with the same share of the whole.

    Parameters
    ----------
    progress : callable or None
        Called with the number of bytes since the last call. Over all passes the numbers add up to the size of the file.
    n_passes : int, at least 1
        Each pass calls the object with numbers that add up to the size of the file.

    Examples
    --------
    >>> passed = []
    >>> progress = PassProgress(passed.append, 2)
    >>> for n_bytes in (3, 4, 7):  # of two passes over 7 bytes
    ...     progress(n_bytes)
    >>> passed
    [1, 2, 4]
    """

    def __init__(self, progress: Callable[[int], None] | None, n_passes: int) -> None:
        self._progress = progress
        self._n_passes = n_passes
        self._n_passed = self._n_reported = 0

    def __call__(self, n_bytes: int) -> None:
        """Pass on the number of bytes since the last call."""
        self._n_passed += n_bytes
        n_done = self._n_passed // self._n_passes
        if self._progress is not None and n_done > self._n_reported:
            self._progress(n_done - self._n_reported)
            self._n_reported = n_done


def bytes_of_rows(offsets: NDArray[np.uint64], begin: int, end: int, size: int) -> int:
    """Return the number of bytes that some records take of a file, with all bytes up to the next record.

    Parameters
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records in file order, in bytes. What is before the first one counts to it.
    begin, end : int
        The records are rows `begin` to `end` - 1.
    size : int
        Size of the file.

    Examples
    --------
    >>> offsets = np.array([8, 20, 36], np.uint64)
    >>> bytes_of_rows(offsets, 0, 2, 50), bytes_of_rows(offsets, 2, 3, 50)
    (36, 14)
    """
    first = int(offsets[begin]) if begin else 0
    return (int(offsets[end]) if end < len(offsets) else size) - first
