"""Labels as texts of reports and messages."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

MAX_COUNTED = 1000
"""Most labels that reports count one by one. Nobody would read a longer table."""


def label_text(label: float) -> str:
    """Return a label as a text that no other label of a file has, with the fewest digits.

    Parameters
    ----------
    label : float or int
        A float is one of float32, as records have it, or another, as a caller gave it.

    Examples
    --------
    >>> label_text(3.0), label_text(2**53 + 1), label_text(0.10000000149011612), label_text(0.123456789)
    ('3', '9007199254740993', '0.1', '0.123456789')
    """
    if math.isfinite(label) and label == int(label):
        return str(int(label))
    rounded = np.float32(label)
    return str(rounded) if float(rounded) == label else str(float(label))


def named_label_text(label: float, names: Sequence[str]) -> str:
    """Return a label as a text, with its class names in parentheses if it has some.

    Examples
    --------
    >>> named_label_text(1.0, ["dog"]), named_label_text(2.0, ())
    ('1 (dog)', '2')
    """
    return f"{label_text(label)} ({', '.join(names)})" if names else label_text(label)
