"""What a loader gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples as arrays, which are the caller's own for as long as they are kept.

    Attributes
    ----------
    data : ndarray, shape (B, H, W, C) or (B, C, H, W)
        uint8, float16 or float32, as the loader was asked for.
    label : ndarray, shape (B,) or (B, w)
        float32; int64 where the dataset has exact labels.
    key : ndarray of uint64, shape (B,)
    valid : int
        How many samples, from the first on, are not there only to fill the batch up.
    index : ndarray of int64, shape (B,)
        Positions in the dataset.
    """

    data: NDArray[Any]
    label: NDArray[Any]
    key: NDArray[np.uint64]
    valid: int
    index: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.data)
