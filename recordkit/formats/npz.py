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

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError

_SUFFIX = ".npy"
# The errors of `zipfile` and NumPy about bytes that are damaged, encrypted, or announce too much. An OSError comes from
# an offset before the file's beginning.
_DAMAGE_ERRORS = (
    zipfile.BadZipFile, zlib.error, tokenize.TokenError,
    EOFError, OSError, ValueError, RuntimeError, MemoryError, OverflowError,
)  # fmt: skip


def names(path: str | Path) -> set[str]:
    """Return the names of the arrays in a file; empty if it is no .npz file."""
    with open(path, "rb") as file:
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
        The file is damaged, has no such array, or the array holds pickled objects.
    OSError
        The file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez_compressed(Path(folder, "labels.npz"), np.array([7, 2], np.uint8))
    ...     read(Path(folder, "labels.npz")).tolist()
    [7, 2]
    """
    if name not in (existing := names(path)):
        got = ", ".join(sorted(existing)) or "no .npz file"
        raise FormatError(path=os.fspath(path), expected=f"an array {name} in an .npz file", got=got)
    try:
        with zipfile.ZipFile(path) as archive, archive.open(name + _SUFFIX) as file:
            array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return array
    except _DAMAGE_ERRORS as error:
        raise FormatError(path=os.fspath(path), expected=f"an array {name} of numbers", got=str(error)) from None
