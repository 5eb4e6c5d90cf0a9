"""Arguments that may be written in several forms: one value or several, a type or its name."""

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


def dtype_name(value: Any) -> Any:
    """Return the name of a type of NumPy, JAX or PyTorch. Anything else is returned as it is, for its check to refuse.

    Examples
    --------
    >>> dtype_name(np.float32), dtype_name(np.dtype("int64")), dtype_name("auto"), dtype_name(None)
    ('float32', 'int64', 'auto', None)
    """
    if value is None or isinstance(value, str):
        return value
    if type(value).__module__ == "torch":
        return str(value).removeprefix("torch.")
    try:
        return np.dtype(value).name
    except TypeError:
        return value
