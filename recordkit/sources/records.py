"""The samples of .rec files as a source, in the order of the files."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import SourceError
from recordkit.sample import BadEntry, Entry, Sample


class RecordSource:
    """The samples of a dataset as a source.

    If a file has a key twice, as one joined with ``cat`` has, the keys are 0 to n - 1, and a note says so.

    Parameters
    ----------
    dataset : RecordDataset
        The caller closes it.

    Raises
    ------
    SourceError
        Two files have a key, for example because each counts from 0.
    FormatError
        The files have different class names.

    Examples
    --------
    >>> import tempfile
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
        self._keys_are_indices = self._find_repeated_key()

    def __len__(self) -> int:
        return len(self._dataset)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train.rec: sample 7`` of the samples at `indices`.

        A name ends with the index in the dataset. A label that is not exact is the shortest number that float32 rounds
        to the one in the file, as a list would have it.
        """
        rows = np.asarray(indices, np.int64)
        files = [self._file_names[number] for number in self._dataset.file_indices(rows).tolist()]
        keys = rows.tolist() if self._keys_are_indices else self._dataset.keys_at(rows).tolist()
        labels = self.labels(indices)
        return [
            Entry(key, row, f"{file}: sample {index}")
            for key, row, file, index in zip(keys, labels, files, rows.tolist(), strict=True)
        ]

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
        indices = [int(entry.name.rpartition(" ")[2]) for entry in entries]
        if max_bytes is not None:
            locations = self._dataset.records_at(np.array(indices, np.int64))
            totals = np.cumsum(locations.ends - locations.offsets)
            indices = indices[: int(np.searchsorted(totals, max_bytes, side="right"))]
        samples = self._dataset[indices]
        return [bytes(sample.payload) for sample in cast("list[Sample]", samples)]

    def reader(self) -> RecordSource:
        """See `recordkit.sample.PortableSource`. Its dataset opens its files again where it is unpickled."""
        return self
