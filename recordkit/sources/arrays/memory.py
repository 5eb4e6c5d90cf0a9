"""Images and labels in memory, as a source of a pack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, plural
from recordkit.sources.arrays.source import ArraySource


class ArrayInMemory(NamedTuple):
    """An array in place of a file.

    Attributes
    ----------
    path : Path
        Its name in messages.
    array : ndarray
    """

    path: Path
    array: NDArray[Any]

    def read(self) -> NDArray[Any]:
        """Return the array."""
        return self.array


def array_source(arrays: Sequence[Any]) -> ArraySource:
    """Return images and labels in memory as a source; keys count from 0.

    Parameters
    ----------
    arrays : (ndarray of uint8, array-like of int)
        Images of shape (n, H, W) or (n, H, W, C) with C 1, 3 or 4, and labels of shape (n,) or (n, width).

    Raises
    ------
    PlanError
        It is not a pair.
    FormatError, SourceError
        An array has another type or rank, or the lengths differ.

    Examples
    --------
    >>> array_source((np.zeros((2, 28, 28), np.uint8), [7, 2])).labels([0, 1])
    [(7,), (2,)]
    """
    if len(arrays) != 2:
        raise PlanError(argument="source", expected="a pair (images, labels)", got=plural(len(arrays), "item"))
    images, labels = (
        ArrayInMemory(Path(name), np.asarray(array)) for name, array in zip(("images", "labels"), arrays, strict=True)
    )
    return ArraySource(images, labels)
