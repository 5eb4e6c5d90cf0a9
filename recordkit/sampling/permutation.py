"""A random permutation of 0 to n - 1 that is computed, not stored, in O(1) memory.

It is a Feistel network over pairs of digits, with cycle walking::

    position = high * b + low        0 <= high < a, 0 <= low < b; a = ceil(sqrt(n)), b = ceil(n / a)

    round 0, 2, 4, 6:  high = (high + F(low, key)) mod a        round 1, 3, 5, 7:  low = (low + F(high, key)) mod b

    index = high * b + low           if index >= n: apply the network again

A round can be undone by a subtraction, so the network is a permutation of 0 to a * b - 1. a * b exceeds n by less than
sqrt(n) + 1, so few results are n or more; applying the network to them again until they are below n ("cycle walking")
gives a permutation of 0 to n - 1. All arithmetic is on 64-bit integers, so the result is the same on every machine.

Round function F: the upper 32 bits of fmix64(digit ^ key), the 64-bit finaliser of MurmurHash3, scaled to the range of
the other digit. Two of its five steps are left out: the first, ``h ^= h >> 33``, only changes the key, because a digit
has fewer than 33 bits, and the last does not change the upper bits. The keys are words of Philox.

Sources: A. Appleby, MurmurHash3 (2011), public domain; J. Black and P. Rogaway, Ciphers with Arbitrary Finite Domains
(2002), for digits of two ranges and cycle walking.
"""

from __future__ import annotations

from functools import lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.transforms.draws import ORDER, Draws

MAX_N = 2**48
"""Largest n. A digit then has at most 24 bits, and scaling 32 random bits to it has a bias of at most 1 in 256."""

# Even, so that both digits change equally often. A test compared pairs of positions, for 5,000 seeds, with a true
# shuffle. 8 rounds showed no difference for n >= 10 (almost none for n >= 7) and 6 rounds none for n >= 30; 4 rounds
# showed one at n = 30.
_ROUNDS = 8


# Positions that are permuted at a time; their arrays stay in the cache of a core.
_BLOCK_SIZE = 1 << 14


def _number(value: int) -> NDArray[np.uint64]:
    """Return a 0-dimensional array, which NumPy handles faster than its scalars: 64 values in 2/3 of the time."""
    return np.array(value, np.uint64)


_MULTIPLIER_1, _MULTIPLIER_2 = _number(0xFF51AFD7ED558CCD), _number(0xC4CEB9FE1A85EC53)
_32, _33 = _number(32), _number(33)


class Permutation:
    """One permutation of 0 to n - 1.

    Parameters
    ----------
    n : int, 1 to `MAX_N`
    seed : int, 0 to 2**64 - 1
    epoch : int, 0 to 2**32 - 1
    stream : int, 0 to 2**64 - 1, default 0
        Number of the permutation, if one epoch needs several.

    Raises
    ------
    PlanError
        `n` is out of range.

    Examples
    --------
    >>> permutation = Permutation(10**12, seed=0, epoch=0)
    >>> permutation.permute(np.arange(3))
    array([594774981039, 640478166077, 752097346761])
    """

    def __init__(self, n: int, *, seed: int, epoch: int, stream: int = 0) -> None:
        if not 1 <= n <= MAX_N:
            raise PlanError(argument="n", expected=f"1 to {MAX_N} samples", got=n)
        draws = Draws(seed=seed, epoch=epoch, position=stream, transform=ORDER)
        n_high = isqrt(n - 1) + 1
        n_low = -(-n // n_high)
        self._n = _number(n)
        self._n_low = _number(n_low)
        # Key, and number of values of the digit that the round changes.
        self._rounds = [
            (_number(draws.word() << 32 | draws.word()), _number((n_high, n_low)[number % 2]))
            for number in range(_ROUNDS)
        ]

    def permute(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices at some positions.

        Parameters
        ----------
        positions : ndarray of int64, shape (m,)
            Values from 0 to n - 1.

        Returns
        -------
        indices : ndarray of int64, shape (m,)
        """
        indices = self._network(positions.astype(np.uint64))
        too_large = np.flatnonzero(indices >= self._n)
        while too_large.size:
            walked = self._network(indices[too_large])
            indices[too_large] = walked
            too_large = too_large[walked >= self._n]
        return indices.view(np.int64)

    def permute_all(self) -> NDArray[np.int64]:
        """Return the indices at all positions, shape (n,). It takes 8 bytes of memory per position, and few others.

        Examples
        --------
        >>> Permutation(6, seed=1, epoch=0).permute_all()
        array([4, 5, 0, 3, 1, 2])
        """
        n = int(self._n)
        indices = np.empty(n, np.int64)
        for begin in range(0, n, _BLOCK_SIZE):
            end = min(begin + _BLOCK_SIZE, n)
            indices[begin:end] = self.permute(np.arange(begin, end))
        return indices

    def _network(self, positions: NDArray[np.uint64]) -> NDArray[np.uint64]:
        target: NDArray[np.uint64] = positions // self._n_low  # the digit that the round changes
        source: NDArray[np.uint64] = positions - target * self._n_low  # the digit that it reads
        mixed, shifted = np.empty_like(positions), np.empty_like(positions)
        for key, n_values in self._rounds:
            np.bitwise_xor(source, key, out=mixed)
            np.multiply(mixed, _MULTIPLIER_1, out=mixed)
            np.right_shift(mixed, _33, out=shifted)
            np.bitwise_xor(mixed, shifted, out=mixed)
            np.multiply(mixed, _MULTIPLIER_2, out=mixed)
            # Scale 32 random bits to 0 ... n_values - 1, without a division.
            np.right_shift(mixed, _32, out=mixed)
            np.multiply(mixed, n_values, out=mixed)
            np.right_shift(mixed, _32, out=mixed)
            # Sum modulo n_values: if the sum is smaller, the subtraction wraps to a huge number and minimum drops it.
            np.add(target, mixed, out=target)
            np.subtract(target, n_values, out=mixed)
            np.minimum(target, mixed, out=target)
            target, source = source, target
        np.multiply(target, self._n_low, out=target)
        return np.add(target, source, out=target)


@lru_cache(maxsize=64)
def permutation(n: int, seed: int, epoch: int, stream: int = 0) -> Permutation:
    """Return a `Permutation` from a cache, because its keys take longer to compute than a small batch.

    Examples
    --------
    >>> permutation(10, 0, 0) is permutation(10, 0, 0)
    True
    """
    return Permutation(n, seed=seed, epoch=epoch, stream=stream)
