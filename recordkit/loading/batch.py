"""The batch that a loader yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.sample import label_text
from recordkit.errors import plural


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
        return describe_batch(self)

    def _repr_html_(self) -> str:
        """Return the first images as HTML, for notebooks."""
        from recordkit.dataset.notebook.sheet import N_SHOWN, show_batch

        return show_batch(repr(self), self.data[:N_SHOWN], batch_captions(self, N_SHOWN), len(self))


def describe_batch(batch: Any) -> str:
    """Return shapes, dtypes and the first labels and keys of a batch of arrays or tensors in one line."""
    n, label = len(batch.data), batch.label
    is_list = isinstance(label, list)
    labels = ", ".join(f"({label_text(each)})" for each in label[:3]) if is_list else label_text(label, 6)
    shape = "of any number" if is_list else _shape(label)
    padding = f", {n - batch.n_valid} of them padding" if batch.n_valid < n else ""
    return (
        f"<Batch of {plural(n, 'sample')}{padding}: data {_shape(batch.data)}, label {shape}: {labels}; "
        f"keys {label_text(batch.key, 6)}>"
    )


def _shape(array: Any) -> str:
    return f"{str(array.dtype).removeprefix('torch.')} {tuple(array.shape)}"


def batch_captions(batch: Any, n: int) -> list[str]:
    """Return key and label of each of the first samples of a batch of arrays or tensors."""
    pairs = zip(batch.key[:n].tolist(), batch.label[:n], range(n), strict=False)
    return [f"{key}: {label_text(label)}" + (" (padding)" if row >= batch.n_valid else "") for key, label, row in pairs]
