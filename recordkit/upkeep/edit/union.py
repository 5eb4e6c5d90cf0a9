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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup
from recordkit.errors import PlanError, SourceError, enumerate_some, plural, quoted
from recordkit.formats.irheader import MAX_KEY, fits_float32
from recordkit.formats.lst import describe_widths
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.new_set import NewSet
from recordkit.upkeep.labels.arrays import MAX_WHOLE, Labels
from recordkit.upkeep.labels.change import LabelChange
from recordkit.upkeep.labels.class_maps import names_by_label, unite_classes
from recordkit.upkeep.labels.text import label_text
from recordkit.upkeep.labels.values import LabelMap, count_changed, count_unnamed, pad

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
    is_one_kind = all(dataset.has_exact_labels == labels.is_exact for dataset in inputs.datasets)
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
    key = int(repeated[0])
    first_path, second_path = (paths[number] for number in _datasets_of(inputs, lookup.indices(key)[:2]))
    where = f"in {first_path} twice" if first_path == second_path else f"in {first_path} and in {second_path}"
    colliding = [paths[number] for number in np.unique(_datasets_of(inputs, np.flatnonzero(np.isin(old, repeated))))]
    others = f" in {enumerate_some(colliding)}" if len(colliding) > 2 else ""
    raise SourceError(
        path=second_path,
        key=key,
        expected="each key once",
        got=f"it {where}, the first of {plural(len(repeated), 'repeated key')}{others}",
        advice="number the records anew with `keys=renumber`",
    )


def _datasets_of(inputs: Inputs, rows: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    return np.searchsorted(inputs.starts, rows, "right") - 1


def _and_so(paths: Sequence[str], preposition: str = "in") -> str:
    """Return the end of a text about a dataset that holds for others too."""
    return f", and so {preposition} {enumerate_some(paths)}" if paths else ""


def _rows_of(inputs: Inputs, number: int) -> slice:
    return slice(int(inputs.starts[number]), int(inputs.starts[number + 1]))


def _values_of(labels: Labels, rows: slice) -> slice:
    return slice(int(labels.bounds[rows.start]), int(labels.bounds[rows.stop]))


def _exact_or_not(inputs: Inputs, paths: Sequence[str]) -> Labels:
    """Return the labels of all rows, exact if those of one dataset are."""
    labels = inputs.labels()
    exact = [dataset.has_exact_labels for dataset in inputs.datasets]
    if not any(exact) or labels.is_exact:
        return labels
    bad: dict[str, int] = {}  # the first bad label of each dataset
    for number in np.flatnonzero(~np.array(exact)).tolist():
        part = _values_of(labels, _rows_of(inputs, number))
        values = labels.values[part]
        is_bad = (np.floor(values) != values) | (np.abs(values) > MAX_WHOLE)
        if is_bad.any():
            bad[paths[number]] = part.start + int(np.argmax(is_bad))
    if not bad:
        return labels
    path, at = next(iter(bad.items()))
    raise SourceError(
        path=path,
        key=int(inputs.keys[int(np.searchsorted(labels.bounds, at, "right")) - 1]),
        expected=f"a whole label up to 2**24, because {paths[exact.index(True)]} has exact labels",
        got=f"{labels.values[at].item()}{_and_so(list(bad)[1:])}",
    )


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
    (other, other_low, other_high), *others = [item for item in bounds if item[1:] != bounds[0][1:]]
    raise SourceError(
        path=other,
        expected=f"{describe_widths([width])} per record, as in {first}",
        got=f"{describe_widths([other_low, other_high])}{_and_other_widths(others)}",
        advice="fill up the shorter ones, for example with `pad_labels=0`",
    )


def _and_other_widths(bounds: Sequence[tuple[str, int, int]]) -> str:
    texts = [f"{describe_widths([low, high])} in {path}" for path, low, high in bounds]
    return f", and {enumerate_some(texts)}" if texts else ""


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
        _refuse_unnamed(paths[min(maps)], [paths[number] for number in numbers if number not in maps])
    united = unite_classes(list(maps.values()), [paths[number] for number in maps])
    union.classes = united.classes
    _check_unnamed_labels(union, inputs, paths, list(maps))
    changed = {number: labels for number, labels in zip(maps, united.new_labels, strict=True) if labels}
    _refuse_several_labels(inputs, paths, changed)
    for number, new_labels in changed.items():
        _change_labels(union, inputs, number, paths[number], new_labels)


def _refuse_unnamed(named: str, unnamed: Sequence[str]) -> None:
    raise SourceError(
        path=unnamed[0],
        expected=f"class names, as {named} has",
        got=f"labels without names{_and_so(unnamed[1:])}",
        advice=f"name them with 'recordkit relabel {quoted(unnamed[0])} NEW --classes FILE', and use NEW",
    )


def _check_unnamed_labels(union: Union, inputs: Inputs, paths: Sequence[str], numbers: Sequence[int]) -> None:
    """Refuse labels without a name in their own dataset that have one in the union. A note tells other such labels."""
    names = names_by_label(union.classes or {})
    bad: list[tuple[int, int, float]] = []  # dataset, row and label
    for number in numbers:
        rows = _rows_of(inputs, number)
        labels = union.labels.between(rows.start, rows.stop)
        unnamed, n_records = count_unnamed(labels, inputs.classes[number] or {})
        firsts = {label: rows.start + int(np.argmax(labels.values == label)) for label in unnamed if label in names}
        bad += [(number, row, label) for label, row in firsts.items()]
        if unnamed:
            union.notes.append(
                f"{paths[number]}: {plural(n_records, 'record')} with labels without a class name, which stay: "
                f"{enumerate_some(list(map(label_text, unnamed)))}"
            )
    if bad:
        number, row, label = bad[0]
        name = names[int(label)][0]
        others = [f"{label_text(label)} in {paths[number]}" for number, _, label in bad[1:]]
        raise SourceError(
            path=paths[number],
            key=int(inputs.keys[row]),
            expected=f"a class name for the label {label_text(label)}, which {name} gets in the new set",
            got=f"none{_and_so(others, 'for')}",
            advice=f"name it with 'recordkit relabel {quoted(paths[number])} NEW --classes FILE', and use NEW",
        )


def _refuse_several_labels(inputs: Inputs, paths: Sequence[str], changed: Mapping[int, dict[int, int]]) -> None:
    """Refuse new labels of classes for records with several labels."""
    widths = inputs.labels().widths
    bad = [number for number in changed if np.max(widths[_rows_of(inputs, number)], initial=1) > 1]
    if bad:
        old, new = next(iter(changed[bad[0]].items()))
        name = names_by_label(inputs.classes[bad[0]] or {})[old][0]
        raise SourceError(
            path=paths[bad[0]],
            expected=f"the label {new} for the class {name}, because records with several labels keep them",
            got=f"{old}{_and_so([paths[number] for number in bad[1:]])}",
            advice="change its labels first, with a function in recordkit.upkeep.relabel",
        )


def _change_labels(union: Union, inputs: Inputs, number: int, path: str, new_labels: dict[int, int]) -> None:
    part = _values_of(union.labels, _rows_of(inputs, number))
    values, counts = LabelMap(new_labels).apply(union.labels.values[part], path=path)
    names = names_by_label(inputs.classes[number] or {})
    union.changes += [
        LabelChange(path, old, new, tuple(names[old]), n_records)
        for (old, new), n_records in zip(new_labels.items(), counts.tolist(), strict=True)
    ]
    changed = union.labels.values.copy()
    changed[part] = values
    union.labels = Labels(changed, union.labels.bounds)
