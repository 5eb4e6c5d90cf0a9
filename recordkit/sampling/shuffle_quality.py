"""How well an order shuffles, in two figures that are 1 for a perfect shuffle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recordkit.errors import PlanError
from recordkit.sampling.order import Order

# The mean of this many distances is within 2% of that of all, nearly always.
_N_PROBES = 1 << 14


@dataclass(frozen=True, slots=True)
class ShuffleQuality:
    """How far samples are from where they are stored, and from each other.

    Attributes
    ----------
    displacement : float
        Mean distance between a position and the index that stands there, as a share of a perfect shuffle's.
    separation : float
        Mean distance between the indices at two neighbouring positions, as a share of a perfect shuffle's. Low where
        samples stored together come together, even if it is far from where they are stored.
    """

    displacement: float
    separation: float


def shuffle_quality(order: Order, *, epoch: int = 0) -> ShuffleQuality:
    """Measure how well an order that visits each sample once is shuffled.

    Measured at 16,384 positions evenly spread over the epoch, or at all of them if there are fewer; in a perfect
    shuffle of n the two mean distances are (n * n - 1) / 3 n and (n + 1) / 3.

    Parameters
    ----------
    order : Order
    epoch : int, default 0

    Raises
    ------
    PlanError
        There is nothing to shuffle: `order` has one position.

    Examples
    --------
    >>> from recordkit.sampling.order import Pages
    >>> quality = shuffle_quality(Pages(100_000, page=100, window=10))
    >>> round(quality.displacement, 1), round(quality.separation, 1)
    (1.0, 0.9)
    """
    n = order.n
    if n < 2:
        raise PlanError("shuffle quality: expected an order of at least 2 samples, got 1")
    positions = np.linspace(0, n - 2, min(n - 1, _N_PROBES)).astype(np.int64)
    indices = order.indices(epoch, positions)
    following = order.indices(epoch, positions + 1)
    return ShuffleQuality(
        displacement=float(np.abs(indices - positions).mean()) * 3 * n / (n * n - 1),
        separation=float(np.abs(indices - following).mean()) * 3 / (n + 1),
    )
