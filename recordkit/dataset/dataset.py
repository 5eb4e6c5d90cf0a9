"""The samples of .rec files, by index or by key.

Files are opened once and only read by offset, so threads and forked processes may share a dataset. An unpickled dataset
opens its files again. Memory: 8 bytes per record, 8 more if the keys are not 0 to n - 1 in this order, 4 more with
`check`, and, once `RecordDataset.labels` was used, 8 more and 4 per label (8 if exact).
"""

from __future__ import annotations

import bisect
import operator
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit.dataset.frame_search import LostBytes
from recordkit.dataset.keys import KeyLookup
from recordkit.dataset.records import RecordFile
from recordkit.dataset.sample import Sample
from recordkit.dataset.table import Table, open_table
from recordkit.errors import FormatError, PlanError, enumerate_some, plural, with_places
from recordkit.formats.irheader import unpack_at
from recordkit.storage.remote.settings import using

if TYPE_CHECKING:
    from recordkit.storage.remote.remote_file import RemoteFile

Labels = NDArray[np.float32] | NDArray[np.int64]


class RecordLocations(NamedTuple):
    """Files and offsets of some samples, as the native core takes them.

    Attributes
    ----------
    files : list of RecordFile
        The open files of the dataset.
    file_indices : ndarray of int64, shape (m,)
        Index into `files` for each sample.
    offsets : ndarray of uint64, shape (m,)
        Offsets of the records' heads, in bytes.
    ends : ndarray of uint64, shape (m,)
        Offset of the next sample in the same file, or the file's size.
    checksums : ndarray of uint32, shape (m,) or (0,)
        Expected CRC-32 of each record; empty if records are not checked.
    """

    files: list[RecordFile]
    file_indices: NDArray[np.int64]
    offsets: NDArray[np.uint64]
    ends: NDArray[np.uint64]
    checksums: NDArray[np.uint32]


class RecordDataset:
    """The samples of one .rec file or several, or of a sharded dataset.

    The header and the identities of InsightFace's files are not samples.

    Parameters
    ----------
    path : str, Path, or sequence of them
        A .rec file, a manifest, the prefix of either, a pattern such as ``"train_*.rec"``, or a folder with one dataset
        (`recordkit.storage.search.find_sets`); or the URL of any of these, such as ``"s3://bucket/train.rec"``. The
        samples of several files are concatenated in the order of the sequence, of the manifest, or of the numbers in
        their names.
    check : bool, default False
        Compare each record that is read with its CRC-32 in PREFIX.crc; another one is a FormatError.
    on_error : {"raise", "skip"}, default "raise"
        Treatment of damage between the records of a file that has no matching index: "skip" leaves it out, and `lost`
        lists it. A damaged record that is read is always an error.
    read_all : bool, default False
        With ``on_error="skip"``, read the whole file when it is opened, also if its index matches, and leave out all
        damage: with `check` every record with another CRC-32.
    progress : callable, optional
        With `read_all`, called with the number of bytes read since the last call: all bytes of the files once, and with
        `check` those of the records once more.
    cache_dir : str or Path, optional
        Folder of the local cache of what is read from a store; by default the one of `recordkit.configure_remote`.
    cache_bytes : int or str, optional
        Most bytes of that folder: a number, or a text such as "50G". Processes share the folder and the limit.

    Attributes
    ----------
    files : list of Path
        The .rec files; of a dataset in a store, their places in the cache, which have no content.

    Raises
    ------
    NotFoundError
        The file does not exist, or no file matches the pattern.
    FormatError
        A file is damaged, exact labels do not match their records, or a shard is not the one that its manifest names.
    PlanError
        The folder has several datasets.

    Warns
    -----
    UserWarning
        An .idx file does not exist or does not match its .rec file, which was scanned instead; or a record is damaged.

    Examples
    --------
    >>> import numpy as np, recordkit as rk, tempfile
    >>> prefix = tempfile.mkdtemp() + "/digits"
    >>> _ = rk.pack((np.zeros((3, 28, 28), np.uint8), [4, 9, 4]), prefix)
    >>> dataset = rk.RecordDataset(prefix)
    >>> len(dataset), dataset[1].key, dataset[1].label, dataset[1].payload[1:4].tobytes()
    (3, 1, 9.0, b'PNG')
    >>> dataset.labels
    array([4., 9., 4.], dtype=float32)
    >>> [sample.key for sample in dataset[[2, 0]]], dataset[1:].keys
    ([2, 0], array([1, 2], dtype=uint64))
    """

    def __init__(
        self,
        path: str | Path | Sequence[str | Path],
        *,
        check: bool = False,
        on_error: str = "raise",
        read_all: bool = False,
        progress: Callable[[int], None] | None = None,
        cache_dir: str | Path | None = None,
        cache_bytes: int | str | None = None,
    ) -> None:
        if on_error not in ("raise", "skip"):
            raise PlanError(argument="on_error", expected="raise or skip", got=repr(on_error))
        if read_all and on_error == "raise":
            raise PlanError(argument="read_all", expected="`on_error=skip`", got="raise")
        with using(cache_dir=cache_dir, cache_bytes=cache_bytes):
            self._table = open_table(
                path, check=check, skip_damage=on_error == "skip", read_all=read_all, progress=progress
            )
        # Row of each sample in the table; None if the samples are all rows.
        self._rows: NDArray[np.int64] | None = None
        self._labels: tuple[Labels, NDArray[np.uint64]] | None = None
        self._key_lookup: KeyLookup | None = None

    def close(self) -> None:
        """Close the files, which subsets share. A second call does nothing."""
        self._table.close()

    def __enter__(self) -> RecordDataset:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self._table.offsets if self._rows is None else self._rows)

    def __iter__(self) -> Iterator[Sample]:
        """Read one sample after the other."""
        return (self[index] for index in range(len(self)))

    def __repr__(self) -> str:
        return with_places(f"<RecordDataset of {plural(len(self), 'sample')}: {enumerate_some(self.files, limit=3)}>")

    def _repr_html_(self) -> str:
        """Return the first samples as HTML, for notebooks."""
        from recordkit.dataset.notebook.sheet import show_samples

        try:
            classes = self.classes or {}
        except FormatError:  # about class names; the images can be shown without
            classes = {}
        return show_samples(repr(self), len(self), self.__getitem__, {label: name for name, label in classes.items()})

    @property
    def files(self) -> list[Path]:
        """The .rec files."""
        return list(self._table.paths)

    @property
    def is_remote(self) -> bool:
        """True if a file is in a store."""
        return any(source is not None for source in self._table.sources)

    @property
    def sources(self) -> list[RemoteFile | None]:
        """The object of each file that is in a store; None for a file of this machine."""
        return list(self._table.sources)

    @property
    def sizes(self) -> list[int]:
        """Number of samples of each path that was opened, for `recordkit.sampling.mix.Mix`; a subset is one path."""
        return list(self._table.path_sizes) if self._rows is None else [len(self)]

    @property
    def whole_table(self) -> Table | None:
        """The table of the samples, for `recordkit.dataset.parts`; None if this is a subset."""
        return self._table if self._rows is None else None

    @property
    def lost(self) -> list[LostBytes]:
        """Parts of damaged files that hold no whole record; only ``on_error="skip"`` opens a file with such parts."""
        return list(self._table.lost)

    @property
    def is_checked(self) -> bool:
        """True if the dataset was opened with ``check=True``."""
        return self._table.checksums is not None

    @property
    def has_metadata(self) -> bool:
        """True if a file has records that are not samples: InsightFace's header and identities."""
        return self._table.has_metadata

    @property
    def classes(self) -> dict[str, int] | None:
        """Class name to label, from PREFIX.json or the manifest; None if it has no class names.

        Raises
        ------
        FormatError
            The files have different class names.
        """
        return self._table.classes()

    @property
    def unnamed_files(self) -> list[Path]:
        """The .rec files without class names, if others have some, so that one label may mean two classes."""
        return self._table.unnamed_paths()

    @property
    def keys(self) -> NDArray[np.uint64]:
        """Keys, uint64, shape (n,): those of the .idx files, or the ids of the records if a file was scanned."""
        keys = self._table.keys
        if keys is None:
            return self._all_rows().astype(np.uint64)
        return keys if self._rows is None else keys[self._rows]

    @property
    def offsets(self) -> NDArray[np.uint64]:
        """Offset of each record's head in its file, in bytes; uint64, shape (n,)."""
        return self._table.offsets if self._rows is None else self._table.offsets[self._rows]

    def file_indices(self, indices: ArrayLike) -> NDArray[np.int64]:
        """Return the index into `files` for each of some samples.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Returns
        -------
        file_indices : ndarray of int64, shape (m,)

        Raises
        ------
        IndexError
            An index is out of range.
        """
        return self._table.file_indices(self._rows_at(_index_array(indices)))

    def records_at(self, indices: NDArray[np.int64]) -> RecordLocations:
        """Return files and offsets of the samples at `indices`, which must be 0 to n - 1."""
        rows = indices if self._rows is None else self._rows[indices]
        table = self._table
        file_indices = table.file_indices(rows)
        checksums = np.empty(0, np.uint32) if table.checksums is None else table.checksums[rows]
        return RecordLocations(
            table.files, file_indices, table.offsets[rows], table.ends(rows, file_indices), checksums
        )

    def keys_at(self, indices: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Return the keys of the samples at `indices`, which must be 0 to n - 1; uint64, shape (m,)."""
        rows = indices if self._rows is None else self._rows[indices]
        return rows.astype(np.uint64) if self._table.keys is None else self._table.keys[rows]

    @property
    def has_exact_labels(self) -> bool:
        """True if the files have exact labels, PREFIX.labels.npy."""
        return self._table.exact_labels is not None

    def exact_labels(self, indices: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Return the exact labels of the samples at `indices`, which must be 0 to n - 1; None if there are none."""
        rows = indices if self._rows is None else self._rows[indices]
        return None if self._table.exact_labels is None else self._table.exact_labels[rows]

    def labels_at(self, indices: NDArray[np.int64]) -> tuple[Labels, NDArray[np.uint64]]:
        """Return the `ragged_labels` of the samples at `indices`, which must be 0 to n - 1; no CRC-32 is checked."""
        return self._table.labels(indices if self._rows is None else self._rows[indices], check=False)

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that differ for other samples or another order.

        They are a digest of the sizes of the files, the number of records, and the keys and offsets of up to 64 of
        them. The images are not read.
        """
        return self._table.fingerprint(self._rows)

    def check_files(self) -> None:
        """Compare the sets at the paths of `files` with those that were opened, whose bytes a dataset goes on to read.

        Raises
        ------
        FormatError
            One has been replaced, so that companions that are read now, such as its list, do not belong to the samples.
        NotFoundError
            One has been removed.
        """
        self._table.check_files()

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> RecordDataset: ...
    @overload
    def __getitem__(self, index: Sequence[int] | NDArray[Any]) -> list[Sample] | RecordDataset: ...
    def __getitem__(self, index: Any) -> Sample | list[Sample] | RecordDataset:
        """Return one sample for an int, a list of samples for several, and a dataset for a slice or a mask.

        Parameters
        ----------
        index : int, slice, list or ndarray of int, or ndarray of bool, shape (n,)
            Negative indices count from the end.

        Raises
        ------
        IndexError
            An index is out of range, or `index` is of another type.
        FormatError
            A record is damaged.
        """
        if isinstance(index, slice):
            return self.subset(np.arange(*index.indices(len(self))))
        if isinstance(index, int) or (hasattr(index, "__index__") and np.ndim(index) == 0):
            return self._read_one(self._row_at(operator.index(index)))
        indices = np.asarray(index)
        if indices.dtype == bool and indices.shape == (len(self),):
            return self.subset(np.flatnonzero(indices))
        return self._read(self._rows_at(_index_array(index)))

    def subset(self, indices: ArrayLike) -> RecordDataset:
        """Return a dataset of some of these samples, in the order of `indices`. It shares the open files.

        Parameters
        ----------
        indices : array-like of int, shape (m,)

        Raises
        ------
        IndexError
            An index is out of range.
        """
        return RecordDataset.of_table(self._table, self._rows_at(_index_array(indices)))

    @classmethod
    def of_table(cls, table: Table, rows: NDArray[np.int64] | None = None) -> RecordDataset:
        """Return a dataset of the rows of a table, by default all."""
        dataset = cls.__new__(cls)
        dataset.__dict__.update(_table=table, _rows=rows, _labels=None, _key_lookup=None)
        return dataset

    def by_key(self, key: int) -> Sample:
        """Return the sample with a key.

        Raises
        ------
        KeyError
            No sample has the key, or several samples have it, for example because each file counts from 0.
        FormatError
            The record is damaged.
        """
        key = operator.index(key)
        indices = self._indices_of_key(key)
        if len(indices) != 1:
            raise self._key_error(key, indices)
        return self._read_one(self._row_at(indices[0]))

    def _indices_of_key(self, key: int) -> list[int]:
        if not 0 <= key < 2**64:
            return []
        if self._table.keys is None and self._rows is None:
            return [key] if key < len(self) else []
        if self._key_lookup is None:
            self._key_lookup = KeyLookup(self.keys)
        return self._key_lookup.indices(key)

    def _key_error(self, key: int, indices: list[int]) -> KeyError:
        if indices:
            paths = enumerate_some([self.files[n] for n in np.unique(self.file_indices(indices))])
            return KeyError(f"key {key}: {len(indices)} samples have it, in {paths}; use an index: ds[{indices[0]}]")
        keys = self.keys
        key_range = f"keys are from {np.min(keys)} to {np.max(keys)}" if len(keys) else "the dataset is empty"
        return KeyError(f"key {key}: no sample has it, {key_range}; ds[i] takes an index, 0 to {len(self) - 1}")

    @property
    def labels(self) -> Labels:
        """Labels, shape (n,) or (n, w): int64 if the files have exact labels, otherwise float32.

        They are read once, without the images, and kept in memory.

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
            index = int(np.argmax(widths != widths[0]))
            raise FormatError(
                path=str(self.files[int(self.file_indices([index])[0])]),
                key=self._table.key(self._row_at(index)),
                expected=f"{plural(widths[0], 'label')} as in the first sample",
                got=widths[index],
                advice="ragged_labels() accepts any number per sample",
            )
        return values.reshape(len(self), -1)

    def ragged_labels(self) -> tuple[Labels, NDArray[np.uint64]]:
        """Read the labels of samples with different numbers of labels.

        Returns
        -------
        values : ndarray of float32 or int64, shape (m,)
            The labels of all samples, concatenated.
        bounds : ndarray of uint64, shape (n + 1,)
            The labels of sample i are ``values[bounds[i]:bounds[i + 1]]``.

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

    def _row_at(self, index: int) -> int:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"expected an index from {-n} to {n - 1}, got {index}; by_key takes keys")
        return index % n if self._rows is None else int(self._rows[index])

    def _rows_at(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        n = len(self)
        if len(outside := indices[(indices < -n) | (indices >= n)]):
            raise IndexError(f"expected indices from {-n} to {n - 1}, got {outside[0]}; by_key takes keys")
        return np.where(indices < 0, indices + n, indices) if self._rows is None else self._rows[indices]

    def _read_one(self, row: int) -> Sample:
        table = self._table
        file_index = bisect.bisect_right(table.row_starts, row) - 1
        record, _ = table.files[file_index].read(int(table.offsets[row]))
        return self._sample(memoryview(record), row, file_index)

    def _read(self, rows: NDArray[np.int64]) -> list[Sample]:
        table = self._table
        file_indices = table.file_indices(rows)
        samples: dict[int, Sample] = {}  # by position in `rows`
        for file_index in np.unique(file_indices).tolist():
            positions = np.flatnonzero(file_indices == file_index)
            file_rows = rows[positions]
            buffer, bounds = table.files[file_index].read_many(table.offsets[file_rows], 1)
            view, ends = memoryview(buffer), bounds.tolist()
            for n, (position, row) in enumerate(zip(positions.tolist(), file_rows.tolist(), strict=True)):
                samples[position] = self._sample(view[ends[n] : ends[n + 1]], row, file_index)
        return [samples[position] for position in range(len(rows))]

    def _sample(self, record: memoryview, row: int, file_index: int) -> Sample:
        table = self._table
        table.check(record, row, file_index)
        header, payload = unpack_at(record, str(table.paths[file_index]), int(table.offsets[row]))
        label: Any = header.label
        if table.exact_labels is not None:
            label = table.exact_labels[row]
            label = int(label) if label.ndim == 0 else label
        elif isinstance(label, tuple):
            label = label[0] if len(label) == 1 else np.array(label, np.float32)
        return Sample(table.key(row), label, payload)


def _index_array(indices: ArrayLike) -> NDArray[np.int64]:
    array = np.asarray(indices)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise IndexError(f"expected indices as a list of whole numbers, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)
