"""What the arguments of a transform must be. Every check names the argument, what was expected and what came."""

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
        It is neither a whole number from 1 on nor two of them.

    Examples
    --------
    >>> height_and_width("size", 224), height_and_width("size", (480, 640))
    ((224, 224), (480, 640))
    """
    sides = size if isinstance(size, Sequence) else (size, size)
    pixels = [int(side) for side in sides if isinstance(side, Integral)]
    if len(sides) == len(pixels) == 2 and min(pixels) >= 1:
        return pixels[0], pixels[1]
    raise PlanError(f"{name}: expected a number of pixels, at least 1, or (height, width), got {size!r}")


def whole(name: str, value: int, low: int, high: int | None = None) -> None:
    """Refuse what is not a whole number in a range; both ends belong to it.

    Raises
    ------
    PlanError
    """
    if not isinstance(value, Integral) or value < low or (high is not None and value > high):
        expected = f"at least {low}" if high is None else f"{low} to {high}"
        raise PlanError(f"{name}: expected a whole number, {expected}, got {value!r}")


def number(name: str, value: float, low: float, high: float) -> None:
    """Refuse what is not a number in a range; both ends belong to it.

    Raises
    ------
    PlanError
    """
    if not isinstance(value, Real) or not low <= value <= high:  # no comparison is true of NaN
        raise PlanError(f"{name}: expected a number from {low:g} to {high:g}, got {value!r}")


def span(name: str, pair: Sequence[float], high: float = math.inf) -> None:
    """Refuse what is not two numbers above 0 in ascending order, at most `high`.

    Raises
    ------
    PlanError
    """
    are_numbers = isinstance(pair, Sequence) and len(pair) == 2 and all(isinstance(end, Real) for end in pair)
    if not are_numbers or not 0 < pair[0] <= pair[1] <= high or math.isinf(pair[1]):
        limit = "" if math.isinf(high) else f" <= {high:g}"
        raise PlanError(f"{name}: expected (low, high) with 0 < low <= high{limit}, got {pair!r}")
