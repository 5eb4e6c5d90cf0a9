"""Which samples of a dataset to look at, if there are too many.

They are spread over the labels: of each label one sample, then a second one of each, and so on, drawn by a seed. So a
sheet of 100 images of 10 classes has 10 of each, and a rare class is seen. Only headers of records are read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.sampling.permutation import Permutation
from recordkit.upkeep.look.labels import first_labels

_Labels = NDArray[np.float32] | NDArray[np.int64]


def choose_samples(dataset: RecordDataset, rows: NDArray[np.int64], n: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Choose some of the samples at `rows`, and sort them by label and then by index.

    Parameters
    ----------
    dataset : RecordDataset
    rows : ndarray of int64, shape (m,)
        The samples to choose from.
    n : int, at least 1
        Most samples.
    seed : int, 0 to 2**64 - 1, default 0
        Another seed draws other samples.

    Returns
    -------
    chosen : ndarray of int64, shape (at most n,)

    Raises
    ------
    FormatError
        A record is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> prefix = tempfile.mkdtemp() + "/train"
    >>> with MXIndexedRecordIO(prefix + ".idx", prefix + ".rec", "w") as writer:
    ...     for key, label in enumerate([0, 0, 0, 0, 1]):
    ...         writer.write_idx(key, pack(IRHeader(0, label, key, 0), b"jpeg"))
    >>> with RecordDataset(prefix) as dataset:
    ...     choose_samples(dataset, np.arange(5), 2)
    array([1, 4])
    """
    labels = first_labels(dataset)
    if len(rows) > n:
        rows = rows[_spread(labels[rows], n, seed)]
    return rows[np.lexsort((rows, labels[rows]))]


def _spread(labels: _Labels, n: int, seed: int) -> NDArray[np.int64]:
    """Return positions of the first samples of each label, in a drawn order, then of the second ones, and so on."""
    drawn = Permutation(len(labels), seed=seed, epoch=0).permute(np.arange(len(labels)))
    by_label = drawn[np.argsort(labels[drawn], kind="stable")]  # labels together, each in the drawn order
    sorted_labels = labels[by_label]
    # NaN differs from NaN, so each such sample counts as a label of its own.
    starts = np.flatnonzero(np.r_[True, sorted_labels[1:] != sorted_labels[:-1]])
    rank = np.arange(len(labels)) - np.repeat(starts, np.diff(np.r_[starts, len(labels)]))
    position = np.empty(len(labels), np.int64)
    position[drawn] = np.arange(len(labels))
    chosen: NDArray[np.int64] = by_label[np.lexsort((position[by_label], rank))[:n]]
    return chosen
