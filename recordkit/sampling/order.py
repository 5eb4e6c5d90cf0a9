"""In what order an epoch visits the samples: small value objects that take no memory, but for weights.

An order has `n` positions. What stands at a position depends on seed, epoch and position alone: not on threads,
batches, ranks or what was read before. Its ``repr`` says all of it, so that a saved state can tell one from another.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recordkit.errors import PlanError
from recordkit.sampling.permutation import MAX_N, permutation
from recordkit.transforms.draws import ORDER, Draws, philox

_MAX_SEED = 2**64 - 1
_32_BITS = 0xFFFFFFFF


class Order(ABC):
    """What a `Sampler` asks of an order.

    Attributes
    ----------
    n : int, 1 to `MAX_N`
        Positions of an epoch.
    """

    n: int

    @property
    def n_samples(self) -> int:
        """Number of samples that the order is of."""
        return self.n

    @abstractmethod
    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the samples at some positions.

        Parameters
        ----------
        epoch : int, 0 to 2**32 - 1
        positions : int64 array (m,) of 0 to n - 1

        Returns
        -------
        indices : int64 array (m,) of 0 to n_samples - 1
        """


@dataclass(frozen=True)
class Sequential(Order):
    """The samples as they are stored.

    Parameters
    ----------
    n : int, 1 to `MAX_N`

    Raises
    ------
    PlanError
        `n` is out of range.

    Examples
    --------
    >>> Sequential(10).indices(0, np.array([3, 4]))
    array([3, 4])
    """

    n: int

    def __post_init__(self) -> None:
        _keep(self, n=(1, MAX_N))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        return positions


@dataclass(frozen=True)
class Shuffled(Order):
    """The samples in random order, another one each epoch; see `recordkit.sampling.permutation`.

    Parameters
    ----------
    n : int, 1 to `MAX_N`
    seed : int, 0 to 2**64 - 1, default 0

    Raises
    ------
    PlanError
        `n` or `seed` is out of range.

    Examples
    --------
    >>> Shuffled(10).indices(0, np.arange(10))
    array([1, 0, 2, 7, 9, 3, 5, 4, 6, 8])
    """

    n: int
    seed: int = 0

    def __post_init__(self) -> None:
        _keep(self, n=(1, MAX_N), seed=(0, _MAX_SEED))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        return permutation(self.n, self.seed, epoch).permute(positions)


@dataclass(frozen=True)
class Pages(Order):
    """Pages of consecutive samples in random order, and the samples of a few pages at a time in random order.

    For disks on which a seek costs more than reading a page: they read `page` samples at once, and what is drawn from
    are the `window` pages last read. `recordkit.sampling.shuffle_quality` measures how much worse than a full shuffle
    that is.

    Where the pages begin moves by a random number of samples each epoch, around the end of the data: so no two samples
    share a page for ever, and those of the incomplete page, which is always the last, are others each time.

    Parameters
    ----------
    n : int, 1 to `MAX_N`
    seed : int, 0 to 2**64 - 1, default 0
    page : int, at least 1, default 64
        Samples in a page: 64 photographs of 256 pixels are about a megabyte.
    window : int, at least 1, default 64
        Pages that are drawn from at a time.

    Raises
    ------
    PlanError
        A number is out of range.

    Examples
    --------
    >>> Pages(12, page=2, window=3).indices(0, np.arange(12))
    array([ 6,  7,  8,  1,  2,  5,  9, 10,  4, 11,  3,  0])
    """

    n: int
    seed: int = 0
    page: int = 64
    window: int = 64

    def __post_init__(self) -> None:
        _keep(self, n=(1, MAX_N), seed=(0, _MAX_SEED), page=(1, MAX_N))
        _keep(self, window=(1, MAX_N // self.page))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        # Streams of this order: 0 the pages, 1 where they begin, from 2 on the windows.
        span = self.page * self.window
        windows = positions // span
        places = np.empty_like(positions)
        for window in np.unique(windows).tolist():
            begin = window * span
            inside = windows == window
            within = permutation(min(span, self.n - begin), self.seed, epoch, 2 + window)
            places[inside] = begin + within.permute(positions[inside] - begin)
        pages, rest = np.divmod(places, self.page)
        n_whole = self.n // self.page
        whole = pages < n_whole
        if n_whole:
            pages[whole] = permutation(n_whole, self.seed, epoch).permute(pages[whole])
        draws = Draws(seed=self.seed, epoch=epoch, position=1, transform=ORDER)
        moved = (draws.word() << 32 | draws.word()) % self.n
        return (pages * self.page + rest + moved) % self.n


class Weighted(Order):
    """Samples drawn with replacement, each as often as its weight says.

    The draw at a position is the sample at which the running sum of the weights, divided by their total, first exceeds
    a random number of 53 bits: the upper ones of the first two words of a Philox block.

    Parameters
    ----------
    weights : array_like of float (m,), at least 0, not all 0
        Of each sample, in any unit.
    seed : int, 0 to 2**64 - 1, default 0
    n : int, 1 to `MAX_N`, optional
        Draws in an epoch; as many as there are samples by default.

    Raises
    ------
    PlanError
        A weight or a number is out of range.

    Notes
    -----
    8 bytes a sample are kept.

    Examples
    --------
    >>> Weighted([1, 0, 3], n=10).indices(0, np.arange(10))
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 0])
    """

    def __init__(self, weights: ArrayLike, *, seed: int = 0, n: int | None = None) -> None:
        array = np.asarray(weights, np.float64)
        if array.ndim != 1:
            raise PlanError(f"weights: expected one of each sample, got an array {array.shape}")
        sums = np.cumsum(array)
        if not (array.size and np.min(array) >= 0 and 0 < sums[-1] < np.inf):
            raise PlanError("weights: expected numbers of at least 0, not all of them 0, with a finite sum")
        self.n = len(array) if n is None else n
        self.seed = seed
        _keep(self, n=(1, MAX_N), seed=(0, _MAX_SEED))
        self._sums = sums / sums[-1]  # ends with exactly 1, which no random number reaches

    @classmethod
    def balanced(cls, labels: ArrayLike, *, seed: int = 0, n: int | None = None) -> Weighted:
        """Return the order in which each class comes equally often, and each sample of a class.

        Parameters
        ----------
        labels : array_like (m,)
            The class of each sample: anything that can be told apart.
        seed, n : int
            As above.

        Raises
        ------
        PlanError
            `labels` is not one label a sample, or a number is out of range.

        Examples
        --------
        >>> Weighted.balanced([7, 7, 7, 2], n=10).indices(0, np.arange(10))
        array([1, 3, 3, 3, 3, 3, 3, 2, 3, 0])
        """
        array = np.asarray(labels)
        if array.ndim != 1:
            raise PlanError(f"labels: expected one of each sample, got an array {array.shape}; choose a column")
        _, classes, counts = np.unique(array, return_inverse=True, return_counts=True)
        return cls(1 / counts[classes], seed=seed, n=n)

    @property
    def n_samples(self) -> int:
        """See `Order.n_samples`."""
        return len(self._sums)

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        places = positions.astype(np.uint64)
        counter = (
            places & _32_BITS,
            places >> 32,
            np.full_like(places, epoch),
            np.full_like(places, ORDER << 16),
        )
        high, low, _, _ = philox(counter, (self.seed & _32_BITS, self.seed >> 32))
        random = ((high << 32 | low) >> 11) * 2.0**-53
        found: NDArray[np.int64] = self._sums.searchsorted(random, side="right")
        return found

    def __repr__(self) -> str:
        return f"Weighted(n={self.n}, seed={self.seed}, weights={zlib.crc32(self._sums.tobytes()):08x})"


def _keep(order: Order, **limits: tuple[int, int]) -> None:
    """Check numbers of an order, and make them Python's, whose ``repr`` is the same everywhere."""
    for name, (least, most) in limits.items():
        value = getattr(order, name)
        if not (isinstance(value, Integral) and least <= int(value) <= most):
            raise PlanError(f"{name}: expected {least} to {most}, got {value!r}")
        object.__setattr__(order, name, int(value))
