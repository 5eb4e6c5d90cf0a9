"""One class map for several datasets: a name has one label, and a label of another dataset is mapped through its names.

The labels of the first dataset stay. A class that an earlier dataset has too gets the label that it has there; a new
class gets the next label after the largest, in the order of its own labels. So maps that agree stay as they are, and
labels without gaps stay without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from recordkit.errors import SourceError, enumerate_some


@dataclass(frozen=True)
class ClassUnion:
    """The class map of several datasets.

    Attributes
    ----------
    classes : dict of str to int
        Class name to label.
    new_labels : list of dict of int to int
        For each dataset, the new label by the old one, of those that change.
    """

    classes: dict[str, int]
    new_labels: list[dict[int, int]]


def unite_classes(maps: Sequence[Mapping[str, int]], paths: Sequence[str]) -> ClassUnion:
    """Unite class maps by name.

    Parameters
    ----------
    maps : sequence of mapping of str to int
        The class map of each dataset.
    paths : sequence of str
        Path of each dataset, for errors.

    Returns
    -------
    union : ClassUnion

    Raises
    ------
    SourceError
        Names of one label have different labels in an earlier dataset, or a label has more than 64 bits.

    Examples
    --------
    >>> unite_classes([{"cat": 0, "dog": 1}, {"bird": 0, "cat": 1}], ["a.rec", "b.rec"])
    ClassUnion(classes={'cat': 0, 'dog': 1, 'bird': 2}, new_labels=[{}, {0: 2, 1: 0}])
    """
    united: dict[str, int] = {}
    new_labels: list[dict[int, int]] = []
    errors: list[SourceError] = []
    for number, (classes, path) in enumerate(zip(maps, paths, strict=True)):
        changes: dict[int, int] = {}
        free = max(united.values(), default=-1) + 1
        for label, names in names_by_label(classes).items():
            earlier = {united[name] for name in names if name in united}
            if len(earlier) > 1:
                errors.append(_one_label_error(path, label, names, united))
                continue
            if earlier:
                new = earlier.pop()
            elif number == 0:
                new = label
            else:
                new, free = free, free + 1
            _check_size(new, path)
            united.update(dict.fromkeys(names, new))
            if new != label:
                changes[label] = new
        new_labels.append(changes)
    if errors:
        raise _with_others(errors)
    return ClassUnion(united, new_labels)


def names_by_label(classes: Mapping[str, int]) -> dict[int, list[str]]:
    """Return the names of each label, in the order of the labels.

    Examples
    --------
    >>> names_by_label({"dog": 1, "cat": 0, "kitty": 0})
    {0: ['cat', 'kitty'], 1: ['dog']}
    """
    names: dict[int, list[str]] = {}
    for name, label in sorted(classes.items(), key=lambda item: item[1]):
        names.setdefault(label, []).append(name)
    return names


def names_of(label: float, names: Mapping[int, Sequence[str]]) -> tuple[str, ...]:
    """Return the class names of a label, of those that `names_by_label` returned.

    Examples
    --------
    >>> names_of(1.0, {1: ["dog"]}), names_of(0.5, {1: ["dog"]})
    (('dog',), ())
    """
    return tuple(names.get(label, ()))  # type: ignore[call-overload]  # a float finds the equal whole number


def _check_size(label: int, path: str) -> None:
    if not -(2**63) <= label < 2**63:
        raise SourceError(path=path, expected="class labels of at most 64 bits", got=label)


def _with_others(errors: Sequence[SourceError]) -> SourceError:
    """Return the first of several errors, which names the others."""
    first, *others = errors
    if others:
        first.got = f"{first.got}; and so {enumerate_some([f'{error.got} in {error.path}' for error in others])}"
    return first


def _one_label_error(path: str, label: int, names: Sequence[str], united: Mapping[str, int]) -> SourceError:
    others = enumerate_some([f"{name} with {united[name]}" for name in names if name in united])
    return SourceError(
        path=path,
        expected=f"one class for the label {label}",
        got=f"{enumerate_some(names)}, which an earlier dataset has as {others}",
        advice="give it other class names with `classes` of 'recordkit relabel'",
    )
