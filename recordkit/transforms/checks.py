"""Checks of the arguments of transforms. Each raises a PlanError that names the argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from recordkit.errors import PlanError

Size = int | Sequence[int]
"""Pixels: one number for both sides, or (height, width)."""


def height_and_width(name: str, size: Size) -> tuple[int, int]:
    """Return both sides of a size.

    Raises
    ------
    PlanError
        `size` is neither a whole number of at least 1 nor two of them.

    Examples
    --------
    >>> height_and_width("size", 224), height_and_width("size", (480, 640))
    ((224, 224), (480, 640))
    """
    sides = size if isinstance(size, Sequence) else (size, size)
    pixels = [int(side) for side in sides if isinstance(side, Integral)]
    if len(sides) == len(pixels) == 2 and min(pixels) >= 1:
        return pixels[0], pixels[1]
    raise PlanError(argument=name, expected="a number of pixels, at least 1, or (height, width)", got=repr(size))


def whole_number(name: str, value: int, low: int, high: int | None = None) -> None:
    """Check that a value is a whole number from `low` to `high`, both ends included.

    Raises
    ------
    PlanError
    """
    if not isinstance(value, Integral) or value < low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"{low} to {high}"
        raise PlanError(argument=name, expected=f"a whole number, {limits}", got=repr(value))


def number(name: str, value: float, low: float, high: float) -> None:
    """Check that a value is a number from `low` to `high`, both ends included.

    Raises
    ------
    PlanError
    """
    if not isinstance(value, Real) or not low <= value <= high:  # every comparison with NaN is false
        raise PlanError(argument=name, expected=f"a number from {low:g} to {high:g}", got=repr(value))


def positive_range(name: str, pair: Sequence[float], high: float = math.inf) -> None:
    """Check that a pair is two finite numbers above 0 in ascending order, at most `high`.

    Raises
    ------
    PlanError
    """
    are_numbers = isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(end, Real) for end in pair)
    if not are_numbers or not 0 < pair[0] <= pair[1] <= high or math.isinf(pair[1]):
        limit = "" if math.isinf(high) else f" <= {high:g}"
        raise PlanError(argument=name, expected=f"(low, high) with 0 < low <= high{limit}", got=repr(pair))
