"""Differences between two datasets: keys, labels, images, order and class names.

A sample is compared with that of the same key. Where a key repeats, the first sample with it is compared with the first
one of the other dataset, the second with the second, and so on. A sample whose image is another one there, or whose key
is not there, is compared with a sample of equal image, if the other dataset has one: it has another key.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import match
from recordkit.upkeep.compare.payloads import Progress, digest_payloads, labels_differ, same_payloads
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.arrays import Labels, dataset_labels
from recordkit.upkeep.labels.differences import LabelDifferences

# An odd number, whose multiples modulo 2**64 are all different.
_SPREAD = np.array(0x9E3779B97F4A7C15, np.uint64)


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
    renumbered : ndarray of uint64, shape (k, 2)
        Keys in A and in B of samples whose images are equal and whose keys are not.
    label_changes : LabelDifferences
        Samples of both with other labels, by their keys in A.
    images : ndarray of uint64, shape (k,)
        Keys of samples with other encoded images.
    n_moved : int
        Number of samples of both that have another position among these in B than in A.
    classes : dict of str to (int or None, int or None)
        The labels in A and in B of the class names for which they differ; None if a dataset does not have the name.
    notes : tuple of str
        Facts that may matter, such as exact labels on one side only.

    Examples
    --------
    >>> none = np.empty(0, np.uint64)
    >>> no_labels = Labels(np.empty(0, np.float32), np.zeros(1, np.uint64))
    >>> no_changes = LabelDifferences(none, no_labels, no_labels)
    >>> added, pairs = np.array([7], np.uint64), none.reshape(0, 2)
    >>> report = DiffReport(("a", "b"), (1, 2), none, added, pairs, no_changes, none, 0, {}, ())
    >>> report.is_equal, report.as_json()["added"]
    (False, [7])
    """

    paths: tuple[str, str]
    n_records: tuple[int, int]
    removed: NDArray[np.uint64]
    added: NDArray[np.uint64]
    renumbered: NDArray[np.uint64]
    label_changes: LabelDifferences
    images: NDArray[np.uint64]
    n_moved: int
    classes: dict[str, tuple[int | None, int | None]]
    notes: tuple[str, ...]

    @property
    def labels(self) -> NDArray[np.uint64]:
        """Keys of samples with other labels; uint64, shape (k,)."""
        return self.label_changes.keys

    @property
    def is_equal(self) -> bool:
        """True if nothing differs."""
        lists = (self.removed, self.added, self.renumbered, self.labels, self.images, self.classes)
        return not self.n_moved and not any(len(each) for each in lists)

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return {
            "equal": self.is_equal,
            "paths": list(self.paths),
            "n_records": list(self.n_records),
            "removed": self.removed.tolist(),
            "added": self.added.tolist(),
            "renumbered": self.renumbered.tolist(),
            "labels": self.labels.tolist(),
            "label_changes": [change.as_json() for change in self.label_changes],
            "images": self.images.tolist(),
            "n_moved": self.n_moved,
            "classes": {name: list(labels) for name, labels in self.classes.items()},
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
        Making it takes up to 200 bytes of memory per sample.

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
        labels = dataset_labels(inputs.datasets[0]), dataset_labels(inputs.datasets[1])
        pairs = _pair_samples(inputs, labels, threads, progress)
        rows, others = pairs.rows, pairs.others
        is_other_key = keys_a[rows] != keys_b[others]
        is_other_label = labels_differ(labels[0].at(rows), labels[1].at(others))
        label_rows, label_others = rows[is_other_label], others[is_other_label]
        order = np.argsort(others, kind="stable")
        return DiffReport(
            paths=(str(a), str(b)),
            n_records=(len(keys_a), len(keys_b)),
            removed=keys_a[_without(len(keys_a), rows)],
            added=keys_b[_without(len(keys_b), others)],
            renumbered=np.stack([keys_a[rows[is_other_key]], keys_b[others[is_other_key]]], axis=1),
            label_changes=LabelDifferences(
                keys_a[label_rows], labels[0].at(label_rows), labels[1].at(label_others), *inputs.classes
            ),
            images=keys_a[rows[~pairs.is_same]],
            n_moved=int(np.count_nonzero(order != np.arange(len(order)))),
            classes=_other_classes(*inputs.classes),
            notes=_notes(labels, (str(a), str(b))),
        )


class _Pairs(NamedTuple):
    """Samples of A, in their order, and the sample of B with which each is compared.

    Attributes
    ----------
    rows, others : ndarray of int64, shape (m,)
        Positions in A and in B.
    is_same : ndarray of bool, shape (m,)
        The images are equal.
    """

    rows: NDArray[np.int64]
    others: NDArray[np.int64]
    is_same: NDArray[np.bool_]


def _pair_samples(inputs: Inputs, labels: tuple[Labels, Labels], threads: int, progress: Progress | None) -> _Pairs:
    """Pair the samples of two datasets by key and, if the images under a key are not equal, by image."""
    cut, n = inputs.starts[1:]
    rows, others = _match(inputs.keys[:cut], inputs.keys[cut:])
    is_same = same_payloads(inputs, rows, others + cut, threads=threads, progress=progress)
    rest_a, rest_b = _without(cut, rows[is_same]), _without(n - cut, others[is_same])
    if not (len(rest_a) and len(rest_b)):
        return _Pairs(rows, others, is_same)
    digests = digest_payloads(inputs, np.append(rest_a, rest_b + cut), threads=threads)
    images_a, images_b = digests[: len(rest_a)], digests[len(rest_a) :]
    # Equal images with the same label are compared first.
    at_a, at_b = _match(images_a ^ _label_bits(labels[0].at(rest_a)), images_b ^ _label_bits(labels[1].at(rest_b)))
    left_a, left_b = _without(len(rest_a), at_a), _without(len(rest_b), at_b)
    left_at_a, left_at_b = _match(images_a[left_a], images_b[left_b])
    more = rest_a[np.append(at_a, left_a[left_at_a])]
    more_others = rest_b[np.append(at_b, left_b[left_at_b])]
    is_equal = same_payloads(inputs, more, more_others + cut, threads=threads, progress=progress)
    more, more_others = more[is_equal], more_others[is_equal]
    is_kept = ~(np.isin(rows, more) | np.isin(others, more_others))
    all_rows, all_others = np.append(rows[is_kept], more), np.append(others[is_kept], more_others)
    order = np.argsort(all_rows)
    all_same = np.append(is_same[is_kept], np.ones(len(more), bool))
    return _Pairs(all_rows[order], all_others[order], all_same[order])


def _without(n: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers 0 to n - 1 that are not among some."""
    is_left = np.ones(n, bool)
    is_left[rows] = False
    return np.flatnonzero(is_left)


def _label_bits(labels: Labels) -> NDArray[np.uint64]:
    """Return a number for the first label of each record, equal for equal labels; 0 for a record without labels."""
    bits = np.zeros(len(labels), np.uint64)
    has_label = labels.widths > 0
    firsts = labels.values[labels.bounds[:-1][has_label].astype(np.int64)]
    bits[has_label] = firsts.astype(np.float32).astype(np.float64).view(np.uint64) * _SPREAD
    return bits


def _match(values_a: NDArray[np.uint64], values_b: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of the values that both have, in the order of A."""
    if np.array_equal(values_a, values_b):
        return np.arange(len(values_a)), np.arange(len(values_b))
    others = match(values_a, values_b)
    rows = np.flatnonzero(others >= 0)
    return rows, others[rows]


def _other_classes(a: dict[str, int] | None, b: dict[str, int] | None) -> dict[str, tuple[int | None, int | None]]:
    classes_a, classes_b = a or {}, b or {}
    labels = {name: (classes_a.get(name), classes_b.get(name)) for name in {**classes_a, **classes_b}}
    return {name: pair for name, pair in labels.items() if pair[0] != pair[1]}


def _notes(labels: tuple[Labels, Labels], paths: tuple[str, str]) -> tuple[str, ...]:
    is_exact = [each.is_exact for each in labels]
    if is_exact[0] == is_exact[1]:
        return ()
    return (f"only {paths[is_exact.index(True)]} has exact labels; they were compared as float32 holds them",)
