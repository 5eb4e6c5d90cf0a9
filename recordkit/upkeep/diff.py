"""Differences between two datasets: keys, labels, images, order and class names.

Samples are compared by key. Where a key repeats, the first sample with it is compared with the first one of the other
dataset, the second with the second, and so on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import match
from recordkit.upkeep.comparison import Progress, labels_differ, same_payloads
from recordkit.upkeep.edit.inputs import Inputs, Labels, dataset_labels


@dataclass(frozen=True, eq=False)
class DiffReport:
    """The result of `diff`.

    Attributes
    ----------
    paths : tuple of (str, str)
        The two datasets, A and B.
    n_records : tuple of (int, int)
        Their numbers of samples.
    removed, added : ndarray of uint64, shape (k,)
        Keys of samples that only A has, or only B, in the order of the samples.
    labels, images : ndarray of uint64, shape (k,)
        Keys of samples with other labels, or with other encoded images.
    n_moved : int
        Number of samples of both that have another position among these in B than in A.
    classes : tuple of str
        Names of classes that one dataset does not have, or that have another label there.
    notes : tuple of str
        Facts that may matter, such as exact labels on one side only.

    Examples
    --------
    >>> none = np.empty(0, np.uint64)
    >>> report = DiffReport(("a", "b"), (1, 2), none, np.array([7], np.uint64), none, none, 0, (), ())
    >>> report.is_equal, report.as_json()["added"]
    (False, [7])
    """

    paths: tuple[str, str]
    n_records: tuple[int, int]
    removed: NDArray[np.uint64]
    added: NDArray[np.uint64]
    labels: NDArray[np.uint64]
    images: NDArray[np.uint64]
    n_moved: int
    classes: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def is_equal(self) -> bool:
        """True if nothing differs."""
        lists = (self.removed, self.added, self.labels, self.images, self.classes)
        return not self.n_moved and not any(len(each) for each in lists)

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return {
            "equal": self.is_equal,
            "paths": list(self.paths),
            "n_records": list(self.n_records),
            "removed": self.removed.tolist(),
            "added": self.added.tolist(),
            "labels": self.labels.tolist(),
            "images": self.images.tolist(),
            "n_moved": self.n_moved,
            "classes": list(self.classes),
            "notes": list(self.notes),
        }


def diff(a: str | Path, b: str | Path, *, threads: int = 0, progress: Progress | None = None) -> DiffReport:
    r"""Compare two datasets.

    Parameters
    ----------
    a, b : str or Path
        A .rec file, a prefix or a pattern, as `recordkit.RecordDataset` takes it.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that compare images; 0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of pairs of samples that were compared since the last call.

    Returns
    -------
    report : DiffReport
        Making it takes up to 150 bytes of memory per sample.

    Raises
    ------
    NotFoundError
        A dataset does not exist.
    FormatError
        A dataset is damaged.
    PlanError
        Both are the same file.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = tempfile.mkdtemp()
    >>> for name, label in (("a", 4), ("b", 5)):
    ...     with MXIndexedRecordIO(f"{folder}/{name}.idx", f"{folder}/{name}.rec", "w") as writer:
    ...         for key in (7, 8):
    ...             writer.write_idx(key, pack(IRHeader(0, label if key == 8 else 0, key, 0), b"jpeg"))
    >>> report = diff(f"{folder}/a", f"{folder}/b")
    >>> report.labels.tolist(), report.images.tolist(), report.is_equal
    ([8], [], False)
    """
    with Inputs([a, b]) as inputs:
        cut = inputs.starts[1]
        keys_a, keys_b = inputs.keys[:cut], inputs.keys[cut:]
        rows, others = _match(keys_a, keys_b)
        is_matched_b = np.zeros(len(keys_b), bool)
        is_matched_b[others] = True
        is_matched_a = np.zeros(len(keys_a), bool)
        is_matched_a[rows] = True
        labels = dataset_labels(inputs.datasets[0]), dataset_labels(inputs.datasets[1])
        label_rows = rows[labels_differ(labels[0].at(rows), labels[1].at(others))]
        image_rows = rows[~same_payloads(inputs, rows, others + cut, threads=threads, progress=progress)]
        order = np.argsort(others, kind="stable")
        return DiffReport(
            paths=(str(a), str(b)),
            n_records=(len(keys_a), len(keys_b)),
            removed=keys_a[~is_matched_a],
            added=keys_b[~is_matched_b],
            labels=keys_a[label_rows],
            images=keys_a[image_rows],
            n_moved=int(np.count_nonzero(order != np.arange(len(order)))),
            classes=_other_classes(*inputs.classes),
            notes=_notes(labels, (str(a), str(b))),
        )


def _match(keys_a: NDArray[np.uint64], keys_b: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of the samples that both have, in the order of A."""
    if np.array_equal(keys_a, keys_b):
        return np.arange(len(keys_a)), np.arange(len(keys_b))
    others = match(keys_a, keys_b)
    rows = np.flatnonzero(others >= 0)
    return rows, others[rows]


def _other_classes(a: dict[str, int] | None, b: dict[str, int] | None) -> tuple[str, ...]:
    classes_a, classes_b = a or {}, b or {}
    names = [*classes_a, *(name for name in classes_b if name not in classes_a)]
    return tuple(name for name in names if classes_a.get(name) != classes_b.get(name))


def _notes(labels: tuple[Labels, Labels], paths: tuple[str, str]) -> tuple[str, ...]:
    is_exact = [each.is_exact for each in labels]
    if is_exact[0] == is_exact[1]:
        return ()
    return (f"only {paths[is_exact.index(True)]} has exact labels; they were compared as float32 holds them",)
