r"""Evidence of the places of labels in the names of images, from the names alone.

Names such as ``000123_5.jpg`` hold a key and a label. The number in ``beagle_7.jpg`` and ``IMG_2301.jpg`` is at the
same place and is a serial number. The numbers after the last ``_`` are labels only if

- nothing before the ``_`` precedes two different numbers; and
- a key is before it: a number, a long hexadecimal number, or a number after a word such as ``img``, which is different
  in each name and no date; other fields between ``_`` are the same in all names; and
- the numbers repeat, at least two times on average if they are padded; or each key is padded to six digits or more, as
  ``recordkit export`` does, or the keys have no gap and the numbers are not all the same; such numbers are not padded
  and do not count the keys.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

NUMBER_AT_END = r"_(-?\d+)\.[^.]+$"
"""Regular expression of the label in names such as ``000000_5.jpg``."""

# The first one that finds labels is proposed. A number at the beginning, such as that of a person, comes before the
# text in front of the last number, which may also name the camera.
_EXPRESSIONS = (
    r"^(\d+)_",
    r"^\d+[-_ ]([^\W\d_].*?)(?:[-_ ]\d+)?\.[^.]+$",
    r"^(.*[^\W\d_].*)_\d+_\d+\.",
    r"^(.+)_\d+\.",
    r"^(.+)-\d+\.",
    r"^(.+)\.\d+\.",
    r"^(.+?) ?\(\d+\)\.",
    r"^(.+) \d+\.",
    r"^(.*[^\W\d_])\d+\.",
    r"^([^\W\d_]+)[-_ .]",
    r"^([^_]+)_",
    r"^([^-]+)-",
    r"[-_ ]([^\W\d_]+)\.",
)
_SHARE_OF_NAMES = 0.9
# Words that cameras, programs and datasets put into the names of all images.
_WORDS_WITHOUT_MEANING = {
    *(
        "img",
        "image",
        "images",
        "photo",
        "photos",
        "picture",
        "pic",
        "dsc",
        "dscn",
        "dscf",
        "pxl",
        "mvimg",
        "pano",
        "vid",
    ),
    *("scan", "screenshot", "screen", "shot", "frame", "file", "sample", "whatsapp", "wa", "at"),
    *("train", "training", "val", "valid", "validation", "test", "ilsvrc", "coco", "voc"),
}
_DATE = re.compile(r"(?<!\d)(19|20)\d\d(-?(0[1-9]|1[0-2])(-?(0[1-9]|[12]\d|3[01])\d*)?)?(?!\d)")
_NUMBERED_WORD = re.compile(r"([^\W\d_]+)-?\d+")
_HEXADECIMAL = re.compile(r"(?=.*\d)[0-9a-fA-F-]{8,}")
_N_SMALL = 10
_N_TRIED = 100
_N_KEY_DIGITS = 6


class LabelsInNames(NamedTuple):
    """Labels that a regular expression finds in names.

    Attributes
    ----------
    expression : str
    description : str
        The number of labels and an example.
    """

    expression: str
    description: str


def doubt(names: Sequence[str]) -> str | None:
    """Return why the numbers after the last ``_`` of some names may be no labels, or None if they are labels.

    Parameters
    ----------
    names : sequence of str, at least one
        File names with suffixes.

    Examples
    --------
    >>> doubt(["000000_5.jpg", "000001_3.jpg"])
    >>> doubt(["pug_1.jpg", "pug_2.jpg"])
    "the numbers after the last '_' look like serial numbers, not labels: 'pug' is before 2 of them, 1 to 2"
    """
    before, numbers = [], []
    for name in names:
        if match := re.search(NUMBER_AT_END, name):
            before.append(name[: match.start()])
            numbers.append(match[1])
    if len(numbers) * 2 < len(names):
        other = next(name for name in names if not re.search(NUMBER_AT_END, name))
        share = f"{len(numbers)} of {len(names)} image names"
        return f"{share} end in '_' and a number, as 000000_5.jpg does; {other!r} does not"
    reason = _doubt_numbers(before, numbers)
    return f"the numbers after the last '_' look like serial numbers, not labels: {reason}" if reason else None


def _doubt_numbers(before: Sequence[str], numbers: Sequence[str]) -> str | None:
    number_by_text: dict[str, str] = {}
    different: defaultdict[str, set[int]] = defaultdict(set)
    for text, number in zip(before, numbers, strict=True):
        first = number_by_text.setdefault(text, number)
        if first != number:
            different[text].update((int(first), int(number)))
    if different:
        text, values = max(different.items(), key=lambda item: len(item[1]))
        return f"{text!r} is before {len(values)} of them, {min(values)} to {max(values)}"
    rows = [text.split("_") for text in number_by_text]
    if len(set(map(len, rows))) > 1:
        shortest, longest = min(rows, key=len), max(rows, key=len)
        return f"unlike texts are before them, such as {'_'.join(shortest)!r} and {'_'.join(longest)!r}"
    columns = [Counter(column) for column in zip(*rows, strict=True)]
    repeated = [column for column in columns if 1 < len(column) < len(rows)]
    if repeated:
        return (
            f"other parts of the names repeat too, such as {repeated[0].most_common(1)[0][0]!r}, and may be the labels"
        )
    keys = [column for column in columns if len(column) == len(rows) and (len(rows) > 1 or len(columns) == 1)]
    if len(keys) != 1 or not all(map(_is_key, keys[0])) or all(map(_DATE.search, keys[0])):
        return f"before them is no number of the image alone, as in {before[0]!r}"
    column = columns.index(keys[0])
    number_by_key = {row[column]: number for row, number in zip(rows, number_by_text.values(), strict=True)}
    return None if _are_labels(number_by_key) else _describe(numbers)


def _is_key(text: str) -> bool:
    if text.isdecimal() or _HEXADECIMAL.fullmatch(text):
        return True
    word = _NUMBERED_WORD.fullmatch(text)
    return word is not None and word[1].lower() in _WORDS_WITHOUT_MEANING


def _are_labels(number_by_key: Mapping[str, str]) -> bool:
    """Tell whether numbers after keys, which are all different, are labels."""
    numbers = list(number_by_key.values())
    n_by_label = Counter(map(int, numbers))
    if any(re.match("-?0.", number) for number in numbers):  # padded, as most serial numbers are
        return 1 < len(n_by_label) <= len(numbers) / 2
    if all(map(str.isdecimal, number_by_key)):
        labels = [int(number_by_key[key]) for key in sorted(number_by_key, key=int)]
        if len(labels) >= _N_SMALL and labels == list(range(labels[0], labels[0] + len(labels))):
            return False  # the numbers count the keys
        if len(set(map(len, number_by_key))) == 1 and min(map(len, number_by_key)) >= _N_KEY_DIGITS:
            return True
        keys = set(map(int, number_by_key))
        if max(keys) - min(keys) < len(keys) and (len(keys) == 1 or len(n_by_label) > 1):
            return True
    return len(n_by_label) > 1 and _repeat(n_by_label)


def _describe(numbers: Sequence[str]) -> str:
    values = sorted(map(int, numbers))
    if values[0] == values[-1]:
        return f"there is only {numbers[0]}"
    return f"{len(set(values))} of {len(values)} are different, {values[0]} to {values[-1]}"


def _repeat(n_by_label: Counter[int] | Counter[str]) -> bool:
    """Tell whether labels repeat as those of images do: two times on average, or in few images at all."""
    n = n_by_label.total()
    return len(n_by_label) <= n / 2 or (n < _N_SMALL and len(n_by_label) < n)


def find_expression(names: Collection[str]) -> LabelsInNames | None:
    r"""Return a regular expression that finds labels in some names, tried on these names, or None.

    Parameters
    ----------
    names : collection of str

    Examples
    --------
    >>> find_expression(["beagle_1.jpg", "beagle_2.jpg", "pug_1.jpg"])
    LabelsInNames(expression='^(.+)_\\d+\\.', description="2 classes, such as 'beagle'")
    """
    some = list(itertools.islice(names, 0, None, max(1, len(names) // _N_TRIED)))
    for expression in _EXPRESSIONS:
        if sum(bool(re.search(expression, name)) for name in some) < len(some) / 2:
            continue  # trying all expressions on a million names takes half a minute
        labels = Counter(match[1] for name in names if (match := re.search(expression, name)))
        n_meaningful = sum(map(_has_meaning, labels))
        if labels.total() >= _SHARE_OF_NAMES * len(names) and n_meaningful > 1 and _repeat(labels):
            noun = "labels" if all(map(str.isdecimal, labels)) else "classes"
            return LabelsInNames(expression, f"{len(labels)} {noun}, such as {labels.most_common(1)[0][0]!r}")
    return None


def _has_meaning(label: str) -> bool:
    """Tell whether a text is more than a date and words that images of all classes have in their names."""
    words = re.findall(r"[^\W\d_]+|\d+", _DATE.sub("", label.lower()))
    return any(not word.isdecimal() or word == label for word in words if word not in _WORDS_WITHOUT_MEANING)
