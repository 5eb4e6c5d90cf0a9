"""The samples of a range of a dataset as a source, with the keys and names that they have in the whole dataset."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.sample import BadEntry, Entry
from recordkit.sources.records import PartReader, RecordSource


class RangeSource:
    """See `recordkit.sources.records.RecordSource`.

    Parameters
    ----------
    part : RecordDataset
        The samples.
    begin : int
        Index of the first one in the whole dataset.
    classes : dict of str to int, or None
    keys_are_indices : bool
        The keys are the indices in the whole dataset, because it has a key twice.
    """

    order = "listed"
    pixels = False

    def __init__(
        self, part: RecordDataset, begin: int, classes: dict[str, int] | None, *, keys_are_indices: bool
    ) -> None:
        self.classes = classes
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self._part = RecordSource(part)
        self._reader = PartReader([(begin, part)])
        self._begin = begin
        self._keys_are_indices = keys_are_indices

    def __len__(self) -> int:
        return len(self._part)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train.rec: sample 7`` of the samples at `indices`."""
        return [
            self._entry(self._begin + index, entry)
            for index, entry in zip(np.asarray(indices).tolist(), self._part.entries(indices), strict=True)
        ]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the samples at `indices`."""
        return self._part.labels(indices)

    def contents(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the payloads of some entries."""
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes]:
        """See `recordkit.sample.BoundedSource`."""
        return self._reader.first_contents(entries, max_bytes)

    def _entry(self, index: int, entry: Entry) -> Entry:
        name = f"{entry.name.rpartition(' ')[0]} {index}"
        return Entry(index if self._keys_are_indices else entry.key, entry.labels, name)
