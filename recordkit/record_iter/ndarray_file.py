"""Files of arrays as ``mx.nd.save`` writes them.

Layout, little-endian:

    type      field
    uint64    0x112
    uint64    reserved, 0
    uint64    number of arrays, then each array
    uint64    number of names, 0 or as many as arrays, then each name: uint64 length, and its bytes

An array:

    type      field
    uint32    0xF993FAC9; 0xF993FAC8 before version 1.0, 0xF993FACA with NumPy's shapes, the rank before version 0.12
    int32     storage: 0 dense. Only after 0xF993FAC9 and 0xF993FACA
    int32     rank, 0 for no array, which ends here. Not if the first number is the rank
    int64     size of each dimension; uint32 if the first number is the rank
    int32     type of the device that had the array: 1 CPU, 2 GPU
    int32     number of that device
    int32     type of the numbers, see `_DTYPES`
    numbers   in C order

Source: ``NDArray::Save`` and ``NDArray::Load``, src/ndarray/ndarray.cc, apache/mxnet 1.9.1. Sparse arrays are refused.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, TruncatedError, plural

MAGIC = struct.pack("<Q", 0x112)
"""The first 8 bytes of a file."""

_V1, _V2, _V3 = 0xF993FAC8, 0xF993FAC9, 0xF993FACA
_DTYPES = {0: "<f4", 1: "<f8", 2: "<f2", 3: "|u1", 4: "<i4", 5: "|i1", 6: "<i8", 7: "|b1"}
_TYPES = {np.dtype(name): number for number, name in _DTYPES.items()}
_MAX_RANK = 32  # NumPy 1 has no more


def pack(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the file of some arrays.

    Parameters
    ----------
    arrays : mapping of str to ndarray
        Arrays by name.

    Returns
    -------
    content : bytes

    Examples
    --------
    >>> [(name, array.tolist()) for name, array in unpack(pack({"mean_img": np.ones((1, 2), np.float32)}))]
    [('mean_img', [[1.0, 1.0]])]
    """
    parts = [MAGIC, struct.pack("<QQ", 0, len(arrays))]
    for array in arrays.values():
        little = array.astype(array.dtype.newbyteorder("<"))
        parts.append(struct.pack(f"<Iii{array.ndim}q", _V2, 0, array.ndim, *array.shape))
        parts += [struct.pack("<iii", 1, 0, _TYPES[little.dtype]), little.tobytes()]
    parts.append(struct.pack("<Q", len(arrays)))
    for name in arrays:
        parts += [struct.pack("<Q", len(name.encode())), name.encode()]
    return b"".join(parts)


def unpack(content: bytes) -> list[tuple[str, NDArray[Any]]]:
    """Return the arrays of a file with their names.

    Parameters
    ----------
    content : bytes

    Returns
    -------
    arrays : list of (str, ndarray)
        In the order of the file. The names are empty if the file has none. The arrays are read-only.

    Raises
    ------
    TruncatedError
        The content ends too early.
    FormatError
        The content is not a file of dense arrays.
    """
    cursor = _Cursor(content)
    if not content.startswith(MAGIC):
        raise FormatError(expected="a file of mx.nd.save, which begins with 0x112", got=repr(content[:8]))
    _magic, _reserved, n_arrays = cursor.numbers("QQQ")
    arrays = []
    for _ in range(n_arrays):  # each takes bytes of the content, so a wrong number ends with it
        arrays.append(_unpack_array(cursor))
    (n_names,) = cursor.numbers("Q")
    if n_names not in (0, n_arrays):
        raise cursor.error(f"0 or {n_arrays} names", n_names)
    names = [cursor.take(*cursor.numbers("Q")).decode(errors="replace") for _ in range(n_names)]
    return list(zip(names or [""] * n_arrays, arrays, strict=True))


class _Cursor:
    """A position in the content that only moves forward."""

    def __init__(self, content: bytes) -> None:
        self._content = memoryview(content)
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._content):
            got = plural(len(self._content) - self._position, "byte")
            raise TruncatedError(offset=self._position, expected=plural(size, "byte"), got=got)
        taken = bytes(self._content[self._position : end])
        self._position = end
        return taken

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))

    def error(self, expected: str, got: object) -> FormatError:
        return FormatError(offset=self._position, expected=expected, got=got)


def _unpack_array(cursor: _Cursor) -> NDArray[Any]:
    (magic,) = cursor.numbers("I")
    if magic in (_V2, _V3):
        (storage,) = cursor.numbers("i")
        if storage != 0:
            raise cursor.error("a dense array", f"an array of storage type {storage}")
    rank, size = (cursor.numbers("i")[0], "q") if magic in (_V1, _V2, _V3) else (magic, "I")
    if not 0 <= rank <= _MAX_RANK:
        raise cursor.error(f"a rank of 0 to {_MAX_RANK}", rank)
    if rank == 0:
        return np.empty(0, np.float32)
    shape = cursor.numbers(f"{rank}{size}")
    _device, _number, kind = cursor.numbers("iii")
    if min(shape) < 0 or kind not in _DTYPES:
        raise cursor.error("sizes of at least 0 and a type of 0 to 7", f"{shape} and {kind}")
    dtype = np.dtype(_DTYPES[kind])
    numbers = np.frombuffer(cursor.take(math.prod(shape) * dtype.itemsize), dtype)
    try:
        return numbers.reshape(shape)
    except ValueError:  # an array without numbers, with sizes whose product is too large
        raise cursor.error("sizes of an array", shape) from None
