"""Writing a dataset in random order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from recordkit.errors import PlanError
from recordkit.sampling.permutation import Permutation
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.report import EditReport
from recordkit.upkeep.edit.union import KeyRule
from recordkit.upkeep.selection.keys import refuse_repeated_keys


def shuffle(
    path: str | Path,
    prefix: str | Path,
    *,
    seed: int = 0,
    keys: KeyRule = "keep",
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> EditReport:
    """Write the samples of a dataset in random order as a new set. No image is decoded, and the dataset stays.

    The order is that of `recordkit.sampling.permutation`, over the whole dataset, and the same on every machine. The
    records of 64 MiB of the new file are read together, in the order of the old file; so each thread holds a few such
    blocks, whatever the size of the dataset.

    Parameters
    ----------
    path : str or Path
        A .rec file, its prefix, a manifest, or a pattern.
    prefix : str or Path
        The new set.
    seed : int, 0 to 2**64 - 1, default 0
    keys : {"keep", "renumber"}, default "keep"
        "keep": each record keeps its key. "renumber": the keys are 0 to n - 1, in the new order.
    threads : int, default 0
        Number of threads; 0 means the CPUs that this process may use.
    overwrite : bool, default False
        Replace files that exist at the names of the new set, but never an input.
    dry_run : bool, default False
        Write nothing, and return the report of what would be written.
    progress : callable, optional
        Called with the number of records written since the last call.

    Returns
    -------
    report : EditReport

    Raises
    ------
    NotFoundError, FormatError
        The dataset does not exist, or is damaged; nothing is written.
    SourceError
        Two records have one key, and keep it.
    PlanError
        The dataset is empty, or the seed is out of range.
    PublishError
        A file of the new set exists and `overwrite` is false, is read, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.dataset.dataset import RecordDataset
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> with MXIndexedRecordIO(f"{folder}/a.idx", f"{folder}/a.rec", "w") as writer:
    ...     for key in range(6):
    ...         writer.write_idx(key, pack(IRHeader(0, 7.0, key, 0), b"jpeg"))
    >>> report = shuffle(folder / "a", folder / "b", seed=1)
    >>> with RecordDataset(folder / "b") as dataset:
    ...     dataset.keys.tolist()
    [4, 5, 0, 3, 1, 2]
    """
    if not 0 <= seed < 2**64:
        raise PlanError(argument="seed", expected="0 to 2**64 - 1", got=seed)
    check_new_prefix(Path(prefix), [path], overwrite=overwrite, dry_run=dry_run)
    with Inputs([path]) as inputs:
        n = len(inputs)
        if not n:
            raise PlanError(path=str(path), expected="at least one record", got="none")
        new_keys = None if keys == "keep" else np.arange(n, dtype=np.uint64)
        if keys == "keep":
            refuse_repeated_keys(inputs.keys, str(path))
        rows = Permutation(n, seed=seed, epoch=0).permute_all()
        return write_sets(
            inputs,
            [NewSet(Path(prefix), rows, keys=new_keys, classes=inputs.classes[0])],
            Path(prefix),
            edit={"command": "shuffle", "inputs": set_ids(inputs), "seed": seed, "keys": keys},
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=progress,
        )
