"""NumPy's arrays as MXNet's."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray


def copy_array(mx: Any, array: NDArray[Any]) -> Any:
    """Return a copy as one of MXNet's arrays, on the CPU.

    ``mx.nd.from_numpy`` would share the memory: MXNet's threads release it at any later time, and a process that ends
    before that is aborted. ``copy[:] = array`` would wait for all of MXNet's pending operations. The new array has no
    other user yet, so its memory is written directly.

    Parameters
    ----------
    mx : module
        MXNet.
    array : ndarray

    Returns
    -------
    copy : mx.nd.NDArray
        It has the shape and dtype of `array`.
    """
    copy = mx.nd.empty(array.shape, ctx=mx.cpu(), dtype=array.dtype)
    address = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(copy.handle, ctypes.byref(address)))
    source = np.ascontiguousarray(array)
    ctypes.memmove(address, source.ctypes.data, source.nbytes)
    return copy
