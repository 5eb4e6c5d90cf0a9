"""The distribution of a quantity over the images of a dataset: its range, mean, median and histogram."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

N_BINS = 12
"""Most bins of a histogram."""


@dataclass(frozen=True)
class Distribution:
    """Range, mean, median and histogram of some numbers.

    Attributes
    ----------
    min, median, mean, max : float
    edges : list of float
        Edges of the bins, one more than bins. Bin i has the numbers from ``edges[i]`` on and below ``edges[i + 1]``;
        the last one has its upper edge too.
    counts : list of int
        Numbers in each bin. There are 12 of equal width, or one for each whole number if these are fewer.
    """

    min: float
    median: float
    mean: float
    max: float
    edges: list[float]
    counts: list[int]

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self)


def distribute(values: NDArray[Any]) -> Distribution | None:
    """Return the distribution of some finite numbers; None if there are none.

    Parameters
    ----------
    values : ndarray of int or float, shape (n,)

    Examples
    --------
    >>> distribute(np.array([1, 1, 2, 4]))
    Distribution(min=1.0, median=1.5, mean=2.0, max=4.0, edges=[1.0, 2.0, 3.0, 4.0, 5.0], counts=[2, 1, 0, 1])
    """
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "iu" and high - low < N_BINS:
        edges = np.arange(low, high + 2)  # a bin for each whole number
    else:
        edges = np.linspace(low, high, N_BINS + 1) if high > low else np.array([low, low])
    counts = np.histogram(values, edges)[0] if high > low else np.array([len(values)])
    return Distribution(
        min=low,
        median=float(np.median(values)),
        mean=float(values.mean(dtype=np.float64)),
        max=high,
        edges=[float(edge) for edge in edges],
        counts=[int(count) for count in counts],
    )
