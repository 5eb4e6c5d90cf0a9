"""Copy a subset of a large file: measuring 100 GB takes a day, measuring some thousand records takes a minute."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.formats import idx
from recordkit.formats.frame import RecordReader, RecordWriter
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import read_set


def copy_subset(rec: str | Path, n_records: int, folder: Path) -> Path:
    """Copy evenly spaced records of a dataset, in its order, with their rows of the .lst file if there is one.

    Parameters
    ----------
    rec : str or Path
        A .rec file, a manifest, or another path that `recordkit.RecordDataset` takes. The shards of a dataset become
        one file, without a .lst file and with the keys 0, 1, 2 ..., since several shards may have equal keys.
    n_records : int
        Number of records to copy. A single file that has no more is not copied.
    folder : Path
        Folder of the copy, which has the name of the original.

    Returns
    -------
    path : Path
        The copy, with an .idx file beside it, or the original.

    Raises
    ------
    PlanError
        `n_records` is below 1.
    FormatError, NotFoundError
        The file cannot be read.
    """
    if n_records < 1:
        raise PlanError(argument="n_records", expected="at least 1", got=n_records)
    with RecordDataset(rec) as dataset:
        if len(dataset.files) > 1:
            return _copy_shards(dataset, n_records, folder / f"{Path(rec).name.split('.')[0] or 'shards'}.rec")
    return read_set(dataset.files[0], lambda files, _: _copy_subset(files, n_records, folder))


def _copy_shards(dataset: RecordDataset, n_records: int, subset: Path) -> Path:
    n = min(n_records, len(dataset))
    found = dataset.records_at(np.linspace(0, len(dataset) - 1, n).astype(np.int64))
    with open(subset, "wb") as target:
        writer = RecordWriter(target)
        new_offsets = [
            writer.write(found.files[number].read(offset)[0])
            for number, offset in zip(found.file_indices.tolist(), found.offsets.tolist(), strict=True)
        ]
    subset.with_suffix(".idx").write_bytes(idx.lines(range(n), new_offsets))
    return subset


def _copy_subset(files: Fileset, n_records: int, folder: Path) -> Path:
    path = files.path(".rec")
    with RecordDataset(path) as dataset:
        if len(dataset) <= n_records:
            return path
        indices = np.linspace(0, len(dataset) - 1, n_records).astype(np.int64)
        keys = dataset.keys_at(indices).tolist()
        offsets = dataset.records_at(indices).offsets.tolist()
    subset = folder / path.name
    with open(subset, "wb") as target, RecordReader(path) as source:
        writer = RecordWriter(target)
        new_offsets = [writer.write(source.read(offset)[0]) for offset in offsets]
    subset.with_suffix(".idx").write_bytes(idx.lines(keys, new_offsets))
    rows = files.path(".lst")
    if rows.exists():
        _copy_rows(rows, subset.with_suffix(".lst"), {str(key) for key in keys})
    return subset


def _copy_rows(rows: Path, target: Path, keys: set[str]) -> None:
    with open(rows, "rb") as lines, open(target, "wb") as copy:
        copy.writelines(line for line in lines if line.split(b"\t", 1)[0].decode(errors="replace").strip() in keys)
