"""One conversion per comparison, for peers that read a format of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from recordkit import codec
from recordkit.bench.workload import Workload
from recordkit.dataset.dataset import RecordDataset


def first_format(workload: Workload) -> str:
    """Return the format of the file's first image, see `recordkit.codec.sniff`."""
    with RecordDataset(workload.path(".rec")) as dataset:
        return codec.sniff(dataset[0].payload)


def convert_once(workload: Workload, suffix: str, write: Callable[[RecordDataset, Path], None]) -> Path:
    """Return the converted file or folder; write it if no process of this comparison has written it yet.

    Parameters
    ----------
    workload : Workload
        The result lies in its `scratch` folder, or in a new temporary folder.
    suffix : str
        Ending of the result's name.
    write : callable
        Called with the dataset and the path to write.
    """
    folder = Path(workload.scratch or tempfile.mkdtemp(prefix="recordkit-bench-"))
    path = folder / f"{Path(workload.prefix).name}{suffix}"
    if not path.exists():
        partial = folder / f"{path.name}.partial"
        with RecordDataset(workload.path(".rec")) as dataset:
            write(dataset, partial)
        partial.rename(path)
    return path
