"""The check that each key of a list is there once."""

from __future__ import annotations

from array import array
from pathlib import Path

import numpy as np

from recordkit.errors import SourceError


def check_keys(path: Path, keys: array[int], *, columns: str) -> None:
    """Refuse repeated keys: of records with one key, readers find only the last.

    Parameters
    ----------
    path : Path
        The list.
    keys : array of uint64
        The key of each row.
    columns : str
        The columns that read the list without its keys, see `recordkit.sources.columns`.

    Raises
    ------
    SourceError
        A key is repeated.
    """
    numbers = np.frombuffer(keys, np.uint64) if len(keys) else np.empty(0, np.uint64)
    sorted_keys = np.sort(numbers)
    repeated = sorted_keys[1:][sorted_keys[1:] == sorted_keys[:-1]]
    if repeated.size:
        first, second = np.flatnonzero(numbers == repeated[0])[:2]
        raise SourceError(
            path=str(path),
            expected="each KEY once",
            got=f"{repeated[0]} in rows {first + 1} and {second + 1}",
            advice=f"readers would find only the last of them; `columns={columns}` numbers the rows instead",
        )
