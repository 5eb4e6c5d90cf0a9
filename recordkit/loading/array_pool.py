"""Arrays whose memory is reused, because allocating a large array takes longer than filling it.

Memory returns to the pool only when no array and no view of it exists any more.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

# JAX shares memory at multiples of 64 bytes, and copies all other.
_ALIGNMENT = 64


class ArrayPool:
    """Arrays of one dtype on reused memory. Threads may share a pool.

    Parameters
    ----------
    dtype : dtype
    n_kept : int
        Largest number of unused blocks of memory to keep.

    Attributes
    ----------
    dtype : dtype

    Examples
    --------
    >>> pool = ArrayPool(np.uint8, n_kept=2)
    >>> first = pool.take((2, 3))
    >>> address = first.ctypes.data
    >>> view = first[1:]
    >>> del first
    >>> pool.take((2, 3)).ctypes.data == address  # the view still uses the memory
    False
    >>> del view
    >>> pool.take((1, 6)).ctypes.data == address
    True
    """

    def __init__(self, dtype: DTypeLike, n_kept: int) -> None:
        self.dtype = np.dtype(dtype)
        # A deque's operations are atomic. A lock could be held while a process forks or an array is finalised.
        self._unused: deque[NDArray[Any]] = deque(maxlen=n_kept)

    def take(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """Return an uninitialised array of this shape."""
        n = math.prod(shape)
        try:
            memory = self._unused.pop()
        except IndexError:
            memory = _allocate(n, self.dtype)
        if memory.size < n:
            memory = _allocate(n, self.dtype)
        return np.asarray(_PooledMemory(memory, self._unused))[:n].reshape(shape)


def _allocate(n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return an array at an address that JAX takes without a copy."""
    memory = np.empty(n * dtype.itemsize + _ALIGNMENT - 1, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + n * dtype.itemsize].view(dtype)


class _PooledMemory:
    """The base of all arrays on one block of memory: it is finalised after the last of them."""

    def __init__(self, memory: NDArray[Any], unused: deque[NDArray[Any]]) -> None:
        self._memory = memory
        self._unused = unused
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._unused.append(self._memory)
