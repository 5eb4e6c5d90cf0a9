"""NumPy's .npz files: zip archives with one .npy file per array.

Pickled objects are refused: to read them runs code that the file names.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError


def names(path: str | Path) -> set[str]:
    """Return the names of the arrays in a file; empty if it is no .npz file."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except zipfile.BadZipFile:
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
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez_compressed(Path(folder, "labels.npz"), np.array([7, 2], np.uint8))
    ...     read(Path(folder, "labels.npz")).tolist()
    [7, 2]
    """
    if name not in names(path):
        found = ", ".join(sorted(names(path))) or "no .npz file"
        raise FormatError(path=os.fspath(path), expected=f"an array {name} in an .npz file", got=found)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            array: NDArray[Any] = arrays[name]
            return array
    except (ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise FormatError(path=os.fspath(path), expected=f"an array {name} of numbers", got=str(error)) from None
