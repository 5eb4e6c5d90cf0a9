"""The records of a dataset as an Arrow table, without a step of Python for each record.

The records are read with one call of the native core. NumPy takes keys and labels from their headers, and Arrow divides
the bytes into headers and images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError
from recordkit.formats.irheader import HEADER_SIZE, unpack_at
from recordkit.loading.remote.fetching import start_fetching
from recordkit.storage.checksums import check_record

KEY, LABEL, CLASS, IMAGE = "key", "label", "class", "image"


@dataclass(frozen=True)
class TableForm:
    """The columns of the tables of a dataset, the same for all of its records.

    Attributes
    ----------
    is_exact : bool
        Labels are int64; otherwise float32.
    has_lists : bool
        A label is a list of numbers; otherwise one number.
    names : dict of int to str, or None
        Class name by label, for the column `CLASS`; None if there is no such column.
    """

    is_exact: bool
    has_lists: bool
    names: dict[int, str] | None = None

    @property
    def schema(self) -> Any:
        """The schema of all tables."""
        label = pa.int64() if self.is_exact else pa.float32()
        fields = [(KEY, pa.uint64()), (LABEL, pa.list_(label) if self.has_lists else label)]
        fields += [] if self.names is None else [(CLASS, pa.string())]
        return pa.schema([*fields, (IMAGE, pa.large_binary())])


def read_table(dataset: RecordDataset, form: TableForm) -> Any:
    """Return the records of a dataset of one file as an Arrow table.

    Raises
    ------
    FormatError
        A record is damaged, or has several labels although `form` has no lists.
    RemoteError
        The store of the file does not answer.
    """
    indices = np.arange(len(dataset))
    locations = dataset.records_at(indices)
    fetch = start_fetching(dataset, indices)  # from a store, many ranges at once
    try:
        fetch.wait()
        records, bounds = locations.files[0].read_many(locations.offsets, 1)
    finally:
        fetch.release()
    begins, path = bounds[:-1].astype(np.int64), str(dataset.files[0])
    keys = dataset.keys_at(indices)
    for row, checksum in enumerate(locations.checksums.tolist()):  # none if records are not checked
        record = records[begins[row] : int(bounds[row + 1])].data
        check_record(record, checksum, dataset.files[0], offset=int(locations.offsets[row]), key=int(keys[row]))
    sizes = bounds[1:].astype(np.int64) - begins
    n_vector = _vector_sizes(records, begins, sizes)
    payloads = begins + HEADER_SIZE + 4 * n_vector
    is_short = payloads - begins > sizes
    if is_short.any():
        row = int(np.argmax(is_short))
        record = records[begins[row] : int(bounds[row + 1])].data
        unpack_at(record, path, int(locations.offsets[row]))  # raises the error of this record
    if not form.has_lists and (is_wide := n_vector > 1).any():
        row = int(np.argmax(is_wide))
        raise FormatError(
            path=path,
            key=int(keys[row]),
            expected="one label, as the first sample has",
            got=int(n_vector[row]),
            advice="read with `label_lists=True`",
        )
    labels, widths = _labels(dataset, indices, records, begins, n_vector)
    columns = {KEY: pa.array(keys), LABEL: _label_column(labels, widths, form)}
    if form.names is not None:
        columns[CLASS] = _class_column(labels, form.names)
    columns[IMAGE] = _image_column(records, begins, payloads, int(bounds[-1]))
    return pa.table(columns, schema=form.schema)


def _vector_sizes(records: NDArray[np.uint8], begins: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the flag of each record, the number of labels behind its header; 0 for one that has no whole flag."""
    flags = np.zeros(len(begins), np.int64)
    rows = np.flatnonzero(sizes >= 4)
    flags[rows] = _gather(records, begins[rows], "<u4")
    return flags


def _labels(
    dataset: RecordDataset,
    indices: NDArray[np.int64],
    records: NDArray[np.uint8],
    begins: NDArray[np.int64],
    n_vector: NDArray[np.int64],
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the labels of all records, concatenated, and the number of labels of each record."""
    exact = dataset.exact_labels(indices)
    if exact is not None:
        return exact.ravel(), np.full(len(indices), 1 if exact.ndim == 1 else exact.shape[1])
    widths = np.maximum(n_vector, 1)
    first = begins + np.where(n_vector == 0, 4, HEADER_SIZE)
    if widths.max() == 1:
        return _gather(records, first, "<f4"), widths
    starts = np.cumsum(widths) - widths
    numbers = np.arange(int(widths.sum())) - np.repeat(starts, widths)
    return _gather(records, np.repeat(first, widths) + 4 * numbers, "<f4"), widths


def _gather(records: NDArray[np.uint8], begins: NDArray[np.int64], dtype: str) -> NDArray[Any]:
    """Return the numbers of 4 bytes that begin at some offsets."""
    numbers: NDArray[Any] = records[begins[:, None] + np.arange(4)].view(dtype)[:, 0]
    return numbers.astype(dtype[1:])


def _label_column(labels: NDArray[Any], widths: NDArray[np.int64], form: TableForm) -> Any:
    if not form.has_lists:
        return pa.array(labels)
    offsets = np.zeros(len(widths) + 1, np.int32)
    np.cumsum(widths, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(labels))


def _class_column(labels: NDArray[Any], names: dict[int, str]) -> Any:
    """Return the names of labels; null for a label without one."""
    distinct, rows = np.unique(labels, return_inverse=True)
    return pa.array([names.get(label) for label in distinct.tolist()], pa.string()).take(pa.array(rows))


def _image_column(records: NDArray[np.uint8], begins: NDArray[np.int64], payloads: NDArray[np.int64], end: int) -> Any:
    """Return the images: Arrow divides the records into headers and images, and copies the images together."""
    bounds = np.append(np.stack([begins, payloads], axis=1).ravel(), end)
    pieces = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), 2 * len(begins), [None, pa.py_buffer(bounds), pa.py_buffer(records)]
    )
    return pieces.take(pa.array(np.arange(1, 2 * len(begins), 2)))
