"""The batch that a loader yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Batch:
    """Samples as arrays. The caller may keep and change them: their memory is not reused while a reference exists.

    A batch unpacks to two, ``data, label = batch``, which are ``batch[0]`` and ``batch[1]`` too.

    Attributes
    ----------
    data : ndarray, shape (B, H, W, C) or (B, C, H, W)
        uint8, float16 or float32, as the loader's `dtype` and `layout` say.
    label : ndarray, shape (B,) or (B, w), or list of B arrays, shape (w_i,)
        float32 or int64, as the loader's `label_dtype` says; a list if its `label` is "list".
    key : ndarray of uint64, shape (B,)
    index : ndarray of int64, shape (B,)
        Index of each sample in the dataset.
    n_valid : int, 0 to B
        Number of samples that are not padding; they come first.
    n_labels : ndarray of int64, shape (B,), or None
        Number of labels of each sample; None unless the loader's `label` is "pad" or "list".
    """

    __slots__ = ("data", "index", "key", "label", "n_labels", "n_valid")

    def __init__(
        self,
        data: NDArray[Any],
        label: Any,
        key: NDArray[np.uint64],
        index: NDArray[np.int64],
        n_valid: int,
        n_labels: NDArray[np.int64] | None = None,
    ) -> None:
        self.data = data
        self.label = label
        self.key = key
        self.index = index
        self.n_valid = n_valid
        self.n_labels = n_labels

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Any]:
        yield self.data
        yield self.label

    def __getitem__(self, number: int) -> Any:
        """Return the data for 0 and the label for 1, as of a pair."""
        return (self.data, self.label)[number]

    def __repr__(self) -> str:
        return f"<Batch of {self.data.dtype} {self.data.shape}, {self.n_valid} valid>"
