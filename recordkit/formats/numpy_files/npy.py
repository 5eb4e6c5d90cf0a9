"""NumPy's .npy files: a header with type and shape, then the numbers.

The header is Python text, which NumPy parses; it is short, so only the beginning of a file is given to it. The size of
the file must be what the header announces before any memory is taken for the numbers. Pickled objects are refused: to
read them runs code that the file names.
"""

from __future__ import annotations

import io
import math
import os
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats.files import open_file
from recordkit.formats.signatures import detect

MAX_HEADER_BYTES = 4096
"""Limit for the header. NumPy writes 128 bytes for an array that is no table of named columns."""
_MAGIC = b"\x93NUMPY"


class Header(NamedTuple):
    """Type and shape of an array, as a .npy file announces them.

    Attributes
    ----------
    dtype : dtype
    shape : tuple of int
    is_fortran : bool
        The numbers are in the order of the columns.
    begin : int
        Offset of the numbers, in bytes.
    n_bytes : int
        Size of the numbers, in bytes.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    begin: int
    n_bytes: int

    def array(self, numbers: bytes | bytearray) -> NDArray[Any]:
        """Return the array of these numbers, of which there are `n_bytes`."""
        array: NDArray[Any] = np.frombuffer(numbers, self.dtype)
        return array.reshape(self.shape[::-1]).T if self.is_fortran else array.reshape(self.shape)


def parse_header(content: bytes) -> Header:
    """Parse the header of an array.

    Parameters
    ----------
    content : bytes
        The array as a .npy file has it, or its beginning.

    Returns
    -------
    header : Header

    Raises
    ------
    FormatError
        There is no header, it is damaged or long, or the array holds pickled objects.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.save(file, np.zeros((2, 3), np.int64))
    >>> parse_header(file.getvalue()).shape
    (2, 3)
    """
    if not content.startswith(_MAGIC):
        raise FormatError(expected="an array in .npy form", got=detect(content) if content else "an empty file")
    start = io.BytesIO(content[:MAX_HEADER_BYTES])
    try:
        version = np.lib.format.read_magic(start)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(start)
        numbers = tuple(map(int, shape))
    except Exception as error:  # noqa: BLE001 (for a damaged header NumPy raises many types, even TokenError)
        raise FormatError(expected="the header of a .npy file", got=f"damage: {error!s:.200}") from None
    if dtype.hasobject or not dtype.itemsize:
        raise FormatError(expected="an array of numbers", got="pickled objects" if dtype.hasobject else "empty texts")
    if min(numbers, default=0) < 0:
        raise FormatError(expected="sizes of at least 0", got=numbers)
    return Header(dtype, numbers, bool(is_fortran), start.tell(), math.prod(numbers) * dtype.itemsize)


def read_header(file: BinaryIO) -> Header:
    """Read the header of an open file from its beginning; see `parse_header`."""
    return parse_header(file.read(MAX_HEADER_BYTES))


def read(path: str | Path, *, max_bytes: int | None = None, what: str = "an array in .npy form") -> NDArray[Any]:
    """Read an array into memory.

    Parameters
    ----------
    path : str or Path
    max_bytes : int, optional
        Limit for the size of the file.
    what : str
        Description of the file for errors.

    Returns
    -------
    array : ndarray

    Raises
    ------
    FormatError
        The file is no .npy file, holds pickled objects, has another size than its header announces, is larger than
        `max_bytes`, or is a pipe or a device.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.npy")
    >>> np.save(path, np.arange(3))
    >>> read(path).tolist()
    [0, 1, 2]
    """
    with open_file(path, max_bytes=max_bytes, what=what, buffering=-1) as file:
        try:
            header = read_header(file)
            size = os.fstat(file.fileno()).st_size - header.begin
            if size != header.n_bytes:
                raise FormatError(expected=f"{plural(header.n_bytes, 'byte')} after the header", got=size)
            file.seek(header.begin)
            numbers = file.read(header.n_bytes)
            if len(numbers) < header.n_bytes:  # the file has shrunk since its size was read
                raise TruncatedError(expected=f"{plural(header.n_bytes, 'byte')} after the header", got=len(numbers))
        except FormatError as error:
            raise error.located(path=os.fspath(path)) from None
    return header.array(numbers)
