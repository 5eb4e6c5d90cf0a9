"""The quality of a shuffle, as two numbers that are 1 for a perfect shuffle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recordkit.errors import PlanError
from recordkit.sampling.order import Order

# Number of measured positions. Their mean distance is nearly always within 2% of that of all positions.
_N_PROBES = 1 << 14


@dataclass(frozen=True, slots=True)
class ShuffleQuality:
    """Distances of samples to their stored index and to their neighbours, relative to a perfect shuffle.

    Attributes
    ----------
    displacement : float
        Mean distance between a position and the index there, divided by that of a perfect shuffle.
    separation : float
        Mean distance between the indices at adjacent positions, divided by that of a perfect shuffle. It is low if
        samples that are stored together stay together, even if they move far.
    """

    displacement: float
    separation: float


def shuffle_quality(order: Order, *, epoch: int = 0) -> ShuffleQuality:
    """Measure the shuffle quality of an order that visits each sample once.

    It is measured at 16,384 positions, evenly spread over the epoch, or at all positions if there are fewer. In a
    perfect shuffle of n samples the two mean distances are (n * n - 1) / (3 * n) and (n + 1) / 3.

    Parameters
    ----------
    order : Order
    epoch : int, default 0

    Raises
    ------
    PlanError
        `order` has only one position.

    Examples
    --------
    >>> from recordkit.sampling.order import Pages
    >>> quality = shuffle_quality(Pages(100_000, page=100, window=10))
    >>> round(quality.displacement, 1), round(quality.separation, 1)
    (1.0, 0.9)
    """
    n = order.n
    if n < 2:
        raise PlanError("shuffle quality", expected="an order of at least 2 samples", got=1)
    positions = np.linspace(0, n - 2, min(n - 1, _N_PROBES)).astype(np.int64)
    indices = order.indices(epoch, positions)
    next_indices = order.indices(epoch, positions + 1)
    return ShuffleQuality(
        displacement=float(np.abs(indices - positions).mean()) * 3 * n / (n * n - 1),
        separation=float(np.abs(indices - next_indices).mean()) * 3 / (n + 1),
    )
