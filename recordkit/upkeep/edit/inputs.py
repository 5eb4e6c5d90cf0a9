"""The samples of the datasets that an edit reads, numbered one after the other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.records import RecordFile
from recordkit.errors import FormatError, NotFoundError, PlanError, RecordkitError, enumerate_some
from recordkit.storage.checksums import check_number, read_checksums
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.labels.arrays import Labels, are_whole, bounds_of, dataset_labels

# Records whose places are looked up at a time.
_BLOCK_SIZE = 1 << 20
NO_CHECKSUM = -1
"""In place of the CRC-32 of a record that has none."""


class Locations(NamedTuple):
    """Places of some samples.

    Attributes
    ----------
    file_numbers : ndarray of int64, shape (m,)
        Index into `Inputs.files` and `Inputs.paths` for each sample.
    offsets : ndarray of uint64, shape (m,)
        Offsets of the records' heads, in bytes.
    ends : ndarray of uint64, shape (m,)
        Offset of the next sample in the same file or of damage before it, or the file's size. Bytes of records that are
        no samples may be before it.
    checksums : ndarray of int64, shape (m,)
        Expected CRC-32 of each record, or `NO_CHECKSUM`.
    """

    file_numbers: NDArray[np.int64]
    offsets: NDArray[np.uint64]
    ends: NDArray[np.uint64]
    checksums: NDArray[np.int64]


class Inputs:
    """Samples of several datasets, numbered one after the other. A context manager.

    The number of a sample is its row. The records of each file that has checksums are compared with them while they are
    copied, so that damage is found.

    Parameters
    ----------
    paths : sequence of str or Path
        For each dataset a .rec file, a prefix, or a pattern, as `recordkit.RecordDataset` takes them.
    on_error : {"raise", "skip"}, default "raise"
        Treatment of damage, as in `recordkit.RecordDataset`; "skip" reads all files to find it.
    progress : callable, optional
        Of this reading, as in `recordkit.RecordDataset`.

    Attributes
    ----------
    datasets : list of RecordDataset
    starts : list of int
        The rows of dataset i are ``starts[i]`` to ``starts[i + 1] - 1``.
    keys : ndarray of uint64, shape (n,)
    classes : list of (dict of str to int, or None)
        Class map of each dataset.
    paths : list of Path
        The .rec files of all datasets.
    files : list of RecordFile
        The same files, open.
    file_bounds : list of int
        The rows of file i are ``file_bounds[i]`` to ``file_bounds[i + 1] - 1``.

    Raises
    ------
    PlanError
        There is no path, or one .rec file is in two places, also by another name.
    NotFoundError, FormatError
        As `recordkit.RecordDataset`.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefixes = [tempfile.mkdtemp() + "/a", tempfile.mkdtemp() + "/b"]
    >>> for prefix in prefixes:
    ...     with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...         for key in (5, 6):
    ...             writer.write_idx(key, pack(IRHeader(0, key / 2, key, 0), b"jpeg"))
    >>> with Inputs(prefixes) as inputs:
    ...     len(inputs), inputs.starts, inputs.keys.tolist(), inputs.labels().values.tolist()
    (4, [0, 2, 4], [5, 6, 5, 6], [2.5, 3.0, 2.5, 3.0])
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        on_error: str = "raise",
        progress: Callable[[int], None] | None = None,
    ) -> None:
        if not paths:
            raise PlanError(argument="paths", expected="a .rec file or more", got="none")
        with ExitStack() as stack:
            self.datasets = _open_all(paths, on_error, progress, stack)
            self.paths = [path for dataset in self.datasets for path in dataset.files]
            self._refuse_repeated_files()
            self.classes = [dataset.classes for dataset in self.datasets]
            self._stack = stack.pop_all()
        self.starts = [0, *itertools.accumulate(map(len, self.datasets))]
        self._file_starts = [0, *itertools.accumulate(len(dataset.files) for dataset in self.datasets)]
        self.files: list[RecordFile] = []
        self.file_bounds = [0]
        for dataset, start in zip(self.datasets, self.starts, strict=False):
            self.files += dataset.records_at(np.empty(0, np.int64)).files
            counts = np.bincount(dataset.file_indices(np.arange(len(dataset))), minlength=len(dataset.files))
            self.file_bounds += (start + np.cumsum(counts)).tolist()
        self.keys: NDArray[np.uint64] = np.concatenate([dataset.keys for dataset in self.datasets])
        self._cuts = self._find_cuts()
        self._some_checksums = self._read_some_checksums()
        self._labels: Labels | None = None

    def close(self) -> None:
        """Close the files. A second call does nothing."""
        self._stack.close()

    def __enter__(self) -> Inputs:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return self.starts[-1]

    def check_files(self) -> None:
        """Refuse inputs that were replaced since they were opened.

        Records are read from the files that were opened, and lists and descriptions by their names. So after this check
        all that was read before is of one set, whatever happens to the names.

        Raises
        ------
        FormatError, NotFoundError
            Another program has replaced or removed one.
        """
        for dataset in self.datasets:
            try:
                dataset.check_files()
            except RecordkitError as error:
                error.advice = "run this again, it was replaced meanwhile"
                raise

    @property
    def has_metadata(self) -> bool:
        """True if a file has records that are not samples: InsightFace's header and identities."""
        return any(dataset.has_metadata for dataset in self.datasets)

    def labels(self) -> Labels:
        """Return the labels of all rows, which are read once, without the images.

        They are int64 if every dataset has exact labels, or if one has and all labels of the others are whole numbers
        that float32 holds; otherwise float32. Headers are not compared with their checksums; copying does that.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        if self._labels is None:
            parts = [dataset_labels(dataset) for dataset in self.datasets]
            if any(part.is_exact for part in parts):
                all_whole = all(part.is_exact or are_whole(part.values) for part in parts)
                parts = [part.as_exact() if all_whole else part.as_float32() for part in parts]
            widths = np.concatenate([part.widths for part in parts])
            self._labels = Labels(np.concatenate([part.values for part in parts]), bounds_of(widths))
        return self._labels

    def labels_at(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some rows, as `labels` has them; of few rows, few headers are read.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)

        Raises
        ------
        FormatError
            A record is damaged.
        """
        are_exact = {dataset.has_exact_labels for dataset in self.datasets}
        if self._labels is not None or len(are_exact) > 1 or not len(rows):  # all labels decide whether all are exact
            return self.labels().at(rows)
        sorted_rows, places = np.unique(rows, return_inverse=True)
        bounds = np.searchsorted(sorted_rows, self.starts)
        parts = [
            dataset_labels(dataset.subset(sorted_rows[begin:end] - start))
            for dataset, start, begin, end in zip(self.datasets, self.starts, bounds, bounds[1:], strict=False)
        ]
        widths = np.concatenate([part.widths for part in parts])
        return Labels(np.concatenate([part.values for part in parts]), bounds_of(widths)).at(places)

    @property
    def have_exact_labels(self) -> bool:
        """True if a dataset has exact labels."""
        return any(dataset.has_exact_labels for dataset in self.datasets)

    def locations(self, rows: NDArray[np.int64]) -> Locations:
        """Return where some rows are.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
            0 to n - 1.
        """
        numbers = np.searchsorted(self.starts, rows, "right") - 1
        out = Locations(
            np.empty(len(rows), np.int64),
            np.empty(len(rows), np.uint64),
            np.empty(len(rows), np.uint64),
            np.full(len(rows), NO_CHECKSUM, np.int64),
        )
        used = np.unique(numbers).tolist()
        for number in used:
            chosen = slice(None) if len(used) == 1 else numbers == number
            found = self.datasets[number].records_at(rows[chosen] - self.starts[number])
            out.file_numbers[chosen] = found.file_indices + self._file_starts[number]
            out.offsets[chosen] = found.offsets
            out.ends[chosen] = found.ends
            if len(found.checksums) == len(found.offsets):
                out.checksums[chosen] = found.checksums
        for number, checksums in self._some_checksums.items():
            chosen = np.flatnonzero(out.file_numbers == number)
            out.checksums[chosen] = checksums[rows[chosen] - self.file_bounds[number]]
        for number, cuts in self._cuts.items():
            chosen = np.flatnonzero(out.file_numbers == number)
            nearest = np.searchsorted(cuts, out.offsets[chosen], "right")
            is_before = nearest < len(cuts)
            out.ends[chosen[is_before]] = np.minimum(out.ends[chosen[is_before]], cuts[nearest[is_before]])
        return out

    def ends(self) -> NDArray[np.int64]:
        """Return the sums of the bytes of the records up to each row and with it; int64, shape (n,)."""
        sums = np.empty(len(self), np.int64)
        total = 0
        for begin in range(0, len(self), _BLOCK_SIZE):
            rows = np.arange(begin, min(begin + _BLOCK_SIZE, len(self)))
            places = self.locations(rows)
            sums[rows] = total + np.cumsum((places.ends - places.offsets).astype(np.int64))
            total = int(sums[rows[-1]])
        return sums

    def _find_cuts(self) -> dict[int, NDArray[np.uint64]]:
        """Return offsets at which a record ends before the next sample begins, by file.

        They are those of damage, and of InsightFace's identities, which follow the last sample.
        """
        cuts: dict[int, list[int]] = {}
        for number, dataset in enumerate(self.datasets):
            for lost in dataset.lost:
                file_number = self._file_starts[number] + dataset.files.index(lost.path)
                cuts.setdefault(file_number, []).append(lost.offset)
            if dataset.has_metadata and len(dataset):
                found = dataset.records_at(np.arange(len(dataset)))
                for file_index in np.unique(found.file_indices).tolist():
                    offset = int(found.offsets[found.file_indices == file_index][-1])
                    try:
                        end = found.files[file_index].read(offset)[1]
                    except FormatError:  # whoever copies the record finds the damage
                        continue
                    cuts.setdefault(self._file_starts[number] + file_index, []).append(end)
        return {number: np.unique(np.array(offsets, np.uint64)) for number, offsets in cuts.items()}

    def _read_some_checksums(self) -> dict[int, NDArray[np.uint32]]:
        """Return the checksums of files in datasets that were opened without them, because other files have none.

        An old file and the shards that were appended to it are such a dataset.
        """
        found: dict[int, NDArray[np.uint32]] = {}
        for number, dataset in enumerate(self.datasets):
            if dataset.is_checked or dataset.has_metadata:  # checksums of InsightFace's other records are between them
                continue
            for file_number in range(self._file_starts[number], self._file_starts[number + 1]):
                files = Fileset(self.paths[file_number])
                if files.exists(".crc"):
                    checksums = read_checksums(files)
                    check_number(files, checksums, self.file_bounds[file_number + 1] - self.file_bounds[file_number])
                    found[file_number] = checksums
        return found

    def _refuse_repeated_files(self) -> None:
        seen: dict[tuple[int, int], Path] = {}
        for path in self.paths:
            status = path.stat()
            first = seen.setdefault((status.st_dev, status.st_ino), path)
            if first is not path:
                raise PlanError(
                    path=str(path), expected="each .rec file once", got=f"{first} again", advice="give it once"
                )


def _open_all(
    paths: Sequence[str | Path], on_error: str, progress: Callable[[int], None] | None, stack: ExitStack
) -> list[RecordDataset]:
    """Open datasets, which a stack closes. The error about a missing one names all that are missing."""
    datasets: list[RecordDataset] = []
    errors: list[NotFoundError] = []
    for path in paths:
        try:
            datasets.append(stack.enter_context(_open(path, on_error, progress)))
        except NotFoundError as error:
            errors.append(error)
    if errors:
        first, *others = errors
        if others:
            first.got = f"{first.got}, and so for {enumerate_some([error.path for error in others])}"
        raise first
    return datasets


def _open(path: str | Path, on_error: str, progress: Callable[[int], None] | None) -> RecordDataset:
    """Open a dataset with its checksums if all of its files have some."""
    read_all = on_error == "skip"
    try:
        return RecordDataset(path, check=True, on_error=on_error, read_all=read_all, progress=progress)
    except NotFoundError:
        return RecordDataset(path, on_error=on_error, read_all=read_all, progress=progress)


def set_ids(inputs: Inputs) -> list[dict[str, str | None]]:
    """Return name and id of the set of each .rec file, for the description of a set that is made from them.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/a"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     writer.write_idx(7, pack(IRHeader(0, 1.0, 7, 0), b"jpeg"))
    >>> with Inputs([prefix]) as inputs:
    ...     set_ids(inputs)
    [{'name': 'a', 'id': None}]
    """
    return [{"name": files.prefix.name, "id": files.id()} for files in map(Fileset, inputs.paths)]
