"""The class names that are published beside the arrays.

EMNIST has a file per dataset, with a label and the codes of its characters in each line: ``1 65 97`` is A and a.
Kuzushiji-MNIST and Kuzushiji-49 have a table with the columns index, codepoint and char.
"""

from __future__ import annotations

import csv
from pathlib import Path

from recordkit.errors import FormatError
from recordkit.formats.files import read_file

# EMNIST has 62 classes.
_MAX_BYTES = 1 << 20


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
