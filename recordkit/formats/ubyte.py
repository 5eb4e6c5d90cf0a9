"""MNIST's ubyte files ("IDX" files): a short header and one array of numbers.

Layout, big-endian:

    offset      type      field
    0           2 bytes   0
    2           uint8     type of the numbers: 8 uint8, 9 int8, 11 int16, 12 int32, 13 float32, 14 float64
    3           uint8     rank, the number of dimensions
    4           uint32    size of each dimension, `rank` of them
    4 + 4 rank  numbers   in C order

`read` decompresses files that begin with the magic of gzip or xz. MXNet's .idx files are another format, see
`recordkit.formats.idx`.

Source: "The IDX file format", on the MNIST page of LeCun, Cortes and Burges.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats.files import check_unpacked_size, open_file

DTYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

_GZIP_MAGIC = b"\x1f\x8b"
_XZ_MAGIC = b"\xfd7zXZ\0"
# The header may announce more than there is, so memory grows with the bytes decompressed so far.
_BLOCK_BYTES = 1 << 22


def read(path: str | Path) -> NDArray[Any]:
    """Read an ubyte file.

    Parameters
    ----------
    path : str or Path
        Plain, or compressed with gzip or xz.

    Returns
    -------
    array : ndarray
        Shape and type from the header, big-endian, and read-only. The numbers are in memory, not mapped: a file that
        another process cuts short is an error and never a signal.

    Raises
    ------
    TruncatedError
        The file ends inside the header or has fewer numbers than the header announces.
    FormatError
        The header is not a ubyte header, the file has more numbers than it announces, a compressed file announces far
        more than it can have (`recordkit.formats.files.check_unpacked_size`), or the path is a pipe or a device.
    OSError
        The file cannot be read.
    """
    name = os.fspath(path)
    with _open(path) as (file, compressed):
        if compressed:
            return _read_stream(file, name, os.fstat(file.fileno()).st_size)
        dtype, shape, begin = _header(file, name)
        expected = math.prod(shape) * dtype.itemsize
        _check_size(os.fstat(file.fileno()).st_size - begin, expected, name)
        file.seek(begin)
        data = file.read(expected)
        _check_size(len(data), expected, name)  # another process may have cut the file
        return np.frombuffer(data, dtype).reshape(shape)


def read_shape(path: str | Path) -> tuple[int, ...]:
    """Read the shape of the array from the header of a ubyte file; see `read`."""
    with _open(path) as (file, _):
        return _header(file, os.fspath(path))[1]


@contextlib.contextmanager
def _open(path: str | Path) -> Iterator[tuple[Any, bool]]:
    """Open a file for reading its content; the second item says whether that is being decompressed."""
    name = os.fspath(path)
    with open_file(path, what="a ubyte file", buffering=-1) as file:
        magic = file.read(len(_XZ_MAGIC))
        file.seek(0)
        try:
            if magic.startswith(_GZIP_MAGIC):
                with gzip.open(file) as content:
                    yield content, True
            elif magic == _XZ_MAGIC:
                with lzma.open(file) as content:
                    yield content, True
            else:
                yield file, False
        except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
            kind = "gzip" if magic.startswith(_GZIP_MAGIC) else "xz"
            raise TruncatedError(path=name, expected=f"a whole {kind} file", got=f"a damaged one ({error})") from None


def _read_stream(content: Any, name: str, packed_bytes: int) -> NDArray[Any]:
    dtype, shape, _ = _header(content, name)
    expected = math.prod(shape) * dtype.itemsize
    check_unpacked_size(name, expected, packed_bytes)
    data = bytearray()
    while len(data) <= expected and (block := content.read(min(_BLOCK_BYTES, expected + 1 - len(data)))):
        data += block
    _check_size(len(data), expected, name)
    return np.frombuffer(data, dtype).reshape(shape)


def _header(file: BinaryIO, name: str) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    head = file.read(4)
    if len(head) < 4:
        raise TruncatedError(path=name, offset=0, expected="a 4-byte magic number", got=plural(len(head), "byte"))
    zeros, code, rank = struct.unpack(">HBB", head)
    if zeros or code not in DTYPES or not rank:
        raise FormatError(
            path=name,
            offset=0,
            expected="the magic number of an ubyte file, such as 0x00000803",
            got=f"0x{head.hex()}",
        )
    sizes = file.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise TruncatedError(path=name, offset=4, expected=f"{rank} sizes", got=f"{len(sizes)} bytes")
    if rank > 32:
        raise FormatError(path=name, offset=3, expected="at most 32 dimensions", got=rank)
    dtype, shape = np.dtype(DTYPES[code]), struct.unpack(f">{rank}I", sizes)
    # NumPy has the same limit, and ignores sizes of 0 in the product too.
    if math.prod(size or 1 for size in shape) * dtype.itemsize >= 2**63:
        raise FormatError(path=name, offset=4, expected="fewer than 2**63 bytes", got=f"sizes {shape}")
    return dtype, shape, 4 + 4 * rank


def _check_size(got: int, expected: int, name: str) -> None:
    if got < expected:
        raise TruncatedError(path=name, expected=f"{plural(expected, 'byte')} after the header", got=got)
    if got > expected:
        raise FormatError(path=name, expected=f"{plural(expected, 'byte')} after the header", got="more")


def pack(array: NDArray[Any]) -> bytes:
    """Format an array as a ubyte file.

    Parameters
    ----------
    array : ndarray of uint8, int8, int16, int32, float32 or float64, rank 1 to 32

    Returns
    -------
    content : bytes

    Raises
    ------
    FormatError
        The format does not support the type or the rank.

    Examples
    --------
    >>> pack(np.array([7, 2, 1], np.uint8)).hex(" ", -4)
    '00000801 00000003 070201'
    """
    big = array.dtype.newbyteorder(">")
    codes = {np.dtype(text): code for code, text in DTYPES.items()}
    if big not in codes or not 1 <= array.ndim <= 32:
        raise FormatError(expected="an array type of an ubyte file", got=f"{array.dtype} of rank {array.ndim}")
    head = struct.pack(f">HBB{array.ndim}I", 0, codes[big], array.ndim, *array.shape)
    return head + array.astype(big).tobytes()
