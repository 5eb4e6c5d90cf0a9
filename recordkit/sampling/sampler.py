"""Which samples are in which batch of which rank: numbers only, no file is touched here.

The batches of all ranks together are stretches of one order: batch b of an epoch is positions b * G to (b + 1) * G of
it, where G is the batch size times the number of ranks, and each rank takes the stretch of it that its number says. So
what an epoch delivers, and in what order, does not depend on how many ranks share it.
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


class Picks(NamedTuple):
    """The samples of one batch of one rank.

    Attributes
    ----------
    positions : int64 array (m,)
        Their places in the order of the epoch, over all ranks: what random draws are keyed by. Those of padding are
        the order's length and more, so that a repeated sample is drawn for anew.
    indices : int64 array (m,)
        Which samples they are.
    n_valid : int, 0 to m
        How many of them are not padding; they come first.
    """

    positions: NDArray[np.int64]
    indices: NDArray[np.int64]
    n_valid: int


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Cuts an order into batches, the same number for every rank.

    Attributes
    ----------
    order : Order
    batch_size : int, at least 1
        Samples in a batch of one rank.
    rank : int, 0 to n_ranks - 1, default 0
    n_ranks : int, at least 1, default 1
    last_batch : {"pad", "keep", "drop"}, default "pad"
        What becomes of the samples that do not fill a batch of all ranks. "pad": they are followed by the first ones
        of the order once more, until it is full. "keep": they are shared out evenly, so that the last batches are
        short; where there are fewer of them than ranks, those of some ranks are empty. "drop": they are left out.

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
    Picks(positions=array([4, 5, 6, 7]), indices=array([4, 5, 6, 7]), n_valid=4)
    Picks(positions=array([12, 13, 14, 15]), indices=array([2, 3, 4, 5]), n_valid=0)

    An epoch that was left after 3 samples:

    >>> sampler.batch(0, 0, start=3)
    Picks(positions=array([ 7,  8,  9, 10]), indices=array([7, 8, 9, 0]), n_valid=3)
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
                raise PlanError(f"{name}: expected a whole number, got {value!r}")
            object.__setattr__(self, name, int(value))  # Python's own, which a state in JSON can hold
        if self.batch_size < 1:
            raise PlanError(f"batch_size: expected at least 1, got {self.batch_size}")
        if not 0 <= self.rank < self.n_ranks:
            raise PlanError(f"rank: expected 0 to n_ranks - 1, got {self.rank} of {self.n_ranks}")
        if self.last_batch not in get_args(LastBatch):
            raise PlanError(f"last_batch: expected one of {', '.join(get_args(LastBatch))}, got {self.last_batch!r}")

    def n_batches(self, *, start: int = 0) -> int:
        """Return the number of batches of an epoch from position `start` on, the same for every rank."""
        if not 0 <= start <= self.order.n:
            raise PlanError(f"start: expected 0 to {self.order.n} samples of the epoch, got {start}")
        left, whole = self.order.n - start, self.batch_size * self.n_ranks
        return left // whole if self.last_batch == "drop" else -(-left // whole)

    def position(self, number: int, *, start: int = 0) -> int:
        """Return how many samples of the epoch all ranks together have been given before batch `number`.

        It is the `start` from which the epoch goes on there, for any number of ranks and any batch size.
        """
        return min(start + number * self.batch_size * self.n_ranks, self.order.n)

    def batch(self, epoch: int, number: int, *, start: int = 0) -> Picks:
        """Return one batch; see `batches`."""
        return self.batches(epoch, number, 1, start=start)[0]

    def batches(self, epoch: int, first: int, count: int, *, start: int = 0) -> list[Picks]:
        """Return several batches that follow each other, for about the price of one where they are small.

        Parameters
        ----------
        epoch : int, 0 to 2**32 - 1
        first : int
            Number of the first one, counted from `start`.
        count : int
            How many, at least 1.
        start : int, 0 to the order's length, default 0
            Samples of the epoch that were delivered before, to all ranks together, whatever their number was then.

        Returns
        -------
        picks : list of Picks

        Raises
        ------
        PlanError
            The epoch has no such batch or position.
        """
        n, n_batches = self.order.n, self.n_batches(start=start)
        if not 0 <= first < first + count <= n_batches:
            raise PlanError(f"batches {first} to {first + count - 1}: expected some of 0 to {n_batches - 1}")
        bounds = [self._bounds(number, start) for number in range(first, first + count)]
        positions = np.concatenate([np.arange(begin, end, dtype=np.int64) for begin, end in bounds])
        indices = self.order.indices(epoch, positions % n)
        picks: list[Picks] = []
        taken = 0
        for begin, end in bounds:
            mine = slice(taken, taken + end - begin)
            picks.append(Picks(positions[mine], indices[mine], max(0, min(n, end) - begin)))
            taken = mine.stop
        return picks

    def _bounds(self, number: int, start: int) -> tuple[int, int]:
        """Return where the rank's part of a batch of all ranks begins and ends in the order."""
        whole = self.batch_size * self.n_ranks
        begin = start + number * whole
        if self.last_batch == "keep":
            whole = min(whole, self.order.n - begin)
        return begin + whole * self.rank // self.n_ranks, begin + whole * (self.rank + 1) // self.n_ranks
