"""Parts of a dataset that are small when they are pickled, for the tasks of a cluster."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.table import Table
from recordkit.errors import PlanError


class FileRange(NamedTuple):
    """The samples of one file.

    Attributes
    ----------
    begin, end : int
        The samples are `begin` to `end - 1` of the dataset.
    n_bytes : int
        Size of the file.
    """

    begin: int
    end: int
    n_bytes: int


def file_ranges(dataset: RecordDataset) -> list[FileRange]:
    """Return the samples of each file of a dataset.

    Raises
    ------
    PlanError
        The dataset is a subset.
    """
    table = _whole_table(dataset)
    bounds = itertools.pairwise(table.row_starts)
    return [FileRange(begin, end, n_bytes) for (begin, end), n_bytes in zip(bounds, table.sizes, strict=True)]


def part_of(dataset: RecordDataset, begin: int, end: int) -> RecordDataset:
    """Return a dataset of the samples `begin` to `end - 1` of another one, which must be in one file.

    Unlike a slice, it is small when it is pickled, because it has no other samples. It shares the open file.

    Parameters
    ----------
    dataset : RecordDataset
    begin, end : int

    Raises
    ------
    PlanError
        The range is empty or out of range, its samples are in several files, or the dataset is a subset.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key in range(1000):
    ...         writer.write_idx(key, pack(IRHeader(0, 4, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     part, subset = part_of(dataset, 10, 12), dataset[10:12]
    ...     part.keys, len(pickle.dumps(part)) < 2000 < len(pickle.dumps(subset))
    (array([10, 11], dtype=uint64), True)
    """
    table = _whole_table(dataset)
    if not 0 <= begin < end <= len(dataset):
        raise PlanError(argument="end", expected=f"samples from 0 to {len(dataset)}", got=f"{begin} to {end}")
    return RecordDataset.of_table(table.part(begin, end))


class ClosedPart:
    """A part of a dataset that is opened where it is needed, so that errors of opening come from there.

    Unlike a pickled `part_of`, it can be unpickled where the file is missing or another one.

    Parameters
    ----------
    dataset : RecordDataset
    begin, end : int
        As for `part_of`.
    """

    def __init__(self, dataset: RecordDataset, begin: int, end: int) -> None:
        self._dataset: RecordDataset | None = dataset
        self._range = begin, end
        self._table_state: dict[str, Any] = {}

    def open(self) -> RecordDataset:
        """Return the part.

        Raises
        ------
        NotFoundError
            In another process: the file does not exist there.
        FormatError
            In another process: the file there is another one.
        """
        if self._dataset is not None:
            return part_of(self._dataset, *self._range)
        table = Table.__new__(Table)
        table.__setstate__(self._table_state)
        return RecordDataset.of_table(table)

    def __getstate__(self) -> dict[str, Any]:
        state = self._table_state
        if self._dataset is not None:
            state = _whole_table(part_of(self._dataset, *self._range)).__getstate__()
        return {"_dataset": None, "_range": self._range, "_table_state": state}


def _whole_table(dataset: RecordDataset) -> Table:
    table = dataset.whole_table
    if table is None:
        raise PlanError("a subset has no parts", advice="take the part of the whole dataset")
    return table
