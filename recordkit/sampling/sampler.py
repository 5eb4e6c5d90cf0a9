"""The division of an order into batches and ranks.

A global batch has G = batch_size * n_ranks consecutive positions of the order, and each rank has batch_size consecutive
positions of it. With 3 ranks::

    position        0        G/3      2G/3       G                            2G
    global batch    |------------- 0 ------------|------------- 1 ------------|
    rank            |   0    |   1    |    2     |   0    |   1    |    2     |

So the order of an epoch over all ranks does not depend on the number of ranks. Only the last global batch does: it may
be shorter, padded or dropped (`Sampler.last_batch`).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sampling.order import Order

LastBatch = Literal["keep", "pad", "drop"]


class BatchIndices(NamedTuple):
    """Positions and indices of the samples in one batch of one rank.

    Attributes
    ----------
    positions : ndarray of int64, shape (m,)
        Positions in the order of the epoch. Random transforms are keyed by them. The positions of padding are n and
        larger, so that a repeated sample gets new random transforms.
    indices : ndarray of int64, shape (m,)
        Indices of the samples in the dataset.
    n_valid : int, 0 to m
        Number of samples that are not padding; these come first.
    """

    positions: NDArray[np.int64]
    indices: NDArray[np.int64]
    n_valid: int


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Divides an order into batches; every rank has the same number of batches.

    Attributes
    ----------
    order : Order
    batch_size : int, at least 1
        Number of samples per batch of one rank.
    rank : int, 0 to n_ranks - 1, default 0
    n_ranks : int, at least 1, default 1
    last_batch : {"pad", "keep", "drop"}, default "pad"
        Treatment of samples that do not fill a global batch. "pad": it is filled with the first samples of the order.
        "keep": they are divided evenly among the ranks, so that the last batch is short, or empty for some ranks if
        there are fewer samples than ranks. "drop": they are left out.

    Raises
    ------
    PlanError
        A value is out of range.

    Examples
    --------
    >>> from recordkit.sampling.order import Sequential
    >>> sampler = Sampler(order=Sequential(10), batch_size=4, rank=1, n_ranks=2)
    >>> for number in range(sampler.n_batches()):
    ...     print(sampler.batch(0, number))
    BatchIndices(positions=array([4, 5, 6, 7]), indices=array([4, 5, 6, 7]), n_valid=4)
    BatchIndices(positions=array([12, 13, 14, 15]), indices=array([2, 3, 4, 5]), n_valid=0)

    An epoch that continues after 3 samples:

    >>> sampler.batch(0, 0, start=3)
    BatchIndices(positions=array([ 7,  8,  9, 10]), indices=array([7, 8, 9, 0]), n_valid=3)
    """

    order: Order
    batch_size: int
    rank: int = 0
    n_ranks: int = 1
    last_batch: LastBatch = "pad"

    def __post_init__(self) -> None:
        for name in ("batch_size", "rank", "n_ranks"):
            value = getattr(self, name)
            if not isinstance(value, Integral):
                raise PlanError(argument=name, expected="a whole number", got=repr(value))
            object.__setattr__(self, name, int(value))  # not a NumPy integer, which JSON refuses
        if self.batch_size < 1:
            raise PlanError(argument="batch_size", expected="at least 1", got=self.batch_size)
        if not 0 <= self.rank < self.n_ranks:
            raise PlanError(argument="rank", expected="0 to n_ranks - 1", got=f"{self.rank} of {self.n_ranks}")
        if self.last_batch not in get_args(LastBatch):
            expected = f"one of {', '.join(get_args(LastBatch))}"
            raise PlanError(argument="last_batch", expected=expected, got=repr(self.last_batch))

    def n_batches(self, *, start: int = 0) -> int:
        """Return the number of batches of an epoch that begins at position `start`; it is the same for every rank."""
        if not 0 <= start <= self.order.n:
            raise PlanError(argument="start", expected=f"0 to {self.order.n} samples of the epoch", got=start)
        n_samples = self.order.n - start
        return n_samples // self._global_size if self.last_batch == "drop" else -(-n_samples // self._global_size)

    def position(self, number: int, *, start: int = 0) -> int:
        """Return the position at which batch `number` begins: the number of samples in earlier batches of all ranks.

        An epoch with this `start` continues there, with any number of ranks and any batch size.
        """
        return min(start + number * self._global_size, self.order.n)

    def batch(self, epoch: int, number: int, *, start: int = 0) -> BatchIndices:
        """Return one batch; see `batches`."""
        return self.batches(epoch, number, 1, start=start)[0]

    def batches(self, epoch: int, first: int, count: int, *, start: int = 0) -> list[BatchIndices]:
        """Return consecutive batches. Several small batches take about as long as one.

        Parameters
        ----------
        epoch : int, 0 to 2**32 - 1
        first : int
            Number of the first batch, counted from `start`.
        count : int, at least 1
            Number of batches.
        start : int, 0 to n, default 0
            Position at which batch 0 begins: the number of samples that all ranks together have had before.

        Returns
        -------
        batches : list of BatchIndices

        Raises
        ------
        PlanError
            The batches or `start` are outside of the epoch.
        """
        n, n_batches = self.order.n, self.n_batches(start=start)
        if not 0 <= first < first + count <= n_batches:
            raise PlanError(expected=f"batches from 0 to {n_batches - 1}", got=f"{first} to {first + count - 1}")
        bounds = [self._bounds(number, start) for number in range(first, first + count)]
        positions = np.concatenate([np.arange(begin, end, dtype=np.int64) for begin, end in bounds])
        indices = self.order.indices(epoch, positions % n)
        batches: list[BatchIndices] = []
        row = 0
        for begin, end in bounds:
            rows = slice(row, row + end - begin)
            batches.append(BatchIndices(positions[rows], indices[rows], max(0, min(n, end) - begin)))
            row = rows.stop
        return batches

    @property
    def _global_size(self) -> int:
        return self.batch_size * self.n_ranks

    def _bounds(self, number: int, start: int) -> tuple[int, int]:
        """Return the first and the last + 1 position of the rank in a global batch."""
        size = self._global_size
        begin = start + number * size
        if self.last_batch == "keep":
            size = min(size, self.order.n - begin)
        return begin + size * self.rank // self.n_ranks, begin + size * (self.rank + 1) // self.n_ranks
