"""Whole numbers in the proportion of some ratios: of all records, and of the records of each label.

The counts of the parts are by the largest remainder: each share is rounded down, and the parts with the largest
remainders get one more. With labels there is a table, a row for each label and a column for each part:

- a row adds up to the number of records with the label, and a column to the count of the part;
- each entry is the exact share, rounded down or up.

Such a table always exists. The entries that are rounded up are first drawn at random for each row, with the remainders
as probabilities. Then some move along a row, from parts that have too many to parts that have too few. If no single
label allows such a move, a chain of moves over other parts does (these are augmenting paths in a network of the parts).

All numbers are integers: a ratio is a whole number of parts of `WholeRatios.total`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from fractions import Fraction
from numbers import Real
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError
from recordkit.sampling.permutation import Permutation

_Counts = NDArray[np.int64]
# Ratios are rounded to multiples of 1 / _MAX_TOTAL if they have no smaller common denominator.
_MAX_TOTAL = 1_000_000


class WholeRatios(NamedTuple):
    """Ratios as whole numbers.

    Attributes
    ----------
    numbers : ndarray of int64, shape (p,)
        The ratio of part i is ``numbers[i] / total``.
    total : int
    """

    numbers: _Counts
    total: int


def shares_of(ratios: Mapping[str, float | Fraction]) -> WholeRatios:
    """Return ratios as whole numbers.

    Parameters
    ----------
    ratios : mapping of str to float or Fraction
        More than 0 each; they are divided by their sum. A float means its shortest decimal fraction.

    Raises
    ------
    PlanError

    Examples
    --------
    >>> shares_of({"train": 0.8, "val": 0.1, "test": 0.1})
    WholeRatios(numbers=array([8, 1, 1]), total=10)
    """
    if texts := [f"{name}={ratio!r}" for name, ratio in ratios.items() if not isinstance(ratio, Real)]:
        raise PlanError(argument="ratios", expected="numbers", got=", ".join(texts))
    if not all(0 < ratio < math.inf for ratio in ratios.values()):
        got = ", ".join(f"{name}={_float(ratio):g}" for name, ratio in ratios.items())
        raise PlanError(argument="ratios", expected="ratios of more than 0", got=got)
    fractions = [ratio if isinstance(ratio, Fraction) else Fraction(repr(float(ratio))) for ratio in ratios.values()]
    whole = sum(fractions, Fraction(0))
    fractions = [fraction / whole for fraction in fractions]
    total = math.lcm(*(fraction.denominator for fraction in fractions))
    if total <= _MAX_TOTAL:
        return WholeRatios(np.array([int(fraction * total) for fraction in fractions], np.int64), total)
    parts = [fraction * _MAX_TOTAL for fraction in fractions]
    numbers = np.array([int(part) for part in parts], np.int64)
    order = sorted(range(len(parts)), key=lambda n: int(numbers[n]) - parts[n])
    numbers[order[: _MAX_TOTAL - int(np.sum(numbers))]] += 1
    return WholeRatios(numbers, _MAX_TOTAL)


def _float(ratio: float | Fraction) -> float:
    """Return a ratio as float, infinite if float cannot hold it."""
    try:
        return float(ratio)
    except OverflowError:
        return math.inf if ratio > 0 else -math.inf


def count_parts(n: int, shares: WholeRatios) -> _Counts:
    """Return the number of records of each part, by the largest remainder; int64, shape (p,).

    Examples
    --------
    >>> count_parts(11, shares_of({"train": 0.8, "val": 0.1, "test": 0.1}))
    array([9, 1, 1])
    """
    counts = n * shares.numbers // shares.total
    remainders = n * shares.numbers % shares.total
    counts[np.argsort(-remainders, kind="stable")[: n - int(np.sum(counts))]] += 1
    return counts


def count_table(sizes: _Counts, shares: WholeRatios, *, seed: int) -> _Counts:
    """Return the number of records of each label in each part.

    Parameters
    ----------
    sizes : ndarray of int64, shape (c,)
        Number of records of each label.
    shares : WholeRatios
    seed : int

    Returns
    -------
    table : ndarray of int64, shape (c, p)

    Examples
    --------
    >>> table = count_table(np.array([5, 5, 4]), shares_of({"train": 0.5, "val": 0.5}), seed=0)
    >>> table.sum(axis=0), table.sum(axis=1)
    (array([7, 7]), array([5, 5, 4]))
    """
    products = sizes[:, None] * shares.numbers
    table, remainders = products // shares.total, products % shares.total
    is_up = _draw(remainders, shares.total, seed)
    targets = count_parts(int(np.sum(sizes)), shares) - np.sum(table, axis=0)
    _balance(is_up, remainders > 0, targets)
    counts: _Counts = table + is_up
    return counts


def _draw(remainders: _Counts, total: int, seed: int) -> NDArray[np.bool_]:
    """Draw the entries that are rounded up: in each row as many as the remainders add up to."""
    n = len(remainders)
    # Evenly spread numbers in random order, so that the columns come near their sums.
    places = Permutation(n, seed=seed, epoch=0, stream=1).permute_all() * total // n
    ends = np.cumsum(remainders, axis=1) + places[:, None]
    begins = ends - remainders
    is_up: NDArray[np.bool_] = ends // total > begins // total
    return is_up


def _balance(is_up: NDArray[np.bool_], may_be_up: NDArray[np.bool_], targets: _Counts) -> None:
    """Move entries along their rows until each column has its target."""
    while (surplus := np.sum(is_up, axis=0) - targets).any():
        path = _find_path(is_up, may_be_up, surplus)
        moves = [np.flatnonzero(_movable(is_up, may_be_up, *step)) for step in itertools.pairwise(path)]
        n = min(surplus[path[0]], -surplus[path[-1]], *map(len, moves))
        for begin, end, rows in zip(path, path[1:], moves, strict=False):
            is_up[rows[:n], begin] = False
            is_up[rows[:n], end] = True


def _movable(is_up: NDArray[np.bool_], may_be_up: NDArray[np.bool_], begin: int, end: int) -> NDArray[np.bool_]:
    """Return the rows in which the entry that is rounded up can move from a column to another one."""
    rows: NDArray[np.bool_] = is_up[:, begin] & may_be_up[:, end] & ~is_up[:, end]
    return rows


def _find_path(is_up: NDArray[np.bool_], may_be_up: NDArray[np.bool_], surplus: _Counts) -> list[int]:
    """Return the shortest chain of columns from one with too many entries to one with too few."""
    paths = [[int(column)] for column in np.flatnonzero(surplus > 0)]
    seen = {path[0] for path in paths}
    for path in paths:  # grows while it is read
        if surplus[path[-1]] < 0:
            return path
        for column in range(len(surplus)):
            if column not in seen and _movable(is_up, may_be_up, path[-1], column).any():
                seen.add(column)
                paths.append([*path, column])
    raise AssertionError("a table with these sums exists, so there is a path")
