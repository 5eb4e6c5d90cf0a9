"""Orders in which an epoch visits the samples: value objects that need no memory per sample, except for weights.

An order maps each of its `n` positions to the index of a sample. The index depends only on seed, epoch and position,
never on threads, batches, ranks or earlier reads. The ``repr`` of an order has all its parameters, so that a saved
state can be compared with it.

`recordkit.sampling.mix` has the order of several datasets, each with its part of an epoch.
`recordkit.sampling.sampler` divides an order into batches; `recordkit.sampling.permutation` has the random permutation.
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

MAX_SEED = 2**64 - 1
"""Largest seed of an order."""
_32_BITS = 0xFFFFFFFF


class Order(ABC):
    """The interface between an order and a `Sampler`.

    Attributes
    ----------
    n : int, 1 to `MAX_N`
        Number of positions in an epoch.
    """

    n: int

    @property
    def n_samples(self) -> int:
        """Number of samples in the dataset. It differs from `n` only if samples are drawn with replacement."""
        return self.n

    @abstractmethod
    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of the samples at some positions.

        Parameters
        ----------
        epoch : int, 0 to 2**32 - 1
        positions : ndarray of int64, shape (m,)
            Values from 0 to n - 1.

        Returns
        -------
        indices : ndarray of int64, shape (m,)
            Values from 0 to n_samples - 1.
        """


@dataclass(frozen=True)
class Sequential(Order):
    """The samples in stored order.

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
        check_ranges(self, n=(1, MAX_N))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        return positions


@dataclass(frozen=True)
class Shuffled(Order):
    """The samples in random order, a new one in each epoch; see `recordkit.sampling.permutation`.

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
        check_ranges(self, n=(1, MAX_N), seed=(0, MAX_SEED))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        return permutation(self.n, self.seed, epoch).permute(positions)


@dataclass(frozen=True)
class Pages(Order):
    """A two-level shuffle: first pages of consecutive samples are shuffled, then the samples in each window of pages.

    ::

        stored   | page 0 | page 1 | page 2 | page 3 | ...       `page` consecutive samples each
        pages    | page 2 | page 0 | page 3 | page 1 | ...       shuffled
        order    |     window 0    |     window 1    | ...       the samples of `window` pages, shuffled

    It suits disks on which a seek costs more than reading a page, because it reads whole pages.
    `recordkit.sampling.shuffle_quality` compares it with a full shuffle.

    In each epoch the start of page 0 moves by a random number of samples, and indices wrap around at n. So the same
    samples do not always share a page, and the incomplete page, which stays last, has other samples in each epoch.

    Parameters
    ----------
    n : int, 1 to `MAX_N`
    seed : int, 0 to 2**64 - 1, default 0
    page : int, at least 1, default 64
        Number of samples per page. 64 photographs of 256 pixels are about a megabyte.
    window : int, at least 1, default 64
        Number of pages per window.

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
        check_ranges(self, n=(1, MAX_N), seed=(0, MAX_SEED), page=(1, MAX_N))
        check_ranges(self, window=(1, MAX_N // self.page))

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        # Random streams: 0 for the order of the pages, 1 for the start of page 0, 2 + i for window i.
        window_samples = self.page * self.window
        windows = positions // window_samples
        shuffled = np.empty_like(positions)  # positions after the shuffle inside their windows
        for window in np.unique(windows).tolist():
            begin = window * window_samples
            in_window = windows == window
            samples = permutation(min(window_samples, self.n - begin), self.seed, epoch, 2 + window)
            shuffled[in_window] = begin + samples.permute(positions[in_window] - begin)
        pages, offsets_in_page = np.divmod(shuffled, self.page)
        n_whole_pages = self.n // self.page
        is_whole = pages < n_whole_pages
        if n_whole_pages:
            pages[is_whole] = permutation(n_whole_pages, self.seed, epoch).permute(pages[is_whole])
        draws = Draws(seed=self.seed, epoch=epoch, position=1, transform=ORDER)
        start = (draws.word() << 32 | draws.word()) % self.n
        return (pages * self.page + offsets_in_page + start) % self.n


class Weighted(Order):
    """Samples drawn with replacement, with probabilities proportional to their weights.

    Draws use inverse transform sampling: a position gets the first sample at which the cumulative sum of the weights,
    divided by their total, exceeds a random number from 0 to 1. The number has 53 bits: the upper bits of the first two
    words of the position's Philox block.

    Parameters
    ----------
    weights : array_like of float, shape (m,)
        Weight of each sample; any non-negative scale, not all 0.
    seed : int, 0 to 2**64 - 1, default 0
    n : int, 1 to `MAX_N`, optional
        Number of draws per epoch; m by default.

    Raises
    ------
    PlanError
        A weight or a number is out of range.

    Notes
    -----
    It keeps 8 bytes per sample in memory.

    Examples
    --------
    >>> Weighted([1, 0, 3], n=10).indices(0, np.arange(10))
    array([2, 2, 2, 2, 2, 2, 2, 2, 2, 0])
    """

    def __init__(self, weights: ArrayLike, *, seed: int = 0, n: int | None = None) -> None:
        array = np.asarray(weights, np.float64)
        if array.ndim != 1:
            raise PlanError(
                argument="weights", expected="one weight per sample", got=f"an array of shape {array.shape}"
            )
        sums = np.cumsum(array)
        if not (array.size and np.min(array) >= 0 and 0 < sums[-1] < np.inf):
            raise PlanError("expected numbers of at least 0, not all of them 0, with a finite sum", argument="weights")
        self.n = len(array) if n is None else n
        self.seed = seed
        check_ranges(self, n=(1, MAX_N), seed=(0, MAX_SEED))
        self._cumulative = sums / sums[-1]  # ends with exactly 1, which no random number reaches

    @classmethod
    def balanced(cls, labels: ArrayLike, *, seed: int = 0, n: int | None = None) -> Weighted:
        """Return an order that draws each class, and each sample of a class, with equal probability.

        Parameters
        ----------
        labels : array_like, shape (m,)
            Class of each sample, of any type that NumPy can compare.
        seed, n : int
            Parameters of `Weighted`.

        Raises
        ------
        PlanError
            `labels` does not have one label per sample, or a number is out of range.

        Examples
        --------
        >>> Weighted.balanced([7, 7, 7, 2], n=10).indices(0, np.arange(10))
        array([1, 3, 3, 3, 3, 3, 3, 2, 3, 0])
        """
        array = np.asarray(labels)
        if array.ndim != 1:
            raise PlanError(
                argument="labels",
                expected="one label per sample",
                got=f"an array of shape {array.shape}",
                advice="choose a column",
            )
        _, classes, counts = np.unique(array, return_inverse=True, return_counts=True)
        return cls(1 / counts[classes], seed=seed, n=n)

    @property
    def n_samples(self) -> int:
        """See `Order.n_samples`."""
        return len(self._cumulative)

    def indices(self, epoch: int, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """See `Order.indices`."""
        words = positions.astype(np.uint64)
        counter = (
            words & _32_BITS,
            words >> 32,
            np.full_like(words, epoch),
            np.full_like(words, ORDER << 16),
        )
        high, low, _, _ = philox(counter, (self.seed & _32_BITS, self.seed >> 32))
        random = ((high << 32 | low) >> 11) * 2.0**-53
        indices: NDArray[np.int64] = self._cumulative.searchsorted(random, side="right")
        return indices

    def __repr__(self) -> str:
        return f"Weighted(n={self.n}, seed={self.seed}, weights={zlib.crc32(self._cumulative.tobytes()):08x})"


def check_ranges(order: Order, **ranges: tuple[int, int]) -> None:
    """Check attributes of an order and convert them to int, whose ``repr`` is the same in every version of NumPy."""
    for name, (smallest, largest) in ranges.items():
        value = getattr(order, name)
        if not (isinstance(value, Integral) and smallest <= int(value) <= largest):
            raise PlanError(argument=name, expected=f"{smallest} to {largest}", got=repr(value))
        object.__setattr__(order, name, int(value))
