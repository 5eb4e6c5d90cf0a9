"""Arguments that take one value or several."""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Number
from typing import Any

import numpy as np


def one_or_more(values: Any) -> list[Any]:
    """Return the values of an argument: a text, a path or a number is one value, and of others each item is one.

    Examples
    --------
    >>> one_or_more("a.rec"), one_or_more(3), one_or_more(["a.rec", "b.rec"]), one_or_more(np.arange(2))
    (['a.rec'], [3], ['a.rec', 'b.rec'], [0, 1])
    """
    if isinstance(values, np.ndarray):
        values = values.tolist()
    is_one = isinstance(values, str | os.PathLike | Number) or not isinstance(values, Iterable)
    return [values] if is_one else list(values)
