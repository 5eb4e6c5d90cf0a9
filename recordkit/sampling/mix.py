"""An order that mixes several datasets, each with a fixed part of every epoch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sampling.order import MAX_SEED, Order, check_ranges
from recordkit.sampling.permutation import MAX_N, permutation

_32_BITS = 0xFFFFFFFF


class Mix(Order):
    """Samples of several datasets, mixed in random order with a fixed number from each dataset per epoch.

    Dataset d gives ``round(n * weights[d] / sum(weights))`` samples to each epoch, rounded so that they add up to n. It
    is visited in passes: none of its samples comes again before all of them came once, also over the end of an epoch.
    So a small dataset repeats within an epoch, and a large one continues in the next epoch where it stopped.

    Parameters
    ----------
    sizes : sequence of int
        Number of samples of each dataset. Their samples stand one dataset after the other, as in
        `recordkit.RecordDataset` of several paths, whose `sizes` are these numbers.
    weights : sequence of float
        Weight of each dataset; any non-negative scale, not all 0.
    seed : int, 0 to 2**64 - 1, default 0
    n : int, 1 to `MAX_N`, optional
        Number of samples per epoch; the sum of `sizes` by default.

    Attributes
    ----------
    counts : tuple of int
        Number of samples of each dataset in an epoch.

    Raises
    ------
    PlanError
        A number is out of range, there is not one weight per dataset, or an empty dataset has a weight.

    Notes
    -----
    Position p of an epoch is shuffled to q, which belongs to the dataset d with ``bounds[d] <= q < bounds[d + 1]``;
    `bounds` are the sums of `counts`. It is draw number ``t = epoch * counts[d] + q - bounds[d]`` of that dataset:
    sample ``t % sizes[d]`` in the random order of pass ``t // sizes[d]``. No memory is needed per sample.

    Examples
    --------
    >>> order = Mix([1000, 10], [0.8, 0.2], n=20)
    >>> order.counts
    (16, 4)
    >>> indices = order.indices(0, np.arange(20))
    >>> indices[indices >= 1000]
    array([1009, 1008, 1002, 1007])
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], *, seed: int = 0, n: int | None = None) -> None:
        self.sizes = tuple(map(int, sizes))
        self.n = sum(self.sizes) if n is None else n
        self.seed = seed
        check_ranges(self, n=(1, MAX_N), seed=(0, MAX_SEED))
        if min(self.sizes, default=-1) < 0 or sum(self.sizes) > MAX_N:
            raise PlanError(argument="sizes", expected=f"sizes of datasets, up to {MAX_N} samples", got=list(sizes))
        self.counts = _counts(self.n, _checked_weights(weights, self.sizes))
        self._bounds = np.array([0, *accumulate(self.counts)])
        self._starts = [0, *accumulate(self.sizes)]

    @property
    def n_samples(self) -> int:
        """See `Order.n_samples`."""
        return self._starts[-1]

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        shuffled = permutation(self.n, self.seed, epoch).permute(positions)
        datasets = np.searchsorted(self._bounds, shuffled, "right") - 1
        indices = np.empty_like(positions)
        for number in np.unique(datasets).tolist():
            of_dataset = datasets == number
            draws = shuffled[of_dataset] - self._bounds[number]
            indices[of_dataset] = self._starts[number] + self._draw(number, epoch, draws)
        return indices

    def _draw(self, number: int, epoch: int, draws: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the samples of a dataset for some of its draws in an epoch."""
        size = self.sizes[number]
        # Python's numbers, because the draws of all epochs together may exceed 64 bits.
        n_passes, begun = divmod(epoch * self.counts[number], size)
        passes, positions = np.divmod(begun + draws, size)
        samples = np.empty_like(draws)
        for late in np.unique(passes).tolist():
            in_pass = passes == late
            # The epoch of a permutation has 32 bits, the stream 64: stream 0 is that of the whole epoch.
            high, low = divmod(n_passes + late, _32_BITS + 1)
            order = permutation(size, self.seed, low, 1 + number + (high << 32))
            samples[in_pass] = order.permute(positions[in_pass])
        return samples

    def __repr__(self) -> str:
        return f"Mix(sizes={self.sizes}, counts={self.counts}, seed={self.seed})"


def _checked_weights(weights: Sequence[float], sizes: Sequence[int]) -> NDArray[np.float64]:
    array = np.asarray(weights, np.float64)
    if array.shape != (len(sizes),):
        raise PlanError(
            argument="weights", expected=f"one weight for each of {len(sizes)} datasets", got=f"shape {array.shape}"
        )
    if not (np.min(array) >= 0 and 0 < np.sum(array) < np.inf):
        raise PlanError("expected numbers of at least 0, not all of them 0, with a finite sum", argument="weights")
    if empty := [number for number, size in enumerate(sizes) if array[number] and not size]:
        raise PlanError(argument="sizes", expected="samples in each dataset with a weight", got=f"none in {empty[0]}")
    return array


def _counts(n: int, weights: NDArray[np.float64]) -> tuple[int, ...]:
    """Divide n in proportion to the weights; what rounding down leaves goes to the largest fractions.

    Examples
    --------
    >>> _counts(10, np.array([1.0, 1.0, 1.0]))
    (4, 3, 3)
    """
    shares = n * (weights / np.sum(weights))
    counts = np.floor(shares).astype(np.int64)
    by_fraction = np.argsort(counts - shares, kind="stable")
    counts[by_fraction[: n - int(np.sum(counts))]] += 1
    return tuple(counts.tolist())
