"""The error about a key that a list has more than once."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from recordkit.errors import SourceError


def repeated_key_error(path: Path, keys: array[int], reader: str) -> SourceError | None:
    """Return the error about repeated keys: of records with one key, readers find only the last.

    Parameters
    ----------
    path : Path
        The list.
    keys : array of uint64
        The key of each row.
    reader : str
        The option or command that reads the list without its keys.

    Returns
    -------
    error : SourceError or None
        None if no key is repeated.
    """
    numbers = np.frombuffer(keys, np.uint64) if len(keys) else np.empty(0, np.uint64)
    sorted_keys = np.sort(numbers)
    repeated = sorted_keys[1:][sorted_keys[1:] == sorted_keys[:-1]]
    if not repeated.size:
        return None
    first, second = np.flatnonzero(numbers == repeated[0])[:2]
    return SourceError(
        path=str(path),
        expected="each KEY once",
        got=f"{repeated[0]} in rows {first + 1} and {second + 1}",
        advice=f"readers would find only the last of them; {reader} numbers the rows instead",
    )
