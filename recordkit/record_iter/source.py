"""Which samples and labels ImageRecordIter's parameters ask for: files, one of several parts, the labels of a list.

Parts are cut as MXNet cuts them, so that programs which share a file by `part_index` go on sharing it the same way.

Source: ``InputSplitBase`` and ``IndexedRecordIOSplitter``, src/io of dmlc-core, as in apache/mxnet 1.9.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError
from recordkit.formats.lst import ListFile


def open_part(values: Mapping[str, Any]) -> RecordDataset:
    """Return the samples of one part.

    Parameters
    ----------
    values : mapping
        What `recordkit.record_iter.parameters.read` returns.

    Raises
    ------
    PlanError
        The part is none or empty, or `label_width` is not that of the records.
    FormatError, FileNotFoundError
        A file cannot be read.
    """
    return _part(_opened(values), values)


def listed_labels(dataset: RecordDataset, values: Mapping[str, Any]) -> NDArray[np.float32] | None:
    """Return the labels of ``path_imglist`` for each sample, found by key; None if there is no list.

    Returns
    -------
    labels : ndarray of float32, shape (n,) or (n, label_width), or None

    Raises
    ------
    FormatError
        A row cannot be read or has another number of labels, or a sample has no row.
    """
    path, width = values["path_imglist"], values["label_width"]
    if not path:
        return None
    labels = {}
    with ListFile(path) as rows:
        for row in rows.rows(range(len(rows))):
            if len(row.labels) != width:
                raise FormatError(
                    path=path, key=row.key, expected=f"{width} labels, as `label_width` says", got=len(row.labels)
                )
            labels[row.key] = row.labels
    keys = dataset.keys.tolist()
    missing = [key for key in keys if key not in labels]
    if missing:
        text = f"expected a row for the key of each sample, got none for {len(missing)} of {len(keys)}: {missing[0]}"
        raise FormatError(text + (", ..." if missing[1:] else ""), path=path)
    found = np.array([labels[key] for key in keys], np.float32)
    return found[:, 0] if width == 1 else found


def _opened(values: Mapping[str, Any]) -> RecordDataset:
    if values["path_imgidx"]:
        Path(values["path_imgidx"]).stat()  # FileNotFoundError with the name
    given = values["path_imgrec"]
    # A file that is there is meant, whatever its name has in it.
    dataset = RecordDataset(given if Path(given).exists() else [path for path in given.split(";") if path])
    width = values["label_width"]
    if len(dataset) and not values["path_imglist"] and (got := np.size(dataset[0].label)) != width:
        raise PlanError(f"label_width: expected {got}, the number of labels in {dataset.files[0]}, got {width}")
    return dataset


def _part(dataset: RecordDataset, values: Mapping[str, Any]) -> RecordDataset:
    """Return the samples of one part, by number with an index, else by bytes: as MXNet cuts files."""
    number, n_parts, n = values["part_index"], values["num_parts"], len(dataset)
    if not number < n_parts:
        raise PlanError(f"part_index: expected 0 to {n_parts - 1}, below num_parts, got {number}")
    if n_parts == 1:
        return dataset
    if values["path_imgidx"]:
        places, total = np.arange(n), n
    else:
        sizes = [path.stat().st_size for path in dataset.files]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        places, total = dataset.offsets.astype(np.int64) + begins[dataset.file_of(np.arange(n))], int(begins[-1])
    step = -(-total // n_parts)
    step = step if values["path_imgidx"] else step + -step % 4
    part = dataset.subset(np.flatnonzero(places // step == number))
    if not len(part):
        raise PlanError(f"part_index: part {number} of {n_parts} has none of the {n} samples; use fewer parts")
    return part
