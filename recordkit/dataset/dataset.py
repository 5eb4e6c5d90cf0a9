"""The samples of .rec files, by position or by key.

Files are opened once and read at given positions only, so a dataset is shared by threads and inherited by forked
processes; pickled, it opens its files again where it arrives. Memory: 8 bytes a record, 8 more where keys are not
0 to n - 1, and 4 or more a label once labels were asked for.
"""

from __future__ import annotations

import bisect
import hashlib
import operator
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit.dataset.records import Records
from recordkit.dataset.table import open_table
from recordkit.errors import FormatError
from recordkit.formats.irheader import unpack_at
from recordkit.sample import Sample

Labels = NDArray[np.float32] | NDArray[np.int64]

_N_FINGERPRINTED = 64


class RecordDataset:
    """The samples of one .rec file or several.

    Of InsightFace's files, the header and the identities are no samples.

    Parameters
    ----------
    path : str, Path, or sequence of them
        A .rec file, its prefix, or a pattern such as ``"train_*.rec"``, whose files are taken in the order of their
        names. Several are one after the other in the order given.

    Attributes
    ----------
    files : list of Path
        The .rec files.

    Raises
    ------
    FileNotFoundError
        There is no such file, or none that fits the pattern.
    FormatError
        A file is damaged, or exact labels do not fit their records.

    Warns
    -----
    UserWarning
        An .idx file is not there or is not that of its .rec file, which was scanned instead.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([4, 9, 4]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     sample = dataset[1]
    ...     len(dataset), sample.key, sample.label, bytes(sample.payload)
    ...     dataset.labels
    ...     [sample.key for sample in dataset[[2, 0]]], dataset[1:].keys
    (3, 1, 9.0, b'jpeg')
    array([4., 9., 4.], dtype=float32)
    ([2, 0], array([1, 2], dtype=uint64))
    """

    def __init__(self, path: str | Path | Sequence[str | Path]) -> None:
        self._table = open_table(path)
        # Which rows of the table these samples are; None for all.
        self._rows: NDArray[np.int64] | None = None
        self._labels: tuple[Labels, NDArray[np.uint64]] | None = None
        self._by_key: tuple[NDArray[np.uint64], NDArray[np.int64]] | None = None

    def close(self) -> None:
        """Close the files, also for subsets, which share them. A second call does nothing."""
        self._table.close()

    def __enter__(self) -> RecordDataset:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._table.offsets if self._rows is None else self._rows)

    def __repr__(self) -> str:
        names = ", ".join(str(path) for path in self.files[:3]) + (", ..." if len(self.files) > 3 else "")
        return f"<RecordDataset of {len(self)} samples: {names}>"

    @property
    def files(self) -> list[Path]:
        """The .rec files."""
        return list(self._table.paths)

    @property
    def classes(self) -> dict[str, int] | None:
        """Class name to label, where PREFIX.json has names.

        Raises
        ------
        FormatError
            The files have different ones.
        """
        return self._table.classes()

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Keys, uint64, shape (n,): as the .idx files say, else the records' own."""
        keys = self._table.keys
        if keys is None:
            return self._all_rows().astype(np.uint64)
        return keys if self._rows is None else keys[self._rows]

    @property
    def offsets(self) -> NDArray[np.uint64]:
        """Where each record's head is in its file, in bytes; uint64, shape (n,)."""
        return self._table.offsets if self._rows is None else self._table.offsets[self._rows]

    def file_of(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Tell which of `files` samples are in.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        numbers : ndarray of int64, shape (m,)
        """
        return self._table.file_of(self._rows_of(_positions(indices)))

    def records_at(
        self, indices: NDArray[np.int64]
    ) -> tuple[list[Records], NDArray[np.int64], NDArray[np.uint64], NDArray[np.uint64]]:
        """Return the open files, and each sample's file number, offset, and where the next sample or the file ends.

        `indices` are in range.
        """
        rows = indices if self._rows is None else self._rows[indices]
        numbers = self._table.file_of(rows)
        return self._table.records, numbers, self._table.offsets[rows], self._table.ends(rows, numbers)

    def keys_at(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the keys of the samples at `indices`, which are in range."""
        rows = indices if self._rows is None else self._rows[indices]
        return rows.astype(np.uint64) if self._table.keys is None else self._table.keys[rows]

    def exact_labels(self, indices: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the exact labels of the samples at `indices`, which are in range; None if there are none."""
        rows = indices if self._rows is None else self._rows[indices]
        return None if self._table.exact is None else self._table.exact[rows]

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that are others for other samples or another order.

        From the files' sizes, the number of records, and the places of some of them; not from the images.
        """
        table = self._table
        facts = [*table.sizes, *table.starts]
        for row in np.linspace(0, len(table.offsets) - 1, _N_FINGERPRINTED).astype(np.int64).tolist():
            facts += [table.key(row), int(table.offsets[row])] if len(table.offsets) else []
        digest = hashlib.sha256(str(facts).encode())
        if self._rows is not None:
            digest.update(self._rows.astype("<i8").tobytes())
        return digest.hexdigest()[:32]

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> RecordDataset: ...
    @overload
    def __getitem__(self, index: Sequence[int] | NDArray[Any]) -> list[Sample] | RecordDataset: ...
    def __getitem__(self, index: Any) -> Sample | list[Sample] | RecordDataset:
        """Return the sample at a position, the samples at a list of them, or those of a slice or mask as a dataset.

        Parameters
        ----------
        index : int, slice, list or ndarray of int, or ndarray of bool, shape (n,)
            Negative positions count from the end.

        Raises
        ------
        IndexError
            There is no such position, or `index` is something else.
        FormatError
            A record is damaged.
        """
        if isinstance(index, slice):
            return self.subset(np.arange(*index.indices(len(self))))
        if isinstance(index, int) or (hasattr(index, "__index__") and np.ndim(index) == 0):
            return self._read_one(self._row_of(operator.index(index)))
        indices = np.asarray(index)
        if indices.dtype == bool and indices.shape == (len(self),):
            return self.subset(np.flatnonzero(indices))
        return self._read(self._rows_of(_positions(index)))

    def subset(self, indices: ArrayLike) -> RecordDataset:
        """Return a dataset of some of these samples, in the order asked for. It shares the open files.

        Parameters
        ----------
        indices : array-like of int, shape (m,)
        """
        chosen = RecordDataset.__new__(RecordDataset)
        chosen.__dict__.update(_table=self._table, _rows=self._rows_of(_positions(indices)), _labels=None, _by_key=None)
        return chosen

    def by_key(self, key: int) -> Sample:
        """Return the sample with a key.

        Raises
        ------
        KeyError
            There is none, or several have it, as where files have each their own keys.
        FormatError
            The record is damaged.
        """
        key = operator.index(key)
        positions = self._find(key)
        if len(positions) != 1:
            raise KeyError(self._explain(key, positions))
        return self._read_one(self._row_of(positions[0]))

    def _find(self, key: int) -> list[int]:
        """Return the positions of all samples with a key."""
        if not 0 <= key < 2**64:
            return []
        if self._table.keys is None and self._rows is None:
            return [key] if key < len(self) else []
        if self._by_key is None:
            keys = self.keys
            order = np.argsort(keys, kind="stable")
            self._by_key = keys[order], order
        ordered, order = self._by_key
        begin, end = (int(np.searchsorted(ordered, np.uint64(key), side)) for side in ("left", "right"))
        return [int(position) for position in order[begin:end]]

    def _explain(self, key: int, positions: list[int]) -> str:
        if positions:
            names = ", ".join(str(self.files[n]) for n in np.unique(self.file_of(positions)))
            return f"key {key}: {len(positions)} samples have it, in {names}; take one by position: ds[{positions[0]}]"
        keys = self.keys
        there = f"keys are from {np.min(keys)} to {np.max(keys)}" if len(keys) else "there are no samples"
        return f"key {key}: no sample has it, {there}; ds[i] takes positions, 0 to {len(self) - 1}"

    @property
    def labels(self) -> Labels:
        """Labels, float32 or exact ones int64, shape (n,) or (n, w); read without the images, and kept.

        Raises
        ------
        FormatError
            Samples have different numbers of labels (see `ragged_labels`), or a record is damaged.
        """
        values, bounds = self.ragged_labels()
        widths = np.diff(bounds)
        if not len(widths) or widths.max() == widths.min() == 1:
            return values
        if widths.max() != widths.min():
            at = int(np.argmax(widths != widths[0]))
            raise FormatError(
                path=str(self.files[int(self.file_of([at])[0])]),
                key=self._key(at),
                expected=f"{widths[0]} labels as in the first sample",
                got=widths[at],
                advice="ragged_labels() gives any number of them",
            )
        return values.reshape(len(self), -1)

    def ragged_labels(self) -> tuple[Labels, NDArray[np.uint64]]:
        """Read labels of which each sample may have another number.

        Returns
        -------
        values : ndarray of float32 or int64, shape (m,)
            Those of all samples, end to end.
        bounds : ndarray of uint64, shape (n + 1,)
            Those of sample i are ``values[bounds[i]:bounds[i + 1]]``.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        if self._labels is None:
            self._labels = self._table.labels(self._all_rows())
            for array in self._labels:
                array.flags.writeable = False
        return self._labels

    def _all_rows(self) -> NDArray[np.int64]:
        return np.arange(len(self)) if self._rows is None else self._rows

    def _row_of(self, index: int) -> int:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"expected a position from {-n} to {n - 1}, got {index}; by_key takes keys")
        return index % n if self._rows is None else int(self._rows[index])

    def _rows_of(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        n = len(self)
        if len(outside := indices[(indices < -n) | (indices >= n)]):
            raise IndexError(f"expected positions from {-n} to {n - 1}, got {outside[0]}; by_key takes keys")
        return np.where(indices < 0, indices + n, indices) if self._rows is None else self._rows[indices]

    def _key(self, index: int) -> int:
        return self._table.key(self._row_of(index))

    def _read_one(self, row: int) -> Sample:
        table = self._table
        number = bisect.bisect_right(table.starts, row) - 1
        record, _ = table.records[number].read(int(table.offsets[row]))
        return self._sample(memoryview(record), row, number)

    def _read(self, rows: NDArray[np.int64]) -> list[Sample]:
        table = self._table
        numbers = table.file_of(rows)
        samples: dict[int, Sample] = {}
        for number in np.unique(numbers).tolist():
            own = np.flatnonzero(numbers == number)
            buffer, bounds = table.records[number].read_many(table.offsets[rows[own]], 1)
            view, ends = memoryview(buffer), bounds.tolist()
            for n, (place, row) in enumerate(zip(own.tolist(), rows[own].tolist(), strict=True)):
                samples[place] = self._sample(view[ends[n] : ends[n + 1]], row, number)
        return [samples[place] for place in range(len(rows))]

    def _sample(self, record: memoryview, row: int, number: int) -> Sample:
        table = self._table
        header, payload = unpack_at(record, str(table.paths[number]), int(table.offsets[row]))
        label: Any = header.label
        if table.exact is not None:
            label = table.exact[row]
            label = int(label) if label.ndim == 0 else label
        elif isinstance(label, tuple):
            label = label[0] if len(label) == 1 else np.array(label, np.float32)
        return Sample(table.key(row), label, payload)


def _positions(indices: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise IndexError(f"expected positions as a list of whole numbers, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
