"""Opening a dataset to look at its images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from recordkit.dataset.contents import find_other_records
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError
from recordkit.storage.fileset import Fileset

Samples = RecordDataset | str | Path | Sequence[str | Path]
"""An open dataset, which stays open, or what `RecordDataset` opens."""


@contextlib.contextmanager
def open_images(samples: Samples) -> Iterator[RecordDataset]:
    """Open a dataset that has images, for the time of a ``with`` block.

    Parameters
    ----------
    samples : RecordDataset, str, Path, or sequence of str or Path
        An open dataset stays open.

    Raises
    ------
    NotFoundError
        A file does not exist.
    FormatError
        A file is damaged, there are no samples, or the records are no images.
    """
    if isinstance(samples, RecordDataset):
        _check(samples)
        yield samples
        return
    with RecordDataset(samples) as dataset:
        _check(dataset)
        yield dataset


def _check(dataset: RecordDataset) -> None:
    for path in dataset.files:
        if (other := find_other_records(Fileset(path))) is not None:
            advice = "recordkit.recordio.MXRecordIO reads them"
            raise FormatError(path=str(path), expected="images", got=str(other), advice=advice)
    if not len(dataset):
        raise FormatError(path=str(dataset.files[0]), expected="images", got="no samples")
