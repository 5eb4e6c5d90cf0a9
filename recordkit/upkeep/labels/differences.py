"""Labels of records that are other ones in another dataset, by old and new label."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import enumerate_some
from recordkit.upkeep.labels.arrays import Labels
from recordkit.upkeep.labels.class_maps import names_by_label, names_of
from recordkit.upkeep.labels.text import label_text, named_label_text


@dataclass(frozen=True, eq=False)
class LabelDifference:
    """Records of which all have the same old labels and the same new ones.

    Attributes
    ----------
    old, new : tuple of float or int
    old_names, new_names : tuple of str
        Class names of the label; empty if it has none, or if the records have several labels.
    keys : ndarray of uint64, shape (k,)

    Examples
    --------
    >>> print(LabelDifference((1.0,), (0.0,), ("dog",), (), np.array([7], np.uint64)))
    1 (dog) -> 0
    """

    old: tuple[float, ...]
    new: tuple[float, ...]
    old_names: tuple[str, ...]
    new_names: tuple[str, ...]
    keys: NDArray[np.uint64]

    def __str__(self) -> str:
        """Return old and new labels, with the class names in parentheses."""
        return f"{_text(self.old, self.old_names)} -> {_text(self.new, self.new_names)}"

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        lists = {name: list(getattr(self, name)) for name in ("old", "new", "old_names", "new_names")}
        return {**lists, "keys": self.keys.tolist()}


@dataclass(frozen=True, eq=False)
class LabelDifferences:
    """The records whose labels differ. Memory: 32 bytes for each record with one label.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)
    old, new : Labels
    old_classes, new_classes : mapping of str to int or None
        The class maps of the two datasets.

    Examples
    --------
    >>> one = np.arange(4, dtype=np.uint64)
    >>> old, new = Labels(np.float32([2, 1, 1]), one), Labels(np.float32([0, 0, 0]), one)
    >>> [str(each) for each in LabelDifferences(np.uint64([7, 8, 9]), old, new, None, {"cat": 0})]
    ['1 -> 0 (cat)', '2 -> 0 (cat)']
    """

    keys: NDArray[np.uint64]
    old: Labels
    new: Labels
    old_classes: Mapping[str, int] | None = None
    new_classes: Mapping[str, int] | None = None

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self.keys)

    def __iter__(self) -> Iterator[LabelDifference]:
        """Yield the changes of one label, the most frequent first, and then each record with several labels."""
        is_single = (self.old.widths == 1) & (self.new.widths == 1)
        yield from self._changes(np.flatnonzero(is_single))
        for row in np.flatnonzero(~is_single):
            one = np.array([row])
            old, new = (tuple(labels.at(one).values.tolist()) for labels in (self.old, self.new))
            yield LabelDifference(old, new, (), (), self.keys[one])

    def _changes(self, rows: NDArray[np.int64]) -> Iterator[LabelDifference]:
        columns = [np.unique(labels.at(rows).values, return_inverse=True) for labels in (self.old, self.new)]
        (old, old_numbers), (new, new_numbers) = columns
        numbers = old_numbers.reshape(-1) * len(new) + new_numbers.reshape(-1)
        pairs, counts = np.unique(numbers, return_counts=True)
        order, starts = np.argsort(numbers, kind="stable"), np.cumsum(counts) - counts
        old_names, new_names = (names_by_label(classes or {}) for classes in (self.old_classes, self.new_classes))
        for at in np.argsort(-counts, kind="stable").tolist():
            before, after = old[pairs[at] // len(new)].item(), new[pairs[at] % len(new)].item()
            members = rows[order[starts[at] : starts[at] + counts[at]]]
            names = names_of(before, old_names), names_of(after, new_names)
            yield LabelDifference((before,), (after,), *names, self.keys[members])


def _text(labels: tuple[float, ...], names: tuple[str, ...]) -> str:
    return named_label_text(labels[0], names) if len(labels) == 1 else enumerate_some(list(map(label_text, labels)))
