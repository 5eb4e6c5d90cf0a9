"""The dataset of an ImageRecordIter: its files, its part of them, and the labels of a list.

Parts have the same boundaries as in MXNet, so programs that share a file by `part_index` keep the same division.

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
from recordkit.formats.files import not_found
from recordkit.formats.fileset import reindex_advice
from recordkit.formats.lst import ListFile


def open_part(values: Mapping[str, Any]) -> RecordDataset:
    """Open the samples of one part.

    Parameters
    ----------
    values : mapping
        Values of all parameters, see `recordkit.record_iter.parameters.read`.

    Returns
    -------
    dataset : RecordDataset

    Raises
    ------
    PlanError
        The part does not exist or is empty, or `label_width` differs from the records.
    FormatError, NotFoundError
        A file cannot be read.
    """
    return _part(_open_dataset(values), values)


def read_list_labels(dataset: RecordDataset, values: Mapping[str, Any]) -> NDArray[np.float32] | None:
    """Return the label of each sample from the list ``path_imglist``, matched by key.

    Returns
    -------
    labels : ndarray of float32, shape (n,) or (n, label_width), or None
        None if there is no list.

    Raises
    ------
    FormatError
        A row cannot be parsed or does not have `label_width` labels, or a sample has no row.
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
        got = f"none for {len(missing)} of {len(keys)}: {missing[0]}" + (", ..." if missing[1:] else "")
        raise FormatError(path=path, expected="a row for the key of each sample", got=got)
    table = np.array([labels[key] for key in keys], np.float32)
    return table[:, 0] if width == 1 else table


def _open_dataset(values: Mapping[str, Any]) -> RecordDataset:
    text, idx_path = values["path_imgrec"], values["path_imgidx"]
    # An existing file is opened even if its name contains semicolons.
    paths = [text] if Path(text).exists() else [path for path in text.split(";") if path]
    if idx_path and not Path(idx_path).exists():
        advice = reindex_advice(paths[0], idx_path) if len(paths) == 1 and Path(paths[0]).exists() else ""
        raise not_found(idx_path, "an .idx file", suffix=".idx", advice=advice)
    dataset = RecordDataset(paths)
    width = values["label_width"]
    if len(dataset) and not values["path_imglist"] and (got := np.size(dataset[0].label)) != width:
        expected = f"{got}, the number of labels in {dataset.files[0]}"
        raise PlanError(argument="label_width", expected=expected, got=width)
    return dataset


def _part(dataset: RecordDataset, values: Mapping[str, Any]) -> RecordDataset:
    """Return one part: a range of indices if `path_imgidx` is given, otherwise a range of bytes, as in MXNet."""
    part_index, n_parts, n = values["part_index"], values["num_parts"], len(dataset)
    if not part_index < n_parts:
        raise PlanError(argument="part_index", expected=f"0 to {n_parts - 1}, below num_parts", got=part_index)
    if n_parts == 1:
        return dataset
    if values["path_imgidx"]:
        starts, total = np.arange(n), n
    else:
        sizes = [path.stat().st_size for path in dataset.files]
        begins = np.concatenate([[0], np.cumsum(sizes)])
        starts, total = dataset.offsets.astype(np.int64) + begins[dataset.file_indices(np.arange(n))], int(begins[-1])
    part_size = -(-total // n_parts)
    if not values["path_imgidx"]:
        part_size += -part_size % 4
    part = dataset.subset(np.flatnonzero(starts // part_size == part_index))
    if not len(part):
        message = f"part {part_index} of {n_parts} has none of the {n} samples"
        raise PlanError(message, argument="part_index", advice="use fewer parts")
    return part
