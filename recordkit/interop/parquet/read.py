"""Reading Parquet files: labels and keys of all rows at once, then images from the row groups, a few rows at a time.

Memory: 24 bytes for each row, and the last rows that were read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, ImageError, enumerate_some
from recordkit.interop.entries import EntryTable, concatenate
from recordkit.interop.parquet.images import ImageColumn, RowGroup
from recordkit.interop.parquet.library import import_pyarrow, opened
from recordkit.interop.parquet.schema import IMAGE, KEY, LABEL, read_classes
from recordkit.interop.parquet.write import SUFFIX
from recordkit.interop.split_files import find_files, group_by_split, one_or_all
from recordkit.sample import BadEntry, Entry, Source

# The number of a file and of all files of a split, and perhaps a fingerprint.
_NUMBER = re.compile(r"[-_.]\d+([-_.]of[-_.]\d+)?([-_.][0-9a-f]{16})?$")


class _FileColumns(NamedTuple):
    """The columns of one file, except the images themselves.

    Attributes
    ----------
    image_column : str
    classes : dict of str to int, or None
    labels, bounds : ndarray
        Values and bounds of the labels, as `recordkit.interop.entries.EntryTable` takes them.
    keys : ndarray of uint64, shape (n,), or None
    groups : list of RowGroup
    """

    image_column: str
    classes: dict[str, int] | None
    labels: NDArray[np.generic]
    bounds: NDArray[np.int64]
    keys: NDArray[np.uint64] | None
    groups: list[RowGroup]


class ParquetSource:
    """The rows of Parquet files as a source, in the order of the files.

    Keys are those of a column `key` of whole numbers, if each is there once, and otherwise 0 to n - 1.

    Parameters
    ----------
    paths : sequence of Path
    label_column : str, optional
        By default `label`.

    Raises
    ------
    MissingError
        pyarrow is not installed.
    NotFoundError
        A file does not exist.
    FormatError
        A file is damaged, or has no column of images or of labels.
    """

    order = "listed"
    pixels = False

    def __init__(self, paths: Sequence[Path], *, label_column: str | None = None) -> None:
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self.classes: dict[str, int] | None = None
        self.files = list(paths)
        files = [_read_columns(path, label_column) for path in self.files]
        first = files[0]
        for path, each in zip(self.files, files, strict=True):
            if each.classes != first.classes:
                raise FormatError(path=str(path), expected=f"the classes of {self.files[0]}", got="others")
            if each.image_column != first.image_column:
                expected = f"the image column {first.image_column!r}, as in {self.files[0]}"
                raise FormatError(path=str(path), expected=expected, got=each.image_column)
        self.classes = first.classes
        self._file_ends = np.cumsum([len(each.bounds) - 1 for each in files])
        keys = [each.keys for each in files if each.keys is not None]
        self._entries = EntryTable(
            np.concatenate(keys) if len(keys) == len(files) else None,
            *concatenate([(each.labels, each.bounds) for each in files]),
        )
        if not self._entries.has_keys:
            self.notes.append(f"no column {KEY!r} has a whole number once for each row, so the keys are 0 to n - 1")
        self._images = ImageColumn([group for each in files for group in each.groups], first.image_column)

    def __len__(self) -> int:
        return len(self._entries)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train-00000-of-00001.parquet: row 7`` of the samples at `indices`."""
        rows = np.asarray(indices, np.int64)
        files = np.searchsorted(self._file_ends, rows, side="right")
        starts = np.concatenate([[0], self._file_ends])[files]
        names = [
            f"{self.files[file].name}: row {row}"
            for file, row in zip(files.tolist(), (rows - starts).tolist(), strict=True)
        ]
        return list(map(Entry, self._entries.keys_at(indices), self.labels(indices), names))

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the samples at `indices`."""
        return self._entries.labels(indices)

    def contents(self, entries: Sequence[Entry]) -> list[bytes | ImageError]:
        """Return the images of some entries.

        Raises
        ------
        FormatError
            A file is damaged, or has changed since it was opened.
        """
        return self._images.read(self._entries.indices([entry.key for entry in entries]))


def is_parquet(path: Path) -> bool:
    """Tell whether a path is a Parquet file, a pattern of them, or a folder with some."""
    if path.is_dir():
        return any(any(folder.glob(f"*{SUFFIX}")) for folder in (path, path / "data"))
    return path.suffix.lower() == SUFFIX


def read_parquet(path: str | Path, *, label_column: str | None = None) -> Source | dict[str, Source]:
    """Open Parquet files with images and labels, such as those of a dataset on Hugging Face.

    Parameters
    ----------
    path : str or Path
        A file, a pattern such as ``"data/train-*.parquet"``, or a folder with files, or with files in `data`. Files
        whose names differ in the number at the end are a split.
    label_column : str, optional
        By default `label`. Its names of a ClassLabel become the class names.

    Returns
    -------
    source : Source, or dict of str to Source
        A dict has a source for each of several splits.

    Raises
    ------
    MissingError
        pyarrow is not installed.
    NotFoundError
        Nothing is at the path.
    FormatError
        A file is damaged, or has no column of images or of labels.
    """
    files = find_files(Path(path), SUFFIX, what="a Parquet file", folder_patterns=("*", "data/*"))
    import_pyarrow()
    splits = group_by_split(files, _NUMBER)
    return one_or_all({name: ParquetSource(paths, label_column=label_column) for name, paths in splits.items()})


def _read_columns(path: Path, label_column: str | None) -> _FileColumns:
    with opened(path) as file:
        _check_rows(file.metadata.num_rows, path)
        schema = file.schema_arrow
        image_column = _find_image_column(schema, path)
        column = _find_label_column(schema, label_column, path)
        classes = _classes_of(schema, column, path)
        has_key = KEY in schema.names and import_pyarrow()[0].types.is_integer(schema.field(KEY).type)
        table = file.read(columns=[column, KEY] if has_key else [column])
        labels, bounds = _labels(table.column(column), column, path)
        keys = _keys(table.column(KEY)) if has_key else None
        n_rows = [file.metadata.row_group(index).num_rows for index in range(file.metadata.num_row_groups)]
    groups = [RowGroup(path, index, n) for index, n in enumerate(n_rows)]
    return _FileColumns(image_column, classes, labels, bounds, keys, groups)


def _check_rows(n_rows: int, path: Path) -> None:
    """Refuse more rows than a file can have images, before their labels take memory: nulls are compressed to nothing.

    Raises
    ------
    FormatError
        A row has less than a byte.
    """
    n_bytes = path.stat().st_size
    if n_rows > n_bytes:
        raise FormatError(path=str(path), expected=f"at most {n_bytes} rows in {n_bytes} bytes", got=n_rows)


def _find_image_column(schema: Any, path: Path) -> str:
    """Return the column of encoded images: `image`, or the only one of bytes."""
    possible: list[str] = [field.name for field in schema if _holds_images(field.type)]
    if IMAGE in possible:
        return IMAGE
    if len(possible) != 1:
        columns = enumerate_some([f"{field.name} ({field.type})" for field in schema])
        raise FormatError(path=str(path), expected=f"a column {IMAGE!r} of bytes, or one of bytes", got=columns)
    return possible[0]


def _holds_images(dtype: Any) -> bool:
    types = import_pyarrow()[0].types
    if types.is_struct(dtype):
        names = [dtype.field(number).name for number in range(dtype.num_fields)]
        if "bytes" not in names:
            return False
        dtype = dtype.field(names.index("bytes")).type
        if types.is_null(dtype):  # all images are beside the file
            return "path" in names
    return bool(types.is_binary(dtype) or types.is_large_binary(dtype))


def _find_label_column(schema: Any, name: str | None, path: Path) -> str:
    column = name or LABEL
    if schema.names.count(column) != 1 or not _holds_labels(schema.field(column).type):
        columns = enumerate_some([f"{field.name} ({field.type})" for field in schema], limit=20)
        raise FormatError(
            path=str(path),
            expected=f"a column {column!r} of numbers",
            got=f"the columns {columns}",
            advice="name the column with `label_column`",
        )
    return column


def _holds_labels(dtype: Any) -> bool:
    types = import_pyarrow()[0].types
    if types.is_list(dtype) or types.is_large_list(dtype) or types.is_fixed_size_list(dtype):
        dtype = dtype.value_type
    return bool(types.is_integer(dtype) or types.is_floating(dtype))


def _classes_of(schema: Any, column: str, path: Path) -> dict[str, int] | None:
    try:
        return read_classes(schema, column)
    except ValueError as error:
        raise FormatError(path=str(path), expected="class names in the metadata", got=error) from None


def _labels(column: Any, name: str, path: Path) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Return the values and bounds of a column of numbers, or of lists of numbers."""
    pyarrow, _ = import_pyarrow()
    lengths = np.ones(len(column), np.int64)
    if not (pyarrow.types.is_integer(column.type) or pyarrow.types.is_floating(column.type)):
        lengths = pyarrow.compute.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
        column = pyarrow.compute.list_flatten(column)
    if column.null_count or not lengths.all():
        raise FormatError(path=str(path), expected=f"a label in {name!r} for each row", got="rows without one")
    try:
        dtype = pyarrow.int64() if pyarrow.types.is_integer(column.type) else pyarrow.float64()
        values = column.cast(dtype).to_numpy()
    except pyarrow.ArrowInvalid as error:
        raise FormatError(path=str(path), expected=f"labels of 64 bits in {name!r}", got=error) from None
    return values, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])


def _keys(column: Any) -> NDArray[np.uint64] | None:
    """Return the keys of a column of whole numbers, or None if one is missing or negative."""
    pyarrow, _ = import_pyarrow()
    if column.null_count:
        return None
    try:
        keys: NDArray[np.uint64] = column.cast(pyarrow.uint64()).to_numpy()
    except pyarrow.ArrowInvalid:
        return None
    return keys
