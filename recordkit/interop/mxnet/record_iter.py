"""recordkit's ImageRecordIter as one of MXNet's iterators, for ``Module.fit`` and Gluon's loops."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.interop.mxnet.bridge import load
from recordkit.record_iter.iterator import DataBatch, DataDesc
from recordkit.record_iter.iterator import ImageRecordIter as RecordIter


def ImageRecordIter(**arguments: Any) -> Any:  # noqa: N802 (the name that it stands in for)
    """Return what ``mx.io.ImageRecordIter(**arguments)`` would, made by recordkit.

    Parameters
    ----------
    **arguments
        Those of `recordkit.ImageRecordIter`.

    Returns
    -------
    iterator : mx.io.DataIter
        Its batches are ``mx.io.DataBatch`` of ``mx.nd.NDArray`` on the CPU, which nothing writes again; `pad` is right,
        and `index` has the keys. Its attribute `source` is the `recordkit.ImageRecordIter`.

    Raises
    ------
    MissingError
        MXNet cannot be loaded.
    PlanError, FormatError, FileNotFoundError
        See `recordkit.ImageRecordIter`.

    Examples
    --------
    >>> batches = ImageRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=64, shuffle=True
    ... )  # doctest: +SKIP
    >>> module.fit(batches, num_epoch=10)  # doctest: +SKIP
    """
    return _kind()(RecordIter(**arguments))


@functools.cache
def _kind() -> Any:
    """Return the class, which cannot be made before MXNet is there."""
    mx = load()

    class ImageRecordIter(mx.io.DataIter):  # type: ignore[misc, name-defined]
        """Batches of a `recordkit.ImageRecordIter` as MXNet's arrays. The rest is DataIter's."""

        def __init__(self, source: RecordIter) -> None:
            super().__init__(source.batch_size)
            self.source = source
            self.provide_data = [_desc(mx, each) for each in source.provide_data]
            self.provide_label = [_desc(mx, each) for each in source.provide_label]

        def reset(self) -> None:
            self.source.reset()

        def iter_next(self) -> bool:
            return self.source.iter_next()

        def next(self) -> Any:  # DataIter's expects lists of getdata and getlabel
            return _batch(mx, self.source.next())

        def getdata(self) -> Any:
            return _array(mx, self.source.getdata())

        def getlabel(self) -> Any:
            return _array(mx, self.source.getlabel())

        def getpad(self) -> int:
            return self.source.getpad()

        def getindex(self) -> NDArray[np.uint64]:
            return self.source.getindex()

    return ImageRecordIter


def _desc(mx: Any, desc: DataDesc) -> Any:
    return mx.io.DataDesc(desc.name, desc.shape, desc.dtype.type, desc.layout)


def _batch(mx: Any, batch: DataBatch) -> Any:
    data, label = ([_array(mx, each) for each in arrays] for arrays in (batch.data, batch.label))
    return mx.io.DataBatch(data=data, label=label, pad=batch.pad, index=batch.index)


def _array(mx: Any, array: NDArray[Any]) -> Any:
    """Return a copy as an array of MXNet's.

    Not ``mx.nd.from_numpy``, which shares memory: MXNet's threads give that back when they like, and a process that
    ends meanwhile is aborted. And not ``copy[:] = array``, which waits until MXNet has done all that it was told
    before: nobody else knows of the new array yet, so it is written where it lies.
    """
    copy = mx.nd.empty(array.shape, ctx=mx.cpu(), dtype=array.dtype)
    address = ctypes.c_void_p()
    mx.base.check_call(mx.base._LIB.MXNDArrayGetData(copy.handle, ctypes.byref(address)))
    source = np.ascontiguousarray(array)
    ctypes.memmove(address, source.ctypes.data, source.nbytes)
    return copy
