"""NumPy's .npz files: zip archives with one .npy file per array.

Pickled objects are refused: to read them runs code that the file names.
"""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from recordkit.errors import FormatError, TruncatedError, plural
from recordkit.formats.files import check_unpacked_size, open_file
from recordkit.formats.numpy_files import npy

_SUFFIX = ".npy"
# The archive may announce more than there is, so memory grows with the bytes decompressed so far.
_BLOCK_BYTES = 1 << 22
# The errors of `zipfile` and NumPy about bytes that are damaged, encrypted, or announce too much. An OSError comes from
# an offset before the file's beginning.
_DAMAGE_ERRORS = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
    EOFError, OSError, ValueError, RuntimeError, MemoryError, OverflowError,
)  # fmt: skip


def names(path: str | Path) -> set[str]:
    """Return the names of the arrays in a file; empty if it is no .npz file."""
    with open_file(path, what="an .npz file", buffering=-1) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return {name.removesuffix(_SUFFIX) for name in archive.namelist() if name.endswith(_SUFFIX)}
        except _DAMAGE_ERRORS:
            return set()


def read(path: str | Path, name: str = "arr_0") -> NDArray[Any]:
    """Read one array.

    Parameters
    ----------
    path : str or Path
    name : str
        Name of the array; ``arr_0`` is NumPy's name for the first array without one.

    Returns
    -------
    array : ndarray

    Raises
    ------
    FormatError
        The file is damaged, has no such array, the array holds pickled objects or announces far more than it can have
        (`recordkit.formats.files.check_unpacked_size`), or the path is a pipe or a device.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez_compressed(Path(folder, "labels.npz"), np.array([7, 2], np.uint8))
    ...     read(Path(folder, "labels.npz")).tolist()
    [7, 2]
    """
    if name not in (existing := names(path)):
        got = ", ".join(sorted(existing)) or "no .npz file"
        raise FormatError(path=os.fspath(path), expected=f"an array {name} in an .npz file", got=got)
    with open_file(path, what="an .npz file", buffering=-1) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return _read_member(archive, archive.getinfo(name + _SUFFIX), path)
        except FormatError as error:
            raise error.located(path=os.fspath(path)) from None
        except _DAMAGE_ERRORS as error:
            raise FormatError(path=os.fspath(path), expected=f"an array {name} of numbers", got=str(error)) from None


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: str | Path) -> NDArray[Any]:
    """Read an array in pieces, after comparing what its header announces with the archive's own numbers."""
    with archive.open(member) as file:
        start = file.read(npy.MAX_HEADER_BYTES)
        header = npy.parse_header(start)
        if member.file_size - header.begin != header.n_bytes:
            raise FormatError(
                expected=f"{plural(header.n_bytes, 'byte')} after the header",
                got=max(member.file_size - header.begin, 0),
            )
        check_unpacked_size(path, header.n_bytes, member.compress_size)
        numbers = bytearray(start[header.begin :])
        while block := file.read(_BLOCK_BYTES):
            numbers += block
    if len(numbers) != header.n_bytes:
        raise TruncatedError(expected=f"{plural(header.n_bytes, 'byte')} after the header", got=len(numbers))
    return header.array(numbers)
