"""What a dataset and its subsets share: the open files, and where in them each sample is."""

from __future__ import annotations

import errno
import glob
import itertools
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.index import FileIndex, index_file
from recordkit.dataset.records import Records, compact, open_records
from recordkit.errors import FormatError, PlanError
from recordkit.formats.fileset import Fileset


class Table:
    """One row a sample, file after file. Pickled, it opens its files anew where it arrives.

    Attributes
    ----------
    paths : list of Path
        The .rec files.
    sizes : list of int
        Theirs, in bytes.
    records : list of Records
        Open.
    starts : list of int
        The rows of file i are from starts[i] to starts[i + 1].
    offsets : ndarray of uint64, shape (n,)
        Of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,), or None
        None for 0 to n - 1.
    exact : ndarray of int64, shape (n,) or (n, w), or None
        Exact labels, where the files have them.
    """

    def __init__(self, filesets: list[Fileset], records: list[Records], indexes: list[FileIndex]) -> None:
        self.paths = [files.path(".rec") for files in filesets]
        self.sizes = [one.size for one in records]
        self.records = records
        self.starts = [0, *itertools.accumulate(len(index.offsets) for index in indexes)]
        self.offsets = _joined([index.offsets for index in indexes])
        self.keys = _joined_keys(indexes)
        self.exact = _joined_exact(filesets, indexes)
        self._classes = [(files.path(".json"), files.classes()) for files in filesets]
        for array in (self.offsets, self.keys):
            if array is not None:
                array.flags.writeable = False

    def close(self) -> None:
        """Close the files. A second call does nothing."""
        for one in self.records:
            one.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "records"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        with ExitStack() as stack:
            self.records = [_open(path, stack) for path in self.paths]
            for path, one, size in zip(self.paths, self.records, self.sizes, strict=True):
                if one.size != size:
                    raise FormatError(
                        f"expected the {size} bytes of the file that was pickled, got {one.size}; open it again",
                        path=str(path),
                    )
            stack.pop_all()

    def file_of(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each row's file."""
        return np.searchsorted(self.starts, rows, "right") - 1

    def ends(self, rows: NDArray[np.int64], numbers: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return where the next row of the same file begins, or that file's end; `numbers` are the rows' files."""
        following = np.minimum(rows + 1, len(self.offsets) - 1)
        sizes = np.array(self.sizes, np.uint64)[numbers]
        last = np.array(self.starts)[numbers + 1]
        return np.where(rows + 1 < last, self.offsets[following], sizes)

    def key(self, row: int) -> int:
        """Return the key of a row."""
        return row if self.keys is None else int(self.keys[row])

    def classes(self) -> dict[str, int] | None:
        """Return the class names that the files agree on, or raise FormatError."""
        named = [(path, classes) for path, classes in self._classes if classes is not None]
        for path, classes in named:
            if classes != named[0][1]:
                raise FormatError(
                    f"expected the classes of {named[0][0]}, got others; open the files one by one, or pack them anew "
                    "with the same classes",
                    path=str(path),
                )
        return named[0][1] if named else None

    def labels(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], NDArray[np.uint64]]:
        """Return the labels of rows end to end, and the bounds between them."""
        if self.exact is not None:
            chosen = self.exact[rows]
            width = 1 if chosen.ndim == 1 else chosen.shape[1]
            return chosen.ravel(), np.arange(len(rows) + 1, dtype=np.uint64) * np.uint64(width)
        numbers = self.file_of(rows)
        # Stretches of one file, so that what is read comes in the order asked for.
        cuts = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(rows)]
        values, widths = [np.empty(0, np.float32)], [np.empty(0, np.uint64)]
        for begin, end in itertools.pairwise(cuts):
            if begin < end:
                _, own, bounds = self.records[numbers[begin]].headers(self.offsets[rows[begin:end]])
                values.append(own)
                widths.append(np.diff(bounds))
        bounds = np.zeros(len(rows) + 1, np.uint64)
        np.cumsum(np.concatenate(widths), out=bounds[1:])
        return np.concatenate(values), bounds


def open_table(path: str | Path | Sequence[str | Path]) -> Table:
    """Open .rec files; see `recordkit.dataset.dataset.RecordDataset`."""
    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not given:
        raise PlanError("path: expected a .rec file or more, got an empty list")
    filesets = [Fileset(found) for one in given for found in _expand(os.fspath(one))]
    with ExitStack() as stack:
        records = [_open(files.path(".rec"), stack) for files in filesets]
        indexes = [index_file(files, one) for files, one in zip(filesets, records, strict=True)]
        table = Table(filesets, records, indexes)
        stack.pop_all()
    return table


def _open(path: Path, stack: ExitStack) -> Records:
    records = open_records(path)
    stack.callback(records.close)
    return records


def _expand(text: str) -> list[str]:
    """Return the .rec files of a pattern in the order of their names; what is no pattern stays."""
    if not glob.has_magic(text) or Fileset(text).path(".rec").exists():
        return [text]
    # Path.glob knows no absolute patterns.
    found = sorted(name for name in glob.glob(text, recursive=True) if name.endswith(".rec"))  # noqa: PTH207
    if not found:
        raise FileNotFoundError(errno.ENOENT, "expected .rec files that fit the pattern, got none", text)
    return found


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _joined_keys(indexes: list[FileIndex]) -> NDArray[np.uint64] | None:
    if len(indexes) == 1:
        return indexes[0].keys
    counted = [np.arange(len(one.offsets), dtype=np.uint64) if one.keys is None else one.keys for one in indexes]
    return compact(np.concatenate(counted))


def _joined_exact(filesets: list[Fileset], indexes: list[FileIndex]) -> NDArray[np.int64] | None:
    found: list[NDArray[np.int64]] = []
    for files, index in zip(filesets, indexes, strict=True):
        labels = files.exact_labels()
        if labels is None:
            continue
        path = str(files.path(".labels.npy"))
        if len(labels) != index.n_records:
            raise FormatError(
                f"expected {index.n_records} rows, one a record, got {len(labels)}; remove it or pack again", path=path
            )
        labels = labels[:, 0] if labels.shape[1:] == (1,) else labels
        if found and labels.shape[1:] != found[0].shape[1:]:
            raise FormatError("expected as many labels a record as the first file has, got others", path=path)
        found.append(labels if index.places is None else labels[index.places])
    if found and len(found) < len(filesets):
        missing = next(files.path(".labels.npy") for files in filesets if not files.path(".labels.npy").exists())
        raise FormatError(
            "expected exact labels, which other files of this dataset have, got none; "
            "pack it with them too, or open the files one by one",
            path=str(missing),
        )
    return _joined(found) if found else None
