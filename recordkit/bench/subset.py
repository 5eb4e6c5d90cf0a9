"""A part of a large file: a hundred gigabytes take a day to measure, some thousand records of them a minute."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.formats import idx
from recordkit.formats.fileset import Fileset
from recordkit.formats.frame import RecordReader, RecordWriter


def copy_part(rec: str | Path, n: int, folder: Path) -> Path:
    """Copy records from all over a file, in its order, with their rows of the .lst file if there is one.

    Parameters
    ----------
    rec : str or Path
    n : int
        How many; the file itself is returned if it has no more.
    folder : Path
        Where the part goes, under the file's name.

    Returns
    -------
    path : Path
        Of the .rec file, beside which is an .idx file.

    Raises
    ------
    PlanError
        `n` is below 1.
    FormatError, FileNotFoundError
        The file cannot be read.
    """
    if n < 1:
        raise PlanError(f"--records: expected at least 1, got {n}")
    files = Fileset(rec)
    path = files.path(".rec")
    with RecordDataset(path) as dataset:
        if len(dataset) <= n:
            return path
        indices = np.linspace(0, len(dataset) - 1, n).astype(np.int64)
        keys = dataset.keys_at(indices).tolist()
        offsets = dataset.records_at(indices)[2].tolist()
    part = folder / path.name
    with open(part, "wb") as target, RecordReader(path) as source:
        writer = RecordWriter(target)
        copied = [writer.write(source.read(offset)[0]) for offset in offsets]
    part.with_suffix(".idx").write_bytes(idx.lines(keys, copied))
    rows = files.path(".lst")
    if rows.exists():
        wanted = {str(key) for key in keys}
        with open(rows, "rb") as lines, open(part.with_suffix(".lst"), "wb") as kept:
            kept.writelines(
                line for line in lines if line.split(b"\t", 1)[0].decode(errors="replace").strip() in wanted
            )
    return part
