"""Which samples of a dataset to look at, if there are too many.

They are spread over the labels: of each label one sample, then a second one of each, and so on, drawn by a seed. So a
sheet of 100 images of 10 classes has 10 of each, and a rare class is seen. Only headers of records are read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.keys import ranks
from recordkit.sampling.permutation import Permutation
from recordkit.upkeep.selection.table import SampleTable

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
    labels = SampleTable(dataset).first_labels()
    if len(rows) > n:
        rows = rows[_spread(labels[rows], n, seed)]
    return rows[np.lexsort((rows, labels[rows]))]


def _spread(labels: _Labels, n: int, seed: int) -> NDArray[np.int64]:
    """Return positions of the first samples of each label, in a drawn order, then of the second ones, and so on."""
    drawn = Permutation(len(labels), seed=seed, epoch=0).permute(np.arange(len(labels)))
    # NaN differs from NaN, so each such sample counts as a label of its own.
    chosen: NDArray[np.int64] = drawn[np.argsort(ranks(labels[drawn]), kind="stable")[:n]]
    return chosen
