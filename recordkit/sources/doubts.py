"""Notes about a list that can be read, and whose labels are probably not what it means."""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence, Set

import numpy as np

from recordkit.formats.lst import excerpt
from recordkit.sources.columns import NO_LABELS, is_label

# A byte that is not UTF-8, see `recordkit.formats.lines`.
_SURROGATE = re.compile("[\ud800-\udfff]")
_SEPARATORS = (",", ";", "|", " ")


def doubt_class_names(names: Set[str]) -> str | None:
    """Return why the texts of a column are probably not the names of classes.

    Parameters
    ----------
    names : set of str
        The different texts, at least one.

    Returns
    -------
    doubt : str or None

    Examples
    --------
    >>> doubt_class_names({"cat", "cat,dog", "dog"})
    "class names such as 'cat,dog' are several names, and each combination is a class"
    """
    last = len(names) - 1
    if all(map(is_label, names)):
        return (
            f"the names of the classes are numbers, and their labels are 0 to {last}; a column 'label' in place of "
            "'class' keeps the numbers"
        )
    if all(is_label(name.replace(",", ".", 1)) for name in names):
        return (
            f"the names of the classes are numbers with a comma, and their labels are 0 to {last}; with points in "
            "place of the commas, a column 'label' keeps the numbers"
        )
    if undecoded := next((name for name in sorted(names) if _SURROGATE.search(name)), None):
        return f"the class name {excerpt(undecoded)} is not UTF-8; save the list as UTF-8"
    if missing := next((name for name in sorted(names) if name.lower() in NO_LABELS), None):
        return f"{missing!r} is the name of a class; do its rows have no label?"
    lower: dict[str, str] = {}
    if alike := next((name for name in sorted(names) if lower.setdefault(name.lower(), name) != name), None):
        return f"{lower[alike.lower()]!r} and {alike!r} are two classes"
    if several := next((name for name in sorted(names) if name[0] in "[{"), None):
        return f"class names such as {excerpt(several)} are lists, and each combination is a class"
    for separator in _SEPARATORS:
        parts = {name: {part.strip() for part in name.split(separator) if part.strip()} for name in names}
        several = next((name for name in sorted(names) if len(parts[name]) > 1 and parts[name] <= names), None)
        # Names of several words share some of them; but of tags there are fewer than combinations.
        if several is None and len(set().union(*parts.values())) < len(names):
            several = next(name for name in sorted(names) if len(parts[name]) > 1)
        if several is not None:
            return f"class names such as {excerpt(several)} are several names, and each combination is a class"
    return None


def count_rows(labels: Sequence[tuple[float, ...]]) -> bool:
    """Return whether the labels of rows are successive whole numbers, as keys are; two rows only from 0 or 1.

    Examples
    --------
    >>> count_rows([(4,), (5,), (6,)]), count_rows([(0,), (1,)]), count_rows([(4,), (5,)])
    (True, True, False)
    """
    firsts = [row[0] for row in labels]
    if len(firsts) < (2 if firsts[:1] in ([0], [1]) else 3):
        return False
    return all(label == firsts[0] + index for index, label in enumerate(firsts))


def doubt_labels(path_hashes: array[int], label_hashes: array[int]) -> str | None:
    """Return which image has unlike labels in several rows.

    Parameters
    ----------
    path_hashes, label_hashes : array of int64
        A number for the path and one for the labels of each row; equal numbers stand for equal values.

    Returns
    -------
    doubt : str or None

    Examples
    --------
    >>> doubt_labels(array("q", [4, 5, 4, 4]), array("q", [0, 0, 0, 1]))
    'rows 3 and 4 give one image unlike labels, and each row becomes a sample'
    """
    paths, labels = (np.frombuffer(hashes, np.int64) for hashes in (path_hashes, label_hashes))
    order = np.argsort(paths, kind="stable")
    differ = (np.diff(paths[order]) == 0) & (labels[order][1:] != labels[order][:-1])
    pairs = np.flatnonzero(differ)
    if not pairs.size:
        return None
    first, second = order[pairs[0]] + 1, order[pairs[0] + 1] + 1
    more = f", and so in {pairs.size - 1} more" if pairs.size > 1 else ""
    return f"rows {first} and {second} give one image unlike labels{more}, and each row becomes a sample"
