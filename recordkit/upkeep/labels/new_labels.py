"""New labels of the records of one dataset: from a list of keys, or from a function."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup
from recordkit.errors import FormatError, PlanError, SourceError, plural
from recordkit.formats import lst
from recordkit.formats.irheader import MAX_LABELS, fits_float32
from recordkit.formats.lines import LineFile
from recordkit.upkeep.labels.arrays import Labels, bounds_of
from recordkit.upkeep.labels.values import as_labels, label_error
from recordkit.upkeep.selection.keys import refuse_repeated_keys

LabelFunction = Callable[[Any], Sequence[Any] | NDArray[Any]]
"""A function that gets the labels of all records and returns as many new ones; see `call_function`."""

# From here on a float does not have all whole numbers.
_MAX_WHOLE_FLOAT = 2**53


def read_list(path: str | Path, keys: NDArray[np.uint64], set_path: str, *, exact: bool) -> tuple[Labels, list[str]]:
    """Read the new labels of records from a .lst file, whose paths of images are not used.

    Parameters
    ----------
    path : str or Path
    keys : ndarray of uint64, shape (n,)
        Key of each record.
    set_path : str
        Path of the dataset, for errors.
    exact : bool
        The labels become exact labels.

    Returns
    -------
    labels : Labels
        In the order of the records.
    notes : list of str
        The number of rows whose keys no record has.

    Raises
    ------
    NotFoundError
        The list does not exist.
    FormatError
        A row cannot be parsed.
    SourceError
        A record has no row, a key is in several rows or records, or a label would be changed.
    """
    list_keys, labels = _read_rows(path, exact=exact)
    lookup = KeyLookup(list_keys)
    if len(repeated := lookup.repeated_keys()):
        got = "it more than once"
        raise SourceError(path=os.fspath(path), key=int(repeated[0]), expected="each key once", got=got)
    refuse_repeated_keys(keys, set_path)
    rows = lookup.first_indices(keys)
    if len(missing := keys[rows < 0]):
        raise SourceError(
            path=os.fspath(path),
            key=int(missing[0]),
            expected=f"a row for each record of {set_path}",
            got=f"none for {plural(len(missing), 'record')}, of which this is the first",
        )
    n_unused = len(list_keys) - len(keys)
    notes = [f"{path}: {plural(n_unused, 'row')} with keys that no record has"] if n_unused else []
    return labels.at(rows), notes


def _read_rows(path: str | Path, *, exact: bool) -> tuple[NDArray[np.uint64], Labels]:
    keys, counts = array("Q"), array("q")
    # Labels as whole numbers of 64 bits as long as all are, and as floats.
    wholes, numbers, are_whole = array("q"), array("d"), True
    for row in _parse(path):
        keys.append(row.key)
        counts.append(len(row.labels))
        numbers.extend(row.labels)
        are_whole = are_whole and all(label == int(label) and -(2**63) <= label < 2**63 for label in row.labels)
        if are_whole:
            wholes.extend(map(int, row.labels))
        for label in row.labels:
            if not exact and abs(label) >= _MAX_WHOLE_FLOAT and not fits_float32(label):
                raise label_error(label, exact=exact, path=os.fspath(path), key=row.key)
    all_keys, all_counts = np.array(keys, np.uint64), np.array(counts, np.int64)
    values = np.array(wholes, np.int64) if are_whole else np.array(numbers, np.float64)
    checked = as_labels(values, exact=exact, path=os.fspath(path), keys=np.repeat(all_keys, all_counts))
    return all_keys, Labels(checked, bounds_of(all_counts))


def _parse(path: str | Path) -> Iterator[lst.Row]:
    with closing(LineFile(path, "a .lst file", suffix=".lst")) as lines:
        for number, _, content in lines.scan():
            try:
                yield lst.parse(os.fsdecode(content), label_width="auto")
            except FormatError as error:
                raise error.located(path=os.fspath(path), line=number) from None


def call_function(
    function: LabelFunction, labels: Labels, keys: NDArray[np.uint64], set_path: str, *, exact: bool
) -> Labels:
    """Return the labels that a function makes of those of all records.

    Parameters
    ----------
    function : callable
        It gets an array of shape (n,) or (n, w), int64 if the labels are exact and float32 otherwise, as
        `RecordDataset.labels` is; or, if records have different numbers of labels, a list of n arrays. It returns n
        labels or rows of labels, as an array or as a sequence of numbers or of sequences of any length.
    labels : Labels
    keys : ndarray of uint64, shape (n,)
        Key of each record, for errors.
    set_path : str
        Path of the dataset, for errors.
    exact : bool
        The labels become exact labels.

    Returns
    -------
    labels : Labels

    Raises
    ------
    PlanError
        The function does not return one number or more for each record.
    SourceError
        A label would be changed.

    Examples
    --------
    >>> labels, keys = Labels(np.float32([4, 5]), np.uint64([0, 1, 2])), np.uint64([0, 1])
    >>> new = call_function(lambda labels: [[label, 0] for label in labels], labels, keys, "a.rec", exact=False)
    >>> new.values.tolist(), new.bounds.tolist()
    ([4.0, 0.0, 5.0, 0.0], [0, 2, 4])
    """
    values, counts = _flatten(function(_argument(labels)), len(keys))
    if values.dtype.kind not in "biuf":
        raise PlanError(argument="labels", expected="numbers from the function", got=str(values.dtype))
    if len(counts) and not 1 <= np.min(counts) <= np.max(counts) <= MAX_LABELS:
        wrong = int(np.min(counts)) if np.min(counts) < 1 else int(np.max(counts))
        raise PlanError(argument="labels", expected=f"1 to {MAX_LABELS} labels for each record", got=wrong)
    checked = as_labels(values, exact=exact, path=set_path, keys=np.repeat(keys, counts))
    return Labels(checked, bounds_of(counts))


def _argument(labels: Labels) -> NDArray[Any] | list[NDArray[Any]]:
    """Return the labels as a function gets them. They are read-only."""
    values, counts = labels.values.view(), labels.widths
    values.flags.writeable = False
    if len(counts) and np.min(counts) != np.max(counts):
        return np.split(values, labels.bounds[1:-1].astype(np.int64))
    array: NDArray[Any] = values if not len(counts) or counts[0] == 1 else values.reshape(len(counts), -1)
    return array


def _flatten(result: Any, n: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return all labels that a function returned, and their number for each record."""
    try:
        n_rows = len(result)
    except TypeError:
        raise PlanError(
            argument="labels", expected=f"{plural(n, 'label')} from the function", got=repr(result)
        ) from None
    if n_rows != n:
        raise PlanError(
            argument="labels", expected=f"{plural(n, 'label')} from the function, one row per record", got=n_rows
        )
    if isinstance(result, np.ndarray) and result.ndim in (1, 2) and result.dtype != object:
        return result.reshape(-1), np.full(n, result.shape[1] if result.ndim == 2 else 1, np.int64)
    rows = [np.atleast_1d(np.asarray(row)) for row in result]
    wrong = next((row for row in rows if row.ndim != 1 or row.dtype.kind not in "biuf"), None)
    if wrong is not None:
        raise PlanError(argument="labels", expected="numbers from the function", got=repr(wrong.tolist()))
    counts = np.array([len(row) for row in rows], np.int64)
    return np.concatenate([np.empty(0, np.int64), *rows]), counts
