"""A part of a source as a source of its own, which travels to the process that packs it."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Sequence

from recordkit.errors import ImageError, PlanError
from recordkit.packing.planned_sets import PlannedSet
from recordkit.sample import BadEntry, BoundedSource, Entry, Image, PortableSource


class PartSource:
    """The samples of one planned set, in the order of packing.

    Parameters
    ----------
    planned_set : PlannedSet

    Raises
    ------
    PlanError
        The source cannot be packed by other processes.
    """

    order = "listed"

    def __init__(self, planned_set: PlannedSet) -> None:
        source = planned_set.source
        if not isinstance(source, PortableSource):
            raise PlanError(
                argument="source",
                expected="a source that tasks can read, such as a list or a folder",
                got=type(source).__name__,
                advice="pack it with recordkit.pack",
            )
        self.classes = source.classes
        self.pixels = source.pixels
        self.bad: list[BadEntry] = list(source.bad) if planned_set.is_first else []
        self.notes: list[str] = []
        entries = source.entries(planned_set.order)
        self._keys = array("Q", (entry.key for entry in entries))
        self._names = [entry.name for entry in entries]
        self._labels = [entry.labels for entry in entries]
        self._reader: BoundedSource = source.reader(planned_set.order)

    def __len__(self) -> int:
        return len(self._keys)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return the entries at `indices`."""
        return [Entry(self._keys[index], self._labels[index], self._names[index]) for index in indices]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the entries at `indices`."""
        return [self._labels[index] for index in indices]

    def contents(self, entries: Sequence[Entry]) -> Sequence[bytes | Image | ImageError]:
        """Read the contents of some entries."""
        return self._reader.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> Sequence[bytes | Image | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        return self._reader.first_contents(entries, max_bytes)


def chunks(n: int, size: int) -> list[range]:
    """Return ranges of at most `size` numbers that make up the range of `n`.

    Examples
    --------
    >>> chunks(5, 2)
    [range(0, 2), range(2, 4), range(4, 5)]
    """
    bounds = [*range(0, n, size), n]
    return [range(begin, end) for begin, end in itertools.pairwise(bounds)]
