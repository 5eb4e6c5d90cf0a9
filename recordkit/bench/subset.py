"""The one .rec file that a comparison measures: the dataset itself, or a copy of some of its records or its shards.

Measuring 100 GB takes a day, and measuring some thousand records a minute. The other loaders read one file.
"""

from __future__ import annotations

import glob
from pathlib import Path

import numpy as np

from recordkit.errors import PlanError
from recordkit.storage.remote.lookup import find_mirror
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.output import NewSet, write_sets


def single_file(path: str | Path, n_records: int | None, folder: Path) -> Path:
    """Return a .rec file of a dataset, copied if it has several, more records than asked for, or is in a store.

    Parameters
    ----------
    path : str or Path
        A .rec file, a manifest, or another path that `recordkit.RecordDataset` takes.
    n_records : int or None
        Number of evenly spaced records to copy, in their order; None takes all.
    folder : Path
        Folder of the copy, which has the name of the original, or "dataset" if `path` is a pattern.

    Returns
    -------
    path : Path
        The copy, with the files beside it, or the original. If two shards have one key, the keys of the copy are 0 to
        n - 1.

    Raises
    ------
    PlanError
        `n_records` is below 1.
    FormatError, NotFoundError
        The dataset cannot be read.
    """
    if n_records is not None and n_records < 1:
        raise PlanError(argument="n_records", expected="at least 1", got=n_records)
    with Inputs([path]) as inputs:
        n = len(inputs) if n_records is None else min(n_records, len(inputs))
        is_whole = len(inputs.paths) == 1 and n == len(inputs)
        if is_whole and find_mirror(inputs.paths[0]) is None:
            return inputs.paths[0]
        rows = np.linspace(0, len(inputs) - 1, n).astype(np.int64)
        are_unique = len(np.unique(inputs.keys)) == len(inputs)
        keys = None if are_unique else np.arange(n, dtype=np.uint64)
        name = Path(path).name.split(".")[0]
        copy = folder / ("dataset" if not name or glob.has_magic(name) else name)
        new = NewSet(copy, rows, keys, classes=inputs.classes[0])
        write_sets(inputs, [new], copy, edit={"command": "bench", "inputs": set_ids(inputs)})
    return copy.with_name(f"{copy.name}.rec")
