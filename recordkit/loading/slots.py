"""Memory for batches that is used again: a large array costs more to ask for than to fill.

Whoever has an array, or a view of one, keeps it: only when all are gone does its memory go into another batch.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Slots:
    """Arrays of one dtype, whose memory comes back.

    Parameters
    ----------
    dtype : dtype
    n_kept : int
        How many that nobody uses are kept.

    Attributes
    ----------
    dtype : dtype

    Examples
    --------
    >>> slots = Slots(np.uint8, n_kept=2)
    >>> first = slots.take((2, 3))
    >>> where = first.ctypes.data
    >>> view = first[1:]
    >>> del first
    >>> slots.take((2, 3)).ctypes.data == where  # there is still a view
    False
    >>> del view
    >>> slots.take((1, 6)).ctypes.data == where
    True
    """

    def __init__(self, dtype: DTypeLike, n_kept: int) -> None:
        self.dtype = np.dtype(dtype)
        # Its operations are atomic: without a lock, none can be held where a process forks or an array dies.
        self._free: deque[NDArray[Any]] = deque(maxlen=n_kept)

    def take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of this shape, which holds anything."""
        n = math.prod(shape)
        try:
            memory = self._free.pop()
        except IndexError:
            memory = np.empty(n, self.dtype)
        if memory.size < n:
            memory = np.empty(n, self.dtype)
        lease = _Lease(self, memory)
        return np.asarray(lease)[:n].reshape(shape)

    def give_back(self, memory: NDArray[Any]) -> None:
        """Keep memory for the next one who asks."""
        self._free.append(memory)


class _Lease:
    """What arrays that use some memory have as their base; it dies with the last of them."""

    def __init__(self, slots: Slots, memory: NDArray[Any]) -> None:
        self._slots = slots
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._slots.give_back(self._memory)
