"""The first records of .rec files, with the type and shape of their contents."""

from __future__ import annotations

import io
import itertools
import math
import tokenize
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recordkit.dataset.contents import content_kind, find_other_records
from recordkit.formats.frame import RecordReader
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import read_sets
from recordkit.upkeep.scan import scan, scan_records
from recordkit.upkeep.summary import labels_of, shape_of


@dataclass(frozen=True)
class RecordInfo:
    """Summary of one record.

    Attributes
    ----------
    offset : int
        Offset of the record's head, in bytes.
    key : int or None
        None for a record without an image header.
    labels : tuple of float or int
        The exact labels (int) if the set has them, otherwise the labels in the record.
    format : str
        Format of the image, or kind of another content; see `recordkit.dataset.contents.content_kind`.
    n_bytes : int
        Size of the payload, or of the record if it has no header.
    shape : tuple of int, or None
        (H, W, C) of the image as stored, or the shape of an array ("npy"); None if the content is neither.
    dtype : str or None
        Type of the numbers of an array.
    """

    offset: int
    key: int | None
    labels: tuple[float, ...]
    format: str
    n_bytes: int
    shape: tuple[int, ...] | None
    dtype: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold. A label that is not finite becomes "nan", "inf" or "-inf"."""
        labels = [label if math.isfinite(label) else str(label) for label in self.labels]
        return {**asdict(self), "labels": labels}


def head(path: str | Path, n: int = 10) -> list[RecordInfo]:
    """Read the first records of a .rec file, or of the shards of a manifest.

    Parameters
    ----------
    path : str or Path
        The .rec file, the manifest, or the prefix of either.
    n : int, default 10
        Largest number of records.

    Returns
    -------
    records : list of RecordInfo

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        One of these records is damaged.
    """
    return read_sets(lambda: [path], lambda sets, _: _head_of_sets(sets, n))


def _head_of_sets(sets: list[Fileset], n: int) -> list[RecordInfo]:
    records: list[RecordInfo] = []
    for files in sets:
        if len(records) == n:
            break
        files.check_listing()
        records += _head(files, n - len(records))
    return records


def _head(files: Fileset, n: int) -> list[RecordInfo]:
    other = find_other_records(files, limit=n)
    exact_labels = files.exact_labels()
    with RecordReader(files.path(".rec")) as reader:
        if other is not None and not other.has_headers:
            return [
                RecordInfo(offset, None, (), content_kind(record), len(record), *_shape_and_type(record))
                for offset, record in itertools.islice(scan_records(reader), n)
            ]
        return [
            RecordInfo(
                offset,
                header.id,
                labels_of(header, exact_labels, index),
                content_kind(payload),
                len(payload),
                *_shape_and_type(payload),
            )
            for index, (offset, header, payload) in enumerate(itertools.islice(scan(reader), n))
        ]


def _shape_and_type(content: bytes | memoryview) -> tuple[tuple[int, ...] | None, str | None]:
    """Return the shape of an image, or shape and type of an array."""
    if content_kind(content) != "npy":
        return shape_of(content), None
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, tokenize.TokenError):  # the header is damaged
        return None, None
    return shape, str(dtype)
