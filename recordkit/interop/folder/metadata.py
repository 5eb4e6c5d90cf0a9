"""The file ``metadata.csv`` in a folder of images, from which ``imagefolder`` of Hugging Face's `datasets` has columns.

Columns: `file_name`, the path of the image in the folder; `key`; `label`, and `label1` and so on if a sample has
several labels; `class`, the name of the first label, if there are class names. A cell without a value is empty.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping

from recordkit.formats import lst
from recordkit.interop.export.labels import is_whole

NAME = "metadata.csv"


class Metadata:
    r"""The lines of the file.

    Parameters
    ----------
    width : int
        Largest number of labels of a sample.
    classes : mapping of str to int, or None

    Examples
    --------
    >>> metadata = Metadata(2, {"cat": 4})
    >>> metadata.header()
    b'file_name,key,label,label1,class\n'
    >>> metadata.lines([lst.Row(7, (4.0, 0.5), "a.jpg"), lst.Row(9, (5.0,), "b,c.jpg")])
    b'a.jpg,7,4,0.5,cat\n"b,c.jpg",9,5,,\n'
    """

    def __init__(self, width: int, classes: Mapping[str, int] | None) -> None:
        self._width = width
        self._names: dict[float, str] = {label: name for name, label in (classes or {}).items()}

    def header(self) -> bytes:
        """Return the first line."""
        labels = ["label", *(f"label{number}" for number in range(1, self._width))]
        return _pack([["file_name", "key", *labels, *(["class"] if self._names else [])]])

    def lines(self, rows: Iterable[lst.Row]) -> bytes:
        """Return the lines of some images, from their rows in the list."""
        return _pack(map(self._cells, rows))

    def _cells(self, row: lst.Row) -> list[object]:
        labels = [int(label) if is_whole(label) else label for label in row.labels]
        blanks = [""] * (self._width - len(labels))
        return [row.path, row.key, *labels, *blanks, *([self._names.get(labels[0], "")] if self._names else [])]


def _pack(rows: Iterable[list[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return os.fsencode(text.getvalue())
