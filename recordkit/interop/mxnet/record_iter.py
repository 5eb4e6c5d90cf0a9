"""recordkit's ImageRecordIter as one of MXNet's iterators, for ``Module.fit`` and Gluon's loops."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.interop.mxnet.arrays import copy_array
from recordkit.interop.mxnet.bridge import load
from recordkit.record_iter.iterator import DataBatch, DataDesc
from recordkit.record_iter.iterator import ImageRecordIter as RecordIter


def ImageRecordIter(**arguments: Any) -> Any:  # noqa: N802 (the name of MXNet's class)
    """Return recordkit's iterator in place of ``mx.io.ImageRecordIter(**arguments)``.

    Parameters
    ----------
    **arguments
        Arguments of `recordkit.ImageRecordIter`.

    Returns
    -------
    iterator : mx.io.DataIter
        Its batches are ``mx.io.DataBatch`` with arrays ``mx.nd.NDArray`` on the CPU, which are never overwritten;
        `pad` is correct, and `index` has the keys. Its attribute `source` is the `recordkit.ImageRecordIter`.

    Raises
    ------
    MissingError
        MXNet cannot be loaded.
    PlanError, FormatError, NotFoundError
        See `recordkit.ImageRecordIter`.

    Examples
    --------
    >>> batches = ImageRecordIter(
    ...     path_imgrec="train.rec", data_shape=(3, 224, 224), batch_size=64, shuffle=True
    ... )  # doctest: +SKIP
    >>> module.fit(batches, num_epoch=10)  # doctest: +SKIP
    """
    return _iterator_class()(RecordIter(**arguments))


@functools.cache
def _iterator_class() -> Any:
    """Return the class, which can be defined only once MXNet is loaded, because it is derived from MXNet's."""
    mx = load()

    class ImageRecordIter(mx.io.DataIter):  # type: ignore[misc, name-defined]  # MXNet has no types
        """Batches of a `recordkit.ImageRecordIter` as MXNet's arrays; iteration is DataIter's."""

        def __init__(self, source: RecordIter) -> None:
            super().__init__(source.batch_size)
            self.source = source
            self.provide_data = [_desc(mx, desc) for desc in source.provide_data]
            self.provide_label = [_desc(mx, desc) for desc in source.provide_label]

        def reset(self) -> None:
            self.source.reset()

        def iter_next(self) -> bool:
            return self.source.iter_next()

        def next(self) -> Any:  # DataIter.next expects lists from getdata and getlabel
            return _batch(mx, self.source.next())

        def getdata(self) -> Any:
            return copy_array(mx, self.source.getdata())

        def getlabel(self) -> Any:
            return copy_array(mx, self.source.getlabel())

        def getpad(self) -> int:
            return self.source.getpad()

        def getindex(self) -> NDArray[np.uint64]:
            return self.source.getindex()

    return ImageRecordIter


def _desc(mx: Any, desc: DataDesc) -> Any:
    return mx.io.DataDesc(desc.name, desc.shape, desc.dtype.type, desc.layout)


def _batch(mx: Any, batch: DataBatch) -> Any:
    data, label = ([copy_array(mx, array) for array in arrays] for arrays in (batch.data, batch.label))
    return mx.io.DataBatch(data=data, label=label, pad=batch.pad, index=batch.index)
