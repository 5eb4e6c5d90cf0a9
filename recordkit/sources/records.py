"""The samples of .rec files as a source, in the order of the files.

A caller has a dataset, so no module of datasets is imported here: a pack of other images needs none.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from recordkit.errors import SourceError
from recordkit.sample import BadEntry, Entry

if TYPE_CHECKING:
    from recordkit.dataset.dataset import RecordDataset
    from recordkit.dataset.sample import Sample


class RecordSource:
    """The samples of a dataset as a source.

    If a file has a key twice, as one joined with ``cat`` has, the keys are 0 to n - 1, and a note says so.

    Parameters
    ----------
    dataset : RecordDataset
        The caller closes it.

    Attributes
    ----------
    keys_are_indices : bool
        The keys of the samples are 0 to n - 1, because a file has a key twice.

    Raises
    ------
    SourceError
        Two files have a key, for example because each counts from 0.
    FormatError
        The files have different class names.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit import RecordDataset
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     writer.write_idx(7, pack(IRHeader(0, 0.1, 7, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     RecordSource(dataset).entries([0])
    [Entry(key=7, labels=(0.1,), name='train.rec: sample 0')]
    """

    order = "listed"
    pixels = False

    def __init__(self, dataset: RecordDataset) -> None:
        self.classes = dataset.classes
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self._dataset = dataset
        self._file_names = [path.name for path in dataset.files]
        self.keys_are_indices = self._find_repeated_key()

    @property
    def files(self) -> list[Path]:
        """The .rec files."""
        return list(self._dataset.files)

    def __len__(self) -> int:
        return len(self._dataset)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train.rec: sample 7`` of the samples at `indices`.

        A name ends with the index in the dataset. A label that is not exact is the shortest number that float32 rounds
        to the one in the file, as a list would have it.
        """
        rows = np.asarray(indices, np.int64)
        files = [self._file_names[number] for number in self._dataset.file_indices(rows).tolist()]
        keys = rows.tolist() if self.keys_are_indices else self._dataset.keys_at(rows).tolist()
        labels = self.labels(indices)
        return [
            Entry(key, row, f"{file}: sample {index}")
            for key, row, file, index in zip(keys, labels, files, rows.tolist(), strict=True)
        ]

    def place(self, entry: Entry) -> str:
        """Return the name of an entry with the path of its file, for an error."""
        index = _index_of(entry)
        (number,) = self._dataset.file_indices(np.array([index])).tolist()
        return f"{self._dataset.files[number]}: sample {index}"

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the samples at `indices`."""
        values, bounds = self._dataset.subset(np.asarray(indices, np.int64)).ragged_labels()
        numbers: list[float] = values.tolist()
        if values.dtype == np.float32:
            numbers = [number if number.is_integer() else float(str(np.float32(number))) for number in numbers]
        ends = bounds.tolist()
        return [tuple(numbers[begin:end]) for begin, end in itertools.pairwise(ends)]

    def _find_repeated_key(self) -> bool:
        """Return whether a file has a key twice, with a note; raise SourceError if two files have a key."""
        keys = self._dataset.keys
        order = np.argsort(keys, kind="stable")
        repeated = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        if not repeated.size:
            return False
        first, second = order[repeated[0]], order[repeated[0] + 1]
        file, other = (str(self._dataset.files[n]) for n in self._dataset.file_indices([first, second]))
        if file != other:
            raise SourceError(
                path=file,
                expected="each key once",
                got=f"{keys[first]} in {other} too",
                advice="take the files one by one",
            )
        self.notes.append(f"{file}: several records have the key {keys[first]}, so the keys are 0 to {len(self) - 1}")
        return True

    def contents(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the payloads of some entries.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes]:
        """See `recordkit.sample.BoundedSource`."""
        return PartReader([(0, self._dataset)]).first_contents(entries, max_bytes)

    def reader(self, indices: Sequence[int]) -> PartReader:
        """See `recordkit.sample.PortableSource`. Its files are opened again where it is unpickled.

        It is small only if `indices` is a range; otherwise it has the index of the whole dataset.
        """
        is_range = isinstance(indices, range) and indices.step == 1 and len(indices) > 0
        if not is_range or self._dataset.whole_table is None:
            return PartReader([(0, self._dataset)])
        from recordkit.dataset.parts import part_of

        files = self._dataset.file_indices(np.array(indices))
        bounds = [0, *(np.flatnonzero(np.diff(files)) + 1).tolist(), len(indices)]
        begins = [indices[0] + bound for bound in bounds[:-1]] + [indices[-1] + 1]
        return PartReader([(begin, part_of(self._dataset, begin, end)) for begin, end in itertools.pairwise(begins)])


class PartReader:
    """Reads the payloads of samples of some parts of a dataset.

    Parameters
    ----------
    parts : list of (int, RecordDataset)
        For each part, in their order, the index of its first sample in the whole dataset.
    """

    def __init__(self, parts: list[tuple[int, RecordDataset]]) -> None:
        self._parts = parts
        self._begins = [begin for begin, _ in parts]

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes]:
        """See `recordkit.sample.BoundedSource`.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        indices = [_index_of(entry) for entry in entries]
        contents: list[bytes] = []
        for number, group in itertools.groupby(indices, lambda index: bisect_right(self._begins, index) - 1):
            begin, dataset = self._parts[number]
            rows = np.fromiter(group, np.int64) - begin
            n_asked = len(rows)
            if max_bytes is not None:
                locations = dataset.records_at(rows)
                totals = np.cumsum(locations.ends - locations.offsets)
                rows = rows[: int(np.searchsorted(totals, max_bytes, side="right"))]
                max_bytes -= int(totals[len(rows) - 1]) if len(rows) else 0
            samples = dataset[rows.tolist()] if len(rows) else []
            contents += [bytes(sample.payload) for sample in cast("list[Sample]", samples)]
            if len(rows) < n_asked:
                break
        return contents


def _index_of(entry: Entry) -> int:
    return int(entry.name.rpartition(" ")[2])
