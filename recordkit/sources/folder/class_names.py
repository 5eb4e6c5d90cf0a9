"""Notes on the names of classes: numbers that are not the labels, and names that a reader takes for the same."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping

from recordkit.errors import enumerate_some
from recordkit.sources.folder.node import Node


def note_on_numbers(classes: Mapping[str, int], top: Node, class_of: Mapping[str, str]) -> str | None:
    """Return a note if the classes are called like numbers and have other ones, and the option that takes the numbers.

    Parameters
    ----------
    classes : mapping of str to int
        Label by class name.
    top : Node
        The folder that has the class folders.
    class_of : mapping of str to str
        Class name by path of each folder of images.
    """
    if not all(map(str.isdecimal, classes)):
        return None
    others = [f"{name!r} has {label}" for name, label in classes.items() if int(name) != label]
    if not others:
        return None
    problem = (
        "the class folders are called like numbers and have other labels, as names are sorted as text: "
        f"{enumerate_some(others)}"
    )
    if not top.name:  # the splits are below the classes
        return problem
    place = len([part for part in top.path.split("/") if part != "."])
    is_first = all(path.split("/")[place] == name for path, name in class_of.items())
    expression = r"^(\d+)/" if is_first else r"(\d+)/[^/]+$"
    options = f"--label-from '{expression}'"
    if top.path != ".":
        options += " --splits"
    return f"{problem}; recordkit pack {options} takes the numbers"


def note_on_twins(names: Iterable[str]) -> str | None:
    """Return a note if two classes differ only in upper and lower case, blanks, marks, or forms of Unicode.

    Parameters
    ----------
    names : iterable of str

    Examples
    --------
    >>> note_on_twins(["big cat", "Big_cat", "owl"])
    "these classes differ only in case, blanks or the like, and are packed as different ones: 'big cat' and 'Big_cat'"
    >>> note_on_twins(["a", "A", "owl"])
    """
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[simplify(name)].append(repr(name))
    twins = [" and ".join(group) for text, group in alike.items() if len(group) > 1 and len(text) > 1]
    if not twins:
        return None
    return (
        "these classes differ only in case, blanks or the like, and are packed as different ones: "
        f"{enumerate_some(twins)}"
    )


def simplify(name: str) -> str:
    """Return a name without the differences that people overlook.

    Examples
    --------
    >>> simplify("Big_cat "), simplify("big cat")
    ('bigcat', 'bigcat')
    """
    return re.sub(r"[\s_-]+", "", unicodedata.normalize("NFKC", name).casefold()) or name
