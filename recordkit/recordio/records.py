"""The header of an image record: joining it with an image, and splitting a record."""

from __future__ import annotations

import numbers
import operator
import warnings
from typing import Any, NamedTuple

import numpy as np

from recordkit.formats import irheader


class HEADER(NamedTuple):
    """The header of an image record, also named `IRHeader`.

    Attributes
    ----------
    flag : int
        Number of labels of a vector, or 0 for a single label. `pack` ignores it and counts the labels.
    label : float, or array-like of float
    id : int
        Key of the record.
    id2 : int
        Reserved, 0.
    """

    flag: int
    label: Any
    id: int
    id2: int


IRHeader = HEADER


def pack(header: IRHeader | tuple[Any, ...], s: bytes) -> bytes:
    """Join a header and an encoded image into a record.

    Parameters
    ----------
    header : IRHeader
        If the label is a number, the flag is 0. Any other label is flattened into a vector of float32.
    s : bytes
        The encoded image.

    Returns
    -------
    record : bytes

    Examples
    --------
    >>> from recordkit.recordio import IRHeader, pack, unpack
    >>> unpack(pack(IRHeader(0, [1, 2.5], 7, 0), b"jpeg"))[0].label
    array([1. , 2.5], dtype=float32)
    """
    header = IRHeader(*header)
    key, key2 = operator.index(header.id), operator.index(header.id2)
    label: float | tuple[float, ...]
    if isinstance(header.label, numbers.Number):
        label = float(header.label)  # type: ignore[arg-type]  # numbers.Number has no __float__ in its stubs
    else:
        vector = np.asarray(header.label, dtype=np.float32).ravel()
        label = tuple(vector.tolist())
        if header.label is None or not label:
            warnings.warn(f"label {header.label!r} of id {header.id} is packed as {label or 0.0}", stacklevel=2)
    return irheader.pack(irheader.IRHeader(label, key, key2), s)


def unpack(s: bytes) -> tuple[IRHeader, bytes]:
    """Split a record into a header and an encoded image.

    Parameters
    ----------
    s : bytes

    Returns
    -------
    header : IRHeader
        ``label`` is a float if the flag is 0, otherwise a read-only float32 array of shape (flag,).
    image : bytes

    Raises
    ------
    TypeError
        `s` is not bytes, such as None, which `read` returns after the last record.
    TruncatedError
        `s` is shorter than its header says.

    Examples
    --------
    >>> from recordkit.recordio import IRHeader, pack, unpack
    >>> unpack(pack(IRHeader(0, 4, 7, 0), b"jpeg"))
    (HEADER(flag=0, label=4.0, id=7, id2=0), b'jpeg')
    """
    if not isinstance(s, bytes | bytearray | memoryview):
        end = "; `read` returns None after the last record" if s is None else ""
        raise TypeError(f"expected the bytes of a record, got {type(s).__name__}{end}")
    header, payload = irheader.unpack(s)
    if not isinstance(header.label, tuple):
        return IRHeader(0, header.label, header.id, header.id2), bytes(payload)
    flag = len(header.labels)
    label = np.frombuffer(s, np.float32, flag, irheader.HEADER_SIZE)
    return IRHeader(flag, label, header.id, header.id2), bytes(payload)
