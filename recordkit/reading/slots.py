"""Memory for batches that is used again: a large array costs more to ask for than to fill.

Whoever has an array, or a view of one, keeps it: only when all are gone does its memory go into another batch.
"""

from __future__ import annotations

import threading
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
        self._n_kept = n_kept
        self._free: list[NDArray[Any]] = []
        # Reentrant: an array may die, and its memory come back, anywhere, also in here.
        self._lock = threading.RLock()

    def take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an array of this shape, which holds anything."""
        n = int(np.prod(shape))
        with self._lock:
            fitting = [number for number, memory in enumerate(self._free) if memory.size >= n]
            memory = self._free.pop(fitting[-1]) if fitting else None
        if memory is None:
            memory = np.empty(n, self.dtype)
        lease = _Lease(self, memory)
        return np.asarray(lease)[:n].reshape(shape)

    def give_back(self, memory: NDArray[Any]) -> None:
        """Keep memory for the next one who asks."""
        with self._lock:
            if len(self._free) < self._n_kept:
                self._free.append(memory)


class _Lease:
    """What arrays that use some memory have as their base; it dies with the last of them."""

    def __init__(self, slots: Slots, memory: NDArray[Any]) -> None:
        self._slots = slots
        self._memory = memory
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._slots.give_back(self._memory)
