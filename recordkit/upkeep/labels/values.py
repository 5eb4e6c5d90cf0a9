"""Arrays of labels: padding, other values in place of some, and the check that the file can hold new ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import PlanError, SourceError
from recordkit.formats.irheader import fits_float32
from recordkit.upkeep.labels.arrays import MAX_WHOLE, Labels, bounds_of

_EXACT_ADVICE = "'recordkit relabel --exact-labels' keeps such labels"


def pad(labels: Labels, width: int, value: float) -> Labels:
    """Return labels that are `width` long for each record: those that are shorter end with `value`.

    Parameters
    ----------
    labels : Labels
    width : int
        At least the largest number of labels of a record.
    value : float or int
        A number that the array of the labels can hold.

    Examples
    --------
    >>> pad(Labels(np.float32([1, 2, 3]), np.uint64([0, 1, 3])), 2, -1).values.tolist()
    [1.0, -1.0, 2.0, 3.0]
    """
    counts = labels.widths
    values = np.full((len(counts), width), value, labels.values.dtype)
    values[np.arange(width) < counts[:, None]] = labels.values
    return Labels(values.reshape(-1), bounds_of(np.full(len(counts), width)))


def count_changed(old: Labels, new: Labels) -> int:
    """Return the number of records that have other labels, or another number of them.

    Examples
    --------
    >>> old = Labels(np.float32([1, 2, 3]), np.uint64([0, 1, 3]))
    >>> count_changed(old, Labels(np.float32([1, 2, 4]), np.uint64([0, 1, 3]))), count_changed(old, pad(old, 2, 0))
    (1, 1)
    """
    if old is new or not len(old):
        return 0
    rows = np.flatnonzero(old.widths == new.widths)
    n_wider = len(old) - len(rows)
    if not len(rows):
        return n_wider
    same = old.at(rows)
    differs = same.values != new.at(rows).values
    return n_wider + int(np.logical_or.reduceat(differs, same.bounds[:-1].astype(np.int64)).sum())


def count_unnamed(labels: Labels, classes: Mapping[str, int]) -> tuple[list[float], int]:
    """Return the labels without a class name, in increasing order, and the number of records that have them.

    There are none if a record has several labels, because these are not those of classes.

    Examples
    --------
    >>> count_unnamed(Labels(np.float32([4, 9, 4]), np.uint64([0, 1, 2, 3])), {"cat": 9})
    ([4.0], 2)
    """
    if np.max(labels.widths, initial=1) > 1:
        return [], 0
    named = set(classes.values())
    present, counts = np.unique(labels.values, return_counts=True)
    unnamed = {label: n for label, n in zip(present.tolist(), counts.tolist(), strict=True) if label not in named}
    return list(unnamed), sum(unnamed.values())


def as_labels(
    values: NDArray[Any], *, exact: bool, path: str, keys: NDArray[np.uint64]
) -> NDArray[np.float32] | NDArray[np.int64]:
    """Return new labels as the file will hold them.

    Parameters
    ----------
    values : ndarray of any number, shape (m,)
    exact : bool
        The labels become exact labels, int64, so they must be whole.
    path : str
        Path of the dataset, for errors.
    keys : ndarray of uint64, shape (m,)
        Key of the record of each value, for errors.

    Returns
    -------
    labels : ndarray of int64 if exact, otherwise of float32, shape (m,)

    Raises
    ------
    SourceError
        A label would be changed, or is not finite.

    Examples
    --------
    >>> as_labels(np.array([3, 20000001]), exact=True, path="a.rec", keys=np.uint64([0, 1]))
    array([       3, 20000001])
    """
    bad = _not_int64(values) if exact else _not_float32(values)
    if bad.any():
        at = int(np.argmax(bad))
        raise label_error(values[at].item(), exact=exact, path=path, key=int(keys[at]))
    return values.astype(np.int64) if exact else values.astype(np.float32)


def label_error(label: float, *, exact: bool, path: str, key: int | None = None) -> SourceError:
    """Return the error about a label that the file cannot hold."""
    if exact:
        return SourceError(path=path, key=key, expected="a whole label of 64 bits, as exact labels are", got=label)
    return SourceError(
        path=path,
        key=key,
        expected="a label that float32 can hold",
        got=label,
        advice=_EXACT_ADVICE if _is_int64(label) else None,
    )


def _not_int64(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of the values that exact labels cannot hold."""
    if values.dtype.kind == "f":
        numbers = values.astype(np.float64)
        is_bad: NDArray[np.bool_] = ~((np.floor(numbers) == numbers) & (numbers >= -(2.0**63)) & (numbers < 2.0**63))
        return is_bad
    limit = np.iinfo(np.int64).max
    return np.greater(values, limit) if values.dtype == np.uint64 else np.zeros(len(values), bool)


def _not_float32(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of the values that records cannot hold, as `fits_float32` tells it for one."""
    if values.dtype.kind == "f":
        numbers = values.astype(np.float64)
        with np.errstate(over="ignore"):
            stored = numbers.astype(np.float32)
        is_bad: NDArray[np.bool_] = ~np.isfinite(stored) | ((np.floor(numbers) == numbers) & (stored != numbers))
        return is_bad
    bad = np.zeros(len(values), bool)
    is_large = np.greater(values, MAX_WHOLE) | np.less(values, -MAX_WHOLE)
    if np.any(is_large):
        large, inverse = np.unique(values[is_large], return_inverse=True)
        bad[is_large] = np.array([not fits_float32(number) for number in large.tolist()])[inverse]
    return bad


class LabelMap:
    """Other labels in place of some.

    Parameters
    ----------
    pairs : mapping of number to number
        The new label by the old one. A label without a pair stays.

    Examples
    --------
    >>> labels, counts = LabelMap({1: 7, 5: 0}).apply(np.float32([1, 2, 1]), path="a.rec")
    >>> labels.tolist(), counts.tolist()
    ([7.0, 2.0, 7.0], [2, 0])
    """

    def __init__(self, pairs: Mapping[int, float] | Mapping[float, float]) -> None:
        self.old: Sequence[float] = list(pairs)
        self.new: Sequence[float] = list(pairs.values())

    def apply(
        self, values: NDArray[np.float32] | NDArray[np.int64], *, path: str
    ) -> tuple[NDArray[np.float32] | NDArray[np.int64], NDArray[np.int64]]:
        """Replace labels.

        Parameters
        ----------
        values : ndarray of float32 or int64, shape (n,)
            Labels as they are. float32 labels stay float32, and exact labels stay exact.
        path : str
            Path of the dataset, for errors.

        Returns
        -------
        labels : ndarray of the same type, shape (n,)
        counts : ndarray of int64, shape (number of pairs,)
            Number of labels that each pair has replaced.

        Raises
        ------
        SourceError
            A new label of a record would be changed by the type of the labels.
        PlanError
            Two pairs are for the same label.
        """
        exact = values.dtype == np.int64
        # Pairs of labels that no record can have are left out: they replace nothing.
        possible = [n for n, old in enumerate(self.old) if (_is_int64(old) if exact else fits_float32(old))]
        old = np.array([self.old[n] for n in possible], values.dtype)
        order = np.argsort(old, kind="stable")
        old, possible_sorted = old[order], np.array(possible, np.int64)[order]
        if len(repeated := old[1:][old[1:] == old[:-1]]):
            raise PlanError(argument="labels", expected="one new label for each old one", got=f"two for {repeated[0]}")
        counts = np.zeros(len(self.old), np.int64)
        if not len(old):
            return values, counts
        at = np.minimum(np.searchsorted(old, values), len(old) - 1)
        hits = old[at] == values
        counts[possible_sorted] = np.bincount(at[hits], minlength=len(old))
        new = np.zeros(len(old), values.dtype)
        for position, n in enumerate(possible_sorted.tolist()):
            if counts[n]:
                new[position] = self._checked(self.new[n], exact=exact, path=path)
        labels = values.copy()
        labels[hits] = new[at[hits]]
        return labels, counts

    @staticmethod
    def _checked(label: float, *, exact: bool, path: str) -> float:
        if not (_is_int64(label) if exact else fits_float32(label) and math.isfinite(label)):
            raise label_error(label, exact=exact, path=path)
        return label


def _is_int64(label: float) -> bool:
    is_whole = isinstance(label, int) or (math.isfinite(label) and label.is_integer())
    return is_whole and -(2**63) <= label < 2**63
