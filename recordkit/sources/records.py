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

    Parameters
    ----------
    dataset : RecordDataset
        The caller closes it.

    Raises
    ------
    SourceError
        A key is repeated, for example because each file counts from 0.
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
        self._check_keys()

    def __len__(self) -> int:
        return len(self._dataset)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train.rec: sample 7`` of the samples at `indices`.

        A name ends with the index in the dataset. A label that is not exact is the shortest number that float32 rounds
        to the one in the file, as a list would have it.
        """
        rows = np.asarray(indices, np.int64)
        files = [self._file_names[number] for number in self._dataset.file_indices(rows).tolist()]
        keys = self._dataset.keys_at(rows).tolist()
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

    def _check_keys(self) -> None:
        keys = self._dataset.keys
        order = np.argsort(keys, kind="stable")
        repeated = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        if not repeated.size:
            return
        first, second = order[repeated[0]], order[repeated[0] + 1]
        files = [str(self._dataset.files[number]) for number in self._dataset.file_indices([first, second])]
        raise SourceError(
            path=files[0],
            expected="each key once",
            got=f"{keys[first]} twice" if files[0] == files[1] else f"{keys[first]} in {files[1]} too",
            advice="take the files one by one"
            if files[0] != files[1]
            else "MXNet's rec2idx.py writes other keys, 0 to n - 1",
        )

    def contents(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the payloads of some entries.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        samples = self._dataset[[int(entry.name.rpartition(" ")[2]) for entry in entries]]
        return [bytes(sample.payload) for sample in cast("list[Sample]", samples)]
