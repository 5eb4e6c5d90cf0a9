"""Consecutive records in parts of about the same number of bytes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def even_bounds(ends: NDArray[np.int64], n_parts: int) -> list[int]:
    """Return the first row of each part, and the number of rows, so that the parts are as even in bytes as possible.

    Parameters
    ----------
    ends : ndarray of int64, shape (n,)
        Sums of the bytes of the records up to each one and with it. A cut is at the end that is nearest to an even
        part.
    n_parts : int, 1 to n
        Each part has a record or more.

    Examples
    --------
    >>> even_bounds(np.cumsum([10, 10, 10, 90, 10, 10]), 3)
    [0, 3, 4, 6]
    """
    n, total = len(ends), int(ends[-1]) if len(ends) else 0
    bounds = [0]
    for part in range(1, n_parts):
        target = total * part / n_parts
        at = int(np.searchsorted(ends, target))
        at += int(at < n and ends[at] - target <= target - (ends[at - 1] if at else 0))
        bounds.append(min(max(at, bounds[-1] + 1), n - (n_parts - part)))
    return [*bounds, n]


def bounds_below(ends: NDArray[np.int64], max_bytes: int) -> list[int]:
    """Return the bounds of as few parts as possible that have at most some bytes each, or one record.

    Parameters
    ----------
    ends : ndarray of int64, shape (n,)
        As for `even_bounds`.
    max_bytes : int

    Examples
    --------
    >>> bounds_below(np.cumsum([10, 10, 10, 90, 10, 10]), 30)
    [0, 3, 4, 6]
    >>> bounds_below(np.cumsum([10] * 7), 30)
    [0, 2, 5, 7]
    """
    bounds = [0]
    while bounds[-1] < len(ends):
        done = int(ends[bounds[-1] - 1]) if bounds[-1] else 0
        bounds.append(max(bounds[-1] + 1, int(np.searchsorted(ends, done + max_bytes, "right"))))
    even = even_bounds(ends, len(bounds) - 1)
    sums = np.diff(np.concatenate([[0], ends])[even])
    is_below = (sums <= max_bytes) | (np.diff(even) == 1)
    return even if bool(np.all(is_below)) else bounds
