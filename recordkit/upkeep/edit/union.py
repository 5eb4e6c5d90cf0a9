"""Several datasets as one: their keys, labels and classes, which `merge` and `append` write.

Rules, each an error where the answer is not certain:

- A key that two records have is an error, unless the keys are renumbered.
- If every dataset has class names, they are united by name (`recordkit.upkeep.labels.class_maps`), and the labels of
  records change with them. If none has, equal labels mean the same class. If only some have, the labels of the others
  mean nothing certain.
- Only the label of a record with one label can be that of a class; several labels, such as boxes, are never changed.
- Records of one dataset with one number of labels, and of another with another, cannot be batched, so the shorter
  ones are filled up with a value that the caller chooses. A dataset whose own records differ stays as it is, because
  it is read by rows of any length already.
- Exact labels of one dataset make those of all exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup
from recordkit.errors import PlanError, SourceError, enumerate_some, plural, quoted
from recordkit.formats.irheader import MAX_KEY, fits_float32
from recordkit.formats.lst import describe_widths
from recordkit.upkeep.edit.inputs import Inputs, Labels
from recordkit.upkeep.edit.new_set import NewSet
from recordkit.upkeep.labels.change import LabelChange
from recordkit.upkeep.labels.class_maps import names_by_label, unite_classes
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.labels.values import MAX_EXACT, LabelMap, count_changed, count_unnamed, pad

KeyRule = Literal["keep", "renumber"]


@dataclass(eq=False)
class Union:
    """The samples of several datasets as those of one.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)
    labels : Labels
    are_new_keys, are_new_labels : bool
        Keys, or labels, are not those of the datasets. Labels that become exact are new.
    classes : dict of str to int or None
    changes : list of LabelChange
    n_relabeled : int
        Number of records whose labels have changed.
    notes : list of str
        Facts for the report.
    """

    keys: NDArray[np.uint64]
    labels: Labels
    are_new_keys: bool = False
    are_new_labels: bool = False
    classes: dict[str, int] | None = None
    n_relabeled: int = 0
    changes: list[LabelChange] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def new_set(self, prefix: Path, rows: NDArray[np.int64]) -> NewSet:
        """Return the set of some rows."""
        keys = self.keys[rows] if self.are_new_keys else None
        labels = self.labels.at(rows) if self.are_new_labels else None
        return NewSet(prefix, rows, keys=keys, labels=labels, classes=self.classes)


def unite(
    inputs: Inputs, paths: Sequence[str], *, keys: KeyRule, n_kept: int = 0, pad_labels: float | None = None
) -> Union:
    """Unite datasets.

    Parameters
    ----------
    inputs : Inputs
    paths : sequence of str
        Path of each dataset, as the caller named it, for errors and notes.
    keys : {"keep", "renumber"}
    n_kept : int, default 0
        Number of records at the beginning that keep their keys even if the others are renumbered.
    pad_labels : float or int, optional
        Value after the labels of the records with fewer labels.

    Returns
    -------
    union : Union

    Raises
    ------
    SourceError
        The keys, labels or classes contradict each other.
    PlanError
        An argument is of another kind.
    """
    if keys not in ("keep", "renumber"):
        raise PlanError(argument="keys", expected="keep or renumber", got=repr(keys))
    labels = _exact_or_not(inputs, paths)
    union = Union(_unite_keys(inputs, paths, keys, n_kept), labels, are_new_keys=keys == "renumber")
    _unite_classes(union, inputs, paths)
    union.labels = _pad(union.labels, inputs, paths, pad_labels)
    is_one_kind = all(_has_exact_labels(inputs, number) == labels.is_exact for number in range(len(paths)))
    union.are_new_labels = union.labels is not labels or not is_one_kind
    union.n_relabeled = count_changed(labels, union.labels)
    return union


def _unite_keys(inputs: Inputs, paths: Sequence[str], keys: KeyRule, n_kept: int) -> NDArray[np.uint64]:
    old = inputs.keys
    if keys == "renumber":
        first = int(np.max(old[:n_kept])) + 1 if n_kept else 0
        if first + len(old) - n_kept - 1 > MAX_KEY:
            raise SourceError(path=paths[0], expected=f"keys that leave room up to {MAX_KEY}", got=first - 1)
        new = np.arange(first, first + len(old) - n_kept, dtype=np.uint64)
        return np.concatenate([old[:n_kept], new])
    lookup = KeyLookup(old)
    repeated = lookup.repeated_keys()
    if not len(repeated):
        return old
    row, other = lookup.indices(int(repeated[0]))[:2]
    first_path, second_path = (paths[_dataset_of(inputs, row)] for row in (row, other))
    where = f"in {first_path} twice" if first_path == second_path else f"in {first_path} and in {second_path}"
    raise SourceError(
        path=second_path,
        key=int(old[row]),
        expected="each key once",
        got=f"it {where}, the first of {plural(len(repeated), 'repeated key')}",
        advice="number the records anew with `keys=renumber`",
    )


def _dataset_of(inputs: Inputs, row: int) -> int:
    return int(np.searchsorted(inputs.starts, row, "right")) - 1


def _rows_of(inputs: Inputs, number: int) -> slice:
    return slice(int(inputs.starts[number]), int(inputs.starts[number + 1]))


def _values_of(labels: Labels, rows: slice) -> slice:
    return slice(int(labels.bounds[rows.start]), int(labels.bounds[rows.stop]))


def _has_exact_labels(inputs: Inputs, number: int) -> bool:
    return inputs.datasets[number].exact_labels(np.empty(0, np.int64)) is not None


def _exact_or_not(inputs: Inputs, paths: Sequence[str]) -> Labels:
    """Return the labels of all rows, exact if those of one dataset are."""
    labels = inputs.labels()
    exact = [_has_exact_labels(inputs, number) for number in range(len(paths))]
    if not any(exact) or labels.is_exact:
        return labels
    for number in np.flatnonzero(~np.array(exact)).tolist():
        rows = _rows_of(inputs, number)
        values = labels.values[_values_of(labels, rows)]
        is_bad = (np.floor(values) != values) | (np.abs(values) > MAX_EXACT)
        if is_bad.any():
            at = _values_of(labels, rows).start + int(np.argmax(is_bad))
            raise SourceError(
                path=paths[number],
                key=int(inputs.keys[int(np.searchsorted(labels.bounds, at, "right")) - 1]),
                expected=f"a whole label up to 2**24, because {paths[exact.index(True)]} has exact labels",
                got=labels.values[at].item(),
            )
    return labels


def _pad(labels: Labels, inputs: Inputs, paths: Sequence[str], value: float | None) -> Labels:
    """Return labels of one number for each record, if each dataset has one number or there is a value to pad with."""
    counts = labels.widths
    ranges = [(path, counts[_rows_of(inputs, number)]) for number, path in enumerate(paths)]
    bounds = [(path, int(np.min(part)), int(np.max(part))) for path, part in ranges if len(part)]
    low, high = min((low for _, low, _ in bounds), default=1), max((high for _, _, high in bounds), default=1)
    is_exact = labels.is_exact
    if low == high:
        return labels
    if value is not None:
        _check_padding(value, exact=is_exact)
        return pad(labels, high, value)
    if any(low != high for _, low, high in bounds) and not is_exact:
        return labels
    first, _, width = bounds[0]
    other, other_low, other_high = next(item for item in bounds if item[1:] != bounds[0][1:])
    raise SourceError(
        path=other,
        expected=f"{describe_widths([width])} per record, as in {first}",
        got=describe_widths([other_low, other_high]),
        advice="fill up the shorter ones, for example with `pad_labels=0`",
    )


def _check_padding(value: float, *, exact: bool) -> None:
    if exact and not (abs(value) < 2**63 and float(value).is_integer()):
        raise PlanError(argument="pad_labels", expected="a whole number, as the labels are exact", got=value)
    if not fits_float32(value) or not np.isfinite(value):
        raise PlanError(argument="pad_labels", expected="a number that float32 can hold", got=value)


def _unite_classes(union: Union, inputs: Inputs, paths: Sequence[str]) -> None:
    numbers = [number for number, classes in enumerate(inputs.classes) if classes or len(inputs.datasets[number])]
    maps = {number: classes for number in numbers if (classes := inputs.classes[number])}
    if not maps:
        if len(numbers) > 1:
            union.notes.append("no dataset has class names, so equal labels are taken as one class")
        return
    if len(maps) < len(numbers):
        _refuse_unnamed(paths[min(maps)], paths[next(number for number in numbers if number not in maps)])
    united = unite_classes(list(maps.values()), [paths[number] for number in maps])
    union.classes = united.classes
    for number, new_labels in zip(maps, united.new_labels, strict=True):
        _check_unnamed_labels(union, inputs, number, paths[number], new_labels)
        if new_labels:
            _change_labels(union, inputs, number, paths[number], new_labels)


def _refuse_unnamed(named: str, unnamed: str) -> None:
    raise SourceError(
        path=unnamed,
        expected=f"class names, as {named} has",
        got="labels without names",
        advice=f"name them with 'recordkit relabel {quoted(unnamed)} NEW --classes FILE', and use NEW",
    )


def _check_unnamed_labels(union: Union, inputs: Inputs, number: int, path: str, new_labels: dict[int, int]) -> None:
    """Refuse a label without a name in its own dataset that has one in the union. A note tells other such labels."""
    rows = _rows_of(inputs, number)
    labels = union.labels.between(rows.start, rows.stop)
    unnamed, n_records = count_unnamed(labels, inputs.classes[number] or {})
    if not unnamed:
        return
    names = names_by_label(union.classes or {})
    for label in unnamed:
        if label in names:
            row = rows.start + int(np.argmax(labels.values == label))
            raise _unnamed_error(path, int(inputs.keys[row]), label_text(label), names[int(label)][0])
    union.notes.append(
        f"{path}: {plural(n_records, 'record')} with labels without a class name, which stay: "
        f"{enumerate_some(list(map(label_text, unnamed)))}"
    )


def _unnamed_error(path: str, key: int, label: str, name: str) -> SourceError:
    """Return the error about a label without a name, which would become that of a class of another dataset."""
    return SourceError(
        path=path,
        key=key,
        expected=f"a class name for the label {label}, which {name} gets in the new set",
        got="none",
        advice=f"name it with 'recordkit relabel {quoted(path)} NEW --classes FILE', and use NEW",
    )


def _change_labels(union: Union, inputs: Inputs, number: int, path: str, new_labels: dict[int, int]) -> None:
    rows = _rows_of(inputs, number)
    if np.max(union.labels.widths[rows], initial=1) > 1:
        old, new = next(iter(new_labels.items()))
        name = names_by_label(inputs.classes[number] or {})[old][0]
        raise SourceError(
            path=path,
            expected=f"the label {new} for the class {name}, because records with several labels keep them",
            got=old,
            advice="change its labels first, with a function in recordkit.upkeep.relabel",
        )
    part = _values_of(union.labels, rows)
    values, counts = LabelMap(new_labels).apply(union.labels.values[part], path=path)
    names = names_by_label(inputs.classes[number] or {})
    union.changes += [
        LabelChange(path, old, new, tuple(names[old]), n_records)
        for (old, new), n_records in zip(new_labels.items(), counts.tolist(), strict=True)
    ]
    changed = union.labels.values.copy()
    changed[part] = values
    union.labels = Labels(changed, union.labels.bounds)
