"""How many samples have each label, read from the headers of the records without the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

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
    values, bounds = dataset.ragged_labels()
    widths = np.diff(bounds)
    labels = values[bounds[:-1].astype(np.int64)]
    finite = labels[np.isfinite(labels)]
    distinct, counts = np.unique(finite, return_counts=True)
    n_not_finite = len(labels) - len(finite)
    return LabelSummary(
        width=(int(widths.min()), int(widths.max())) if len(widths) else (0, 0),
        n_distinct=len(distinct) + bool(n_not_finite),
        n_not_finite=n_not_finite,
        range=(distinct[0].item(), distinct[-1].item()) if len(distinct) else None,
        counts=_named_counts(dict(zip(distinct.tolist(), counts.tolist(), strict=True)), dataset.classes or {}),
        exact=labels.dtype == np.int64,
    )


def _named_counts(counts: dict[float, int], classes: Mapping[str, int]) -> list[LabelCount] | None:
    names: dict[float, str] = {label: name for name, label in classes.items()}
    labels = sorted(counts.keys() | names.keys())
    if len(labels) > MAX_COUNTED:
        return None
    return [LabelCount(label, counts.get(label, 0), names.get(label, "")) for label in labels]
