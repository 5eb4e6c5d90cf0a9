"""The batch that a loader yields."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Batch:
    """Samples as arrays. The caller may keep and change them: their memory is not reused while a reference exists.

    Attributes
    ----------
    data : ndarray, shape (B, H, W, C) or (B, C, H, W)
        uint8, float16 or float32, as the loader's `dtype` and `layout` say.
    label : ndarray, shape (B,) or (B, w)
        float32; int64 if the dataset has exact labels.
    key : ndarray of uint64, shape (B,)
    index : ndarray of int64, shape (B,)
        Index of each sample in the dataset.
    n_valid : int, 0 to B
        Number of samples that are not padding; they come first.
    """

    __slots__ = ("data", "index", "key", "label", "n_valid")

    def __init__(
        self, data: NDArray[Any], label: NDArray[Any], key: NDArray[np.uint64], index: NDArray[np.int64], n_valid: int
    ) -> None:
        self.data = data
        self.label = label
        self.key = key
        self.index = index
        self.n_valid = n_valid

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"<Batch of {self.data.dtype} {self.data.shape}, {self.n_valid} valid>"
