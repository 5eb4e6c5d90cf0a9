"""How many samples have each label, read from the headers of the records without the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.upkeep.labels.text import MAX_COUNTED


@dataclass(frozen=True)
class LabelCount:
    """Number of samples with a label.

    Attributes
    ----------
    label : float or int
        An int if the dataset has exact labels.
    n : int
    name : str
        Name of the class; "" if the label has none.
    """

    label: float
    n: int
    name: str = ""


@dataclass(frozen=True)
class LabelSummary:
    """A summary of the labels of a dataset.

    Attributes
    ----------
    width : (int, int)
        Smallest and largest number of labels of a sample; (0, 0) for an empty dataset.
    n_distinct : int
        Number of distinct first labels. Each NaN counts as the same.
    n_not_finite : int
        Number of samples whose first label is infinite or NaN.
    range : (float, float) or None
        Smallest and largest finite first label.
    counts : list of LabelCount, or None
        Finite first labels, sorted, and labels of classes that have no samples; None if there are more than 1,000.
    exact : bool
        The labels are exact int64.
    """

    width: tuple[int, int]
    n_distinct: int
    n_not_finite: int
    range: tuple[float, float] | None
    counts: list[LabelCount] | None
    exact: bool

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class LabelTally:
    """Counts of the labels of some samples, which can be merged with those of others.

    Attributes
    ----------
    labels : ndarray of float32 or int64, shape (n,)
        The distinct finite first labels, sorted.
    counts : ndarray of int64, shape (n,)
        Number of samples with each.
    n_not_finite : int
    width : (int, int) or None
        Smallest and largest number of labels of a sample; None without samples.
    """

    labels: NDArray[Any]
    counts: NDArray[np.int64]
    n_not_finite: int
    width: tuple[int, int] | None

    @classmethod
    def of(cls, dataset: RecordDataset) -> LabelTally:
        """Count the labels of a dataset.

        Raises
        ------
        FormatError
            A record is damaged.
        """
        values, bounds = dataset.ragged_labels()
        widths = np.diff(bounds)
        first = values[bounds[:-1].astype(np.int64)]
        finite = first[np.isfinite(first)]
        labels, counts = np.unique(finite, return_counts=True)
        width = (int(widths.min()), int(widths.max())) if len(widths) else None
        return cls(labels, counts.astype(np.int64), len(first) - len(finite), width)

    @classmethod
    def merge(cls, tallies: Sequence[LabelTally]) -> LabelTally:
        """Return the tally of all samples of some tallies, of which there is at least one.

        Examples
        --------
        >>> tallies = [
        ...     LabelTally(np.array([4, 9]), np.array([2, 1]), 0, (1, 1)),
        ...     LabelTally(np.array([1, 4]), np.array([5, 3]), 1, (1, 2)),
        ... ]
        >>> merged = LabelTally.merge(tallies)
        >>> merged.labels.tolist(), merged.counts.tolist(), merged.n_not_finite, merged.width
        ([1, 4, 9], [5, 5, 1], 1, (1, 2))
        """
        labels, rows = np.unique(np.concatenate([tally.labels for tally in tallies]), return_inverse=True)
        counts = np.zeros(len(labels), np.int64)
        np.add.at(counts, rows, np.concatenate([tally.counts for tally in tallies]))
        widths = [size for tally in tallies if tally.width is not None for size in tally.width]
        width = (min(widths), max(widths)) if widths else None
        return cls(labels, counts, sum(tally.n_not_finite for tally in tallies), width)

    def summary(self, classes: Mapping[str, int] | None) -> LabelSummary:
        """Return the summary, with the names of some classes."""
        counts = dict(zip(self.labels.tolist(), self.counts.tolist(), strict=True))
        return LabelSummary(
            width=self.width or (0, 0),
            n_distinct=len(counts) + bool(self.n_not_finite),
            n_not_finite=self.n_not_finite,
            range=(self.labels[0].item(), self.labels[-1].item()) if len(counts) else None,
            counts=_named_counts(counts, classes or {}),
            exact=self.labels.dtype == np.int64,
        )


def count_labels(dataset: RecordDataset) -> LabelSummary:
    """Count the labels of a dataset.

    Raises
    ------
    FormatError
        A record is damaged, or the files have different class names.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([4, 9, 4]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     count_labels(dataset).counts
    [LabelCount(label=4.0, n=2, name=''), LabelCount(label=9.0, n=1, name='')]
    """
    return LabelTally.of(dataset).summary(dataset.classes)


def _named_counts(counts: dict[float, int], classes: Mapping[str, int]) -> list[LabelCount] | None:
    names: dict[float, str] = {label: name for name, label in classes.items()}
    labels = sorted(counts.keys() | names.keys())
    if len(labels) > MAX_COUNTED:
        return None
    return [LabelCount(label, counts.get(label, 0), names.get(label, "")) for label in labels]
