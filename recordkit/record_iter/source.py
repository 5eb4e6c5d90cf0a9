"""The dataset of an ImageRecordIter: its files, its part of them, and the labels of a list.

Parts have the same boundaries as in MXNet, so programs that share a file by `part_index` keep the same division.

Source: ``InputSplitBase`` and ``IndexedRecordIOSplitter``, src/io of dmlc-core, and ``ImageLabelMap``,
src/io/image_iter_common.h, as in apache/mxnet 1.9.1.
"""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError, plural
from recordkit.formats.files import not_found
from recordkit.formats.lst import ListFile, is_number
from recordkit.storage.fileset import reindex_advice
from recordkit.storage.names import natural_order
from recordkit.storage.remote.lookup import local_path
from recordkit.storage.remote.urls import is_url

# The second form is that of the native im2rec with nsplit.
_REC_NAME = re.compile(r"\.rec(\.part\d+)?$")


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

    Rows are split at tabs and blanks, and the `label_width` numbers after the key are the labels, as in MXNet. MXNet
    takes a word for the label 0; here it is an error.

    Returns
    -------
    labels : ndarray of float32, shape (n,) or (n, label_width), or None
        None if there is no list.

    Raises
    ------
    FormatError
        A row cannot be parsed or has fewer than `label_width` labels, or a sample has no row.

    Warns
    -----
    UserWarning
        A row has more than `label_width` labels, or rows of one key have unlike labels.
    """
    path, width = values["path_imglist"], values["label_width"]
    if not path:
        return None
    labels: dict[int, tuple[float, ...]] = {}
    key_of_longer_row = unlike_key = None
    with ListFile(path, label_width=width) as rows:
        for row in rows.rows(range(len(rows))):
            if labels.setdefault(row.key, row.labels) != row.labels:
                labels[row.key], unlike_key = row.labels, row.key
            first, *rest = row.path.split(maxsplit=1)
            if rest and key_of_longer_row is None and is_number(first):
                key_of_longer_row = row.key
    if key_of_longer_row is not None:
        warnings.warn(
            f"{path}: key {key_of_longer_row}: the row has more than {plural(width, 'label')}, and label_width={width} "
            "leaves out the others, as in MXNet",
            UserWarning,
            stacklevel=3,
        )
    if unlike_key is not None:
        warnings.warn(
            f"{path}: key {unlike_key}: several rows have unlike labels, and the last of them is taken, as in MXNet",
            UserWarning,
            stacklevel=3,
        )
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
    if idx_path and not Path(local_path(idx_path)).exists():
        advice = reindex_advice(paths[0], idx_path) if len(paths) == 1 and Path(paths[0]).exists() else ""
        raise not_found(idx_path, "an .idx file", suffix=".idx", advice=advice)
    dataset = RecordDataset([path for each in paths for path in _expand(each)])
    width = values["label_width"]
    if len(dataset) and not values["path_imglist"] and (got := np.size(dataset[0].label)) != width:
        expected = f"{got}, the number of labels in {dataset.files[0]}"
        raise PlanError(argument="label_width", expected=expected, got=width)
    return dataset


def _expand(path: str) -> list[str]:
    """Return the .rec files of a folder, or those whose names fit a regular expression, as in MXNet, in natural order.

    Any other path is returned as it is, for `RecordDataset` to open. It prefers PREFIX.rec to a folder PREFIX.
    """
    path = path.removeprefix("file://")
    if is_url(path):
        return [path]
    location = Path(path)
    if location.is_dir() and not Path(f"{path}.rec").is_file():
        names = _rec_names(location, "")
        if not names:
            raise not_found(location / "*.rec", ".rec files", suffix=".rec")
        return names
    names = glob.glob(path, recursive=True)  # noqa: PTH207 (`RecordDataset` uses the same function)
    if location.exists() or any(name.endswith(".rec") for name in names):
        return [path]
    return _rec_names(location.parent, location.name) or [path]


def _rec_names(folder: Path, pattern: str) -> list[str]:
    """Return the paths of .rec files and their parts in a folder, all or those that fit a regular expression."""
    try:
        fits = re.compile(pattern or ".*").fullmatch
        names = [str(file) for file in folder.iterdir() if _REC_NAME.search(file.name) and fits(file.name)]
    except (OSError, re.error):
        return []
    return sorted(names, key=natural_order)


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
        begins = np.concatenate([[0], np.cumsum([file.size for file in dataset.records_at(np.arange(0)).files])])
        starts, total = dataset.offsets.astype(np.int64) + begins[dataset.file_indices(np.arange(n))], int(begins[-1])
    part_size = -(-total // n_parts)
    if not values["path_imgidx"]:
        part_size += -part_size % 4
    part = dataset.subset(np.flatnonzero(starts // part_size == part_index))
    if not len(part):
        message = f"part {part_index} of {n_parts} has none of the {plural(n, 'sample')}"
        raise PlanError(message, argument="part_index", advice="use fewer parts")
    return part
