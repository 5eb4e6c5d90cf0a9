"""The class names of published datasets: from the files beside the arrays, or known here.

EMNIST has a file per dataset, with a label and the codes of its characters in each line: ``1 65 97`` is A and a.
Kuzushiji-MNIST and Kuzushiji-49 have a table with the columns index, codepoint and char.

`known_class_names` has those of Fashion-MNIST, Kuzushiji-MNIST and EMNIST. The files of the first two are called like
those of MNIST, so they are recognised by the bytes of their labels, or by the name of a folder. MNIST needs no names.

Source: README of zalandoresearch/fashion-mnist; kmnist_classmap.csv of rois-codh/kmnist; the mapping files of EMNIST.
"""

from __future__ import annotations

import csv
import hashlib
import re
import string
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recordkit.errors import FormatError
from recordkit.formats import ubyte
from recordkit.formats.files import read_file
from recordkit.sources.mnist.files import ArrayFile

# EMNIST has 62 classes.
_MAX_BYTES = 1 << 20

_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"
# Names by dataset, and the label of the first one.
_KNOWN: dict[str, tuple[Sequence[str], int]] = {
    "fashion-mnist": (
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        0,
    ),
    "kmnist": ("おきすつなはまやれを", 0),
    "emnist-byclass": (string.digits + string.ascii_uppercase + string.ascii_lowercase, 0),
    "emnist-bymerge": (_MERGED, 0),
    "emnist-balanced": (_MERGED, 0),
    "emnist-letters": (string.ascii_uppercase, 1),
}
# SHA-256 of the labels as a plain ubyte file, of the training and the test set of Fashion-MNIST; they are also in
# `recordkit.interop.fetch.datasets`. Those of Kuzushiji-MNIST are not published.
_FASHION_LABELS = (
    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
)
# Folders that archives and other programs put between a dataset's folder and its files.
_INNER_FOLDERS = ("raw", "gzip")
_FOLDERS = {"fashionmnist": "fashion-mnist", "kmnist": "kmnist", "kuzushijimnist": "kmnist"}


def known_class_names(labels: ArrayFile) -> dict[str, int] | None:
    """Return the class names of a published dataset.

    Parameters
    ----------
    labels : ArrayFile

    Returns
    -------
    classes : dict of str to int, or None
        None if the dataset is unknown, has no names but its numbers, or if labels are not those of its classes.

    Raises
    ------
    FormatError
        The labels are damaged.
    """
    dataset = labels.dataset.lower()
    if not dataset and not labels.member.startswith("y_"):
        dataset = _dataset_by_content(labels) or _dataset_by_folder(labels.path.parent)
    if dataset not in _KNOWN:
        return None
    names, first = _KNOWN[dataset]
    numbers = labels.read()
    if not numbers.size or numbers.ndim != 1 or numbers.min() < first or numbers.max() >= first + len(names):
        return None
    return {name: first + position for position, name in enumerate(names)}


def _dataset_by_content(labels: ArrayFile) -> str:
    numbers = labels.read()
    if numbers.dtype != np.uint8:
        return ""
    return "fashion-mnist" if hashlib.sha256(ubyte.pack(numbers)).hexdigest() in _FASHION_LABELS else ""


def _dataset_by_folder(folder: Path) -> str:
    folder = folder.resolve()
    while folder.name.lower() in _INNER_FOLDERS:
        folder = folder.parent
    return _FOLDERS.get(re.sub("[^a-z]", "", folder.name.lower()), "")


def find_class_names(folder: Path, dataset: str) -> dict[str, int] | None:
    """Read the class names of a dataset: DATASET-mapping.txt or DATASET_classmap.csv, in the folder or in that above.

    Parameters
    ----------
    folder : Path
        Folder of the arrays.
    dataset : str
        Name in front of the files, such as ``emnist-letters``.

    Returns
    -------
    classes : dict of str to int, or None
        None if there is no such file. The name of an EMNIST class is its first character that no other class has.

    Raises
    ------
    FormatError
        The file has other lines.
    """
    for name, read_rows in ((f"{dataset}-mapping.txt", _read_mapping), (f"{dataset}_classmap.csv", _read_table)):
        for path in (folder / name, folder.parent / name):
            if path.is_file():
                return _number(path, read_rows(path))
    return None


def _number(path: Path, rows: list[tuple[int, list[str]]]) -> dict[str, int]:
    classes: dict[str, int] = {}
    for label, characters in rows:
        name = next((character for character in characters if character not in classes), None)
        if name is None:
            raise FormatError(
                path=str(path), expected="another character for each label", got=f"label {label} with that of another"
            )
        classes[name] = label
    return classes


def _read_mapping(path: Path) -> list[tuple[int, list[str]]]:
    rows = []
    for number, line in enumerate(_lines(path), 1):
        try:
            label, *codes = map(int, line.split())
            rows.append((label, list(map(chr, codes))))
        except (ValueError, OverflowError):
            raise FormatError(
                path=str(path), line=number, expected="a label and the codes of its characters", got=repr(line)
            ) from None
    return rows


def _read_table(path: Path) -> list[tuple[int, list[str]]]:
    rows = []
    for number, row in enumerate(csv.reader(_lines(path)), 1):
        if number == 1:  # the names of the columns
            continue
        try:
            index, _, character = row
            rows.append((int(index), [character]))
        except ValueError:
            raise FormatError(
                path=str(path), line=number, expected="index, code point and character", got=",".join(row)
            ) from None
    return rows


def _lines(path: Path) -> list[str]:
    try:
        text = read_file(path, max_bytes=_MAX_BYTES, what="class names").decode("utf-8-sig")
        return [line for line in text.splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise FormatError(path=str(path), expected="class names in UTF-8", got="other bytes") from None
