"""Class maps after a change of labels or of names: a name stays with its records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from recordkit.errors import PlanError, enumerate_some
from recordkit.upkeep.labels.class_maps import names_by_label

_MAX_RENAMED = 4
"""Largest number of classes that an advice names one by one."""


def follow_labels(classes: Mapping[str, int], pairs: Mapping[float, float]) -> dict[str, int]:
    """Return a class map in which each name has the new label of its records.

    Parameters
    ----------
    classes : mapping of str to int
    pairs : mapping of number to number
        The new label by the old one; the others stay.

    Raises
    ------
    PlanError
        Two classes get one label, so that the name of their records is not certain, or a label is not whole.

    Examples
    --------
    >>> follow_labels({"cat": 0, "dog": 1}, {0: 1, 1: 0})
    {'cat': 1, 'dog': 0}
    """
    new: dict[str, int] = {}
    for name, label in classes.items():
        value = pairs.get(label, label)
        if int(value) != value:
            raise PlanError(argument="labels", expected=f"a whole label for the class {name}", got=value)
        new[name] = int(value)
    for label, names in names_by_label(new).items():
        if len({classes[name] for name in names}) > 1:
            raise PlanError(
                argument="labels",
                expected="one class for each label",
                got=f"the label {label} for {enumerate_some(names)}",
                advice=f"name the new labels with `classes`{_or_one_name(names, classes, label)}",
            )
    return new


def _or_one_name(names: Sequence[str], classes: Mapping[str, int], label: int) -> str:
    """Return the advice to give a few classes one name, that of the class which keeps its label."""
    kept = next((name for name in names if classes[name] == label), names[0])
    renamed = {name: kept for name in names if name != kept}
    return f", or give `labels={renamed}` instead" if len(renamed) <= _MAX_RENAMED else ""


def rename_classes(classes: Mapping[str, int], names: Mapping[str, str]) -> tuple[dict[str, int], dict[float, float]]:
    """Return a class map with other names, and the labels that change because classes get one name.

    Such a class has the label of the class that has the name already, or else the smallest label of those that get it.

    Parameters
    ----------
    classes : mapping of str to int
    names : mapping of str to str
        The new name by the old one; the others stay.

    Returns
    -------
    classes : dict of str to int
    pairs : dict of int to int
        The new label by the old one, of those that change.

    Raises
    ------
    PlanError
        There is no class of an old name, or a class with two names would be divided.

    Examples
    --------
    >>> rename_classes({"cat": 0, "dog": 1, "owl": 2}, {"cat": "pet", "dog": "pet"})
    ({'pet': 0, 'owl': 2}, {1: 0})
    """
    for name in names:
        if name not in classes:
            similar = get_close_matches(name, classes, n=1)
            raise PlanError(
                argument="labels",
                expected=f"a class name, such as {enumerate_some(similar or list(classes), limit=3)}",
                got=repr(name),
                advice=f"did you mean {similar[0]}?" if similar else None,
            )
    old_names: dict[str, list[str]] = {}
    for name in classes:
        old_names.setdefault(names.get(name, name), []).append(name)
    new: dict[str, int] = {}
    pairs: dict[float, float] = {}
    for name, members in old_names.items():
        new[name] = classes[name] if name in members else min(classes[member] for member in members)
        for member in members:
            if pairs.setdefault(classes[member], new[name]) != new[name]:
                both = [other for other, label in classes.items() if label == classes[member]]
                raise PlanError(
                    argument="labels",
                    expected=f"one new name for {enumerate_some(both)}, which have one label, {classes[member]}",
                    got="names of different labels",
                )
    return new, {old: label for old, label in pairs.items() if old != label}
