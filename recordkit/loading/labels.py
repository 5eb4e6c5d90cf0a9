"""The labels of a batch: whole numbers or fractions, one array or as many numbers as each sample has.

The type is decided once for a dataset, by `recordkit.loading.probe`, so that all batches have the same. A later label
that is not a whole number is an error, never a rounded number; so is an exact label that float32 would round.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError
from recordkit.loading.engine import sample_location
from recordkit.loading.probe import LabelFormat, are_whole

PADDING = -1
"""The number behind the labels of a sample that has fewer than another one of its batch."""

Label = NDArray[Any] | list[NDArray[Any]]


class BatchLabels(NamedTuple):
    """The labels of a batch, and how many each sample has.

    Attributes
    ----------
    label : ndarray of float32 or int64, shape (B,) or (B, w), or list of B such arrays, shape (w_i,)
    n_labels : ndarray of int64, shape (B,), or None
        None if all samples of the dataset have as many.
    """

    label: Label
    n_labels: NDArray[np.int64] | None


class LabelReader:
    """Makes the labels of batches.

    Parameters
    ----------
    dataset : RecordDataset
    label_format : LabelFormat

    Attributes
    ----------
    n_columns : int
        See `LabelFormat`.

    Examples
    --------
    >>> import recordkit as rk, tempfile
    >>> from recordkit.loading.probe import find_label_format
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/boxes"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([[7], [8, 2, 3]]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> dataset = rk.RecordDataset(prefix)
    >>> reader = LabelReader(dataset, find_label_format(dataset, form="pad", dtype="auto"))
    >>> label, n_labels = reader.read(np.empty((2, 0), np.float32), np.arange(2))
    >>> label.tolist(), n_labels.tolist()
    ([[7, -1, -1], [8, 2, 3]], [1, 3])
    """

    def __init__(self, dataset: RecordDataset, label_format: LabelFormat) -> None:
        self._dataset = dataset
        self._form, dtype, self.n_columns = label_format
        self._dtype = np.dtype(dtype)

    def read(self, rows: NDArray[np.float32], indices: NDArray[np.int64]) -> BatchLabels:
        """Return the labels of samples.

        Parameters
        ----------
        rows : ndarray of float32, shape (m, n_columns)
            The labels that the engine has read.
        indices : ndarray of int64, shape (m,)

        Raises
        ------
        PlanError
            A label is not a whole number, but they are to be int64; or float32 would change it.
        """
        if self._form == "array":
            exact_labels = self._dataset.exact_labels(indices)
            label = rows if exact_labels is None else exact_labels.reshape(rows.shape)
            if label.dtype != self._dtype:
                bounds = np.arange(len(indices) + 1, dtype=np.uint64) * np.uint64(self.n_columns)
                label = self._converted(label, bounds, indices)
            return BatchLabels(label[:, 0] if self.n_columns == 1 else label, None)
        values, bounds = self._dataset.labels_at(indices)
        values = self._converted(values, bounds, indices)
        n_labels = np.diff(bounds).astype(np.int64)
        if self._form == "list":
            return BatchLabels(np.split(values, bounds[1:-1].astype(np.int64)) if len(indices) else [], n_labels)
        padded = np.full((len(indices), max(n_labels.tolist(), default=0)), PADDING, values.dtype)
        padded[np.arange(padded.shape[1]) < n_labels[:, None]] = values
        return BatchLabels(padded, n_labels)

    def _converted(self, label: NDArray[Any], bounds: NDArray[np.uint64], indices: NDArray[np.int64]) -> NDArray[Any]:
        """Return the labels with the type of all batches; those of sample i are numbers ``bounds[i]`` and following."""
        if label.dtype == self._dtype:
            return label
        if self._dtype == "float32":
            fits = label.astype(np.float32).astype(np.int64) == label  # exact labels, which are int64
            expected, advice = "labels that float32 holds exactly", "give `label_dtype=int64`"
        else:
            fits = are_whole(label)
            expected, advice = "labels that are whole numbers, as the first ones are", "give `label_dtype=float32`"
        if not fits.all():
            number = int(np.argmin(fits))
            row = int(np.searchsorted(bounds, number, side="right")) - 1
            key, path = sample_location(self._dataset, int(indices[row]))
            raise PlanError(
                argument="label_dtype",
                path=str(path),
                key=key,
                expected=expected,
                got=label.ravel()[number],
                advice=advice,
            )
        return label.astype(self._dtype)
