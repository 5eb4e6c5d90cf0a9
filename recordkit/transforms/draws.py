"""The random numbers that one transform draws for one sample.

The generator is Philox4x32-10 with the seed as key and the counter

    word 0, 1  position of the sample in its epoch, low and high half
    word 2     epoch
    word 3     number of the transform << 16 | number of the block

so that a draw depends on (seed, epoch, position, transform, number of earlier draws) and on nothing else: not on
threads, batches, ranks or engines. A block is four words, which are used in order. The order of an epoch is drawn in
the same way, with a number that no transform has.

Source: J. K. Salmon et al., Parallel Random Numbers: As Easy as 1, 2, 3 (2011); constants and rounds of Random123.
"""

from __future__ import annotations

from typing import Any, TypeVar

from numpy.typing import NDArray

ORDER = 0xFFFF
"""Transform number that the order of an epoch uses for its draws."""

_MASK = 0xFFFFFFFF

_Word = TypeVar("_Word", int, NDArray[Any])


def philox(counter: tuple[_Word, _Word, _Word, _Word], key: tuple[int, int]) -> tuple[_Word, _Word, _Word, _Word]:
    """Return one block of Philox4x32-10; if the words are arrays, one block for each element.

    Parameters
    ----------
    counter : tuple of 4 int, 0 to 2**32 - 1, or of 4 uint64 arrays of one shape
    key : tuple of 2 int, 0 to 2**32 - 1

    Returns
    -------
    block : tuple of 4 int, 0 to 2**32 - 1, or of 4 uint64 arrays

    Examples
    --------
    >>> [f"{word:08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    a, b, c, d = counter
    low, high = key
    for _ in range(10):
        first, second = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = (second >> 32) ^ b ^ low, second & _MASK, (first >> 32) ^ d ^ high, first & _MASK
        low, high = (low + 0x9E3779B9) & _MASK, (high + 0xBB67AE85) & _MASK
    return a, b, c, d


class Draws:
    """A stream of random numbers for one transform of one sample.

    Parameters
    ----------
    seed : int, 0 to 2**64 - 1
    epoch : int, 0 to 2**32 - 1
    position : int, 0 to 2**64 - 1
        Position of the sample in the order of the epoch, over all ranks.
    transform : int, 0 to 2**16 - 2
        Number of the transform in its list, counted from 0; the next number is `ORDER`.

    Examples
    --------
    >>> from recordkit.transforms import Draws
    >>> draws = Draws(seed=0, epoch=0, position=5, transform=1)
    >>> draws.below(6), draws.below(6), round(draws.uniform(10, 20), 3)
    (0, 4, 12.53)
    """

    def __init__(self, *, seed: int, epoch: int, position: int, transform: int) -> None:
        self._key = seed & _MASK, seed >> 32
        self._counter = position & _MASK, position >> 32, epoch, transform << 16
        self._n_drawn = 0
        self._block = (0, 0, 0, 0)

    def word(self) -> int:
        """Return the next 32 random bits."""
        block, lane = divmod(self._n_drawn, 4)
        if lane == 0:
            a, b, c, d = self._counter
            self._block = philox((a, b, c, d | block), self._key)
        self._n_drawn += 1
        return self._block[lane]

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """Return ``low + (high - low) * u``, where u is the next word / 2**32: at least `low`, below `high`."""
        return low + (high - low) * (self.word() * 2.0**-32)

    def below(self, n: int) -> int:
        """Return a whole number from 0 to n - 1, for n up to 2**32 - 1: ``next word * n >> 32``."""
        return self.word() * n >> 32
