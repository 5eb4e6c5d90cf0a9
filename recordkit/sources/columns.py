"""The columns of a list: which one is the path, which are labels, and how a row is divided into them.

The names of the columns are a text such as ``path,label``:

==========  =================================================================
``path``    the path of the image
``label``   a number
``labels``  one number or more, as many columns as the others leave
``class``   the name of a class
``key``     the key, a whole number; without it, the key is the row's position
``-``       a column that is not used
==========  =================================================================
"""

from __future__ import annotations

import csv
import re
from typing import NamedTuple

from recordkit.errors import FormatError, PlanError, plural
from recordkit.formats.lst import excerpt, is_number, parse_key, parse_label
from recordkit.sources.files import EXTENSIONS

DELIMITERS = {"\t": "tabs", ",": "commas", ";": "semicolons", " ": "blanks"}
"""Each delimiter and its name. The blank stands for any number of blanks and tabs."""

NO_LABELS = ("", "nan", "na", "n/a", "null", "none", "?", "inf", "-inf")
"""Texts that programs write for a missing label, in lower case."""

_NAMES = ("path", "label", "labels", "class", "key", "-")


class TableRow(NamedTuple):
    """One row of a list.

    Attributes
    ----------
    key : int or None
        None if there is no such column.
    labels : tuple of float or int
        The numbers; empty if the label is a class name.
    class_name : str or None
    path : str
    """

    key: int | None
    labels: tuple[float, ...]
    class_name: str | None
    path: str


class Columns:
    """The columns of a list.

    Parameters
    ----------
    text : str
        The names of the columns, separated by commas.

    Raises
    ------
    PlanError
        A name is unknown, there is no path or no label, or a column is there twice.

    Examples
    --------
    >>> columns = Columns("path,label")
    >>> columns.row(columns.split("my cats/tom.jpg 3", " "))
    TableRow(key=None, labels=(3,), class_name=None, path='my cats/tom.jpg')
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.names = [name.strip() for name in text.split(",")]
        if problem := self._problem():
            raise PlanError(
                argument="columns", expected="names such as path,label or -,path,class", got=f"{text!r}: {problem}"
            )

    def _problem(self) -> str:
        unknown = [name for name in self.names if name not in _NAMES]
        if unknown:
            return f"{unknown[0]!r} is not one of {', '.join(_NAMES)}"
        counts = {name: self.names.count(name) for name in _NAMES}
        if counts["path"] != 1:
            return f"path is there {counts['path']} times"
        if repeated := [name for name in ("labels", "class", "key") if counts[name] > 1]:
            return f"{repeated[0]} is there {counts[repeated[0]]} times"
        kinds = [name for name in ("label", "labels", "class") if counts[name]]
        if len(kinds) != 1:
            return f"{' and '.join(kinds)} exclude each other" if kinds else "label, labels or class is missing"
        return ""

    def split(self, text: str, delimiter: str) -> list[str]:
        """Divide a row into fields.

        Parameters
        ----------
        text : str
        delimiter : str
            One of `DELIMITERS`. Fields may be quoted as in CSV. Between blanks, fields that the row has beyond the
            number of columns belong to the path or to the name of the class, if there is only one of them. With
            ``path,class``, the path ends with the last suffix of an image, or with the first word if there is none.

        Returns
        -------
        fields : list of str
            Without blanks around them.

        Examples
        --------
        >>> Columns("path,class").split('"a, b.jpg",cat', ",")
        ['a, b.jpg', 'cat']
        """
        if delimiter == " " and '"' not in text:
            texts = [name for name in self.names if name in ("path", "class")]
            if self.names == ["path", "class"]:
                return _split_after_image(text)
            if "labels" in self.names or len(texts) > 1:
                return text.split()
            n_before = self.names.index(texts[0])
            *fields, rest = text.split(maxsplit=n_before) or [""]
            return [*fields, *rest.rsplit(maxsplit=len(self.names) - 1 - n_before)]
        return split_fields(text, delimiter)

    def fits(self, fields: list[str]) -> bool:
        """Tell whether the number of fields is right."""
        n_extra = len(fields) - len(self.names)
        return n_extra == 0 or (n_extra > 0 and "labels" in self.names)

    def row(self, fields: list[str]) -> TableRow:
        """Return the values of a row.

        Raises
        ------
        FormatError
            The number of fields is wrong, or the text of a field is.
        """
        if not self.fits(fields):
            raise FormatError(
                expected=f"{plural(len(self.names), 'column')}, {self.text}",
                got=f"{len(fields)}: {excerpt(', '.join(fields))}",
                advice="name each column, '-' skips one, and put quotes around a field that has blanks",
            )
        key, labels, class_name, path = None, [], None, ""
        names = self.names
        if n_extra := len(fields) - len(names):
            position = names.index("labels")
            names = [*names[:position], *["labels"] * n_extra, *names[position:]]
        for name, field in zip(names, fields, strict=True):
            if name == "path":
                path = field
            elif name == "class":
                class_name = field
            elif name == "key":
                key = parse_key(field)
            elif name != "-":
                labels.append(_parse_label(field))
        if not path or class_name == "":
            raise FormatError(expected=f"a text as {'CLASS' if path else 'PATH'}", got="an empty field")
        return TableRow(key, tuple(labels), class_name, path)


def is_label(field: str) -> bool:
    """Return whether a field is a finite number, without the underscores that Python allows between digits.

    Examples
    --------
    >>> is_label("3.0"), is_label("3_1"), is_label("cat")
    (True, False, False)
    """
    return "_" not in field and is_number(field)


def _parse_label(field: str) -> float:
    if not is_label(field):
        raise FormatError(expected="a finite number as LABEL", got=excerpt(field), advice=_label_advice(field))
    return parse_label(field)


def _label_advice(field: str) -> str:
    if field.lower() in NO_LABELS:
        return "the row has no label: write one or remove the row"
    if is_label(field.replace(",", ".", 1)):
        return "write a point in place of the comma"
    return "a class name needs the column 'class' in place of 'label'"


def _split_after_image(text: str) -> list[str]:
    """Divide a row into a path and a text: after the last suffix of an image, or after the first word."""
    ends = [match.start() for match in re.finditer(r"\s+(?=\S)", text.rstrip())]
    end = next((end for end in reversed(ends) if text[:end].lower().endswith(EXTENSIONS)), None)
    return text.split(maxsplit=1) if end is None else [text[:end].strip(), text[end:].strip()]


def split_fields(text: str, delimiter: str) -> list[str]:
    """Divide a row into fields, whatever their number; see `Columns.split`.

    Examples
    --------
    >>> split_fields('a.jpg  "tabby cat"', " ")
    ['a.jpg', 'tabby cat']
    """
    if '"' not in text:
        return text.split() if delimiter == " " else [field.strip() for field in text.split(delimiter)]
    if delimiter == " ":
        text = text.strip().replace("\t", " ")
    try:
        (fields,) = csv.reader([text], delimiter=delimiter, skipinitialspace=True)
    except csv.Error:  # a field of more than 128 kB
        return [text]
    return [field.strip() for field in fields if field or delimiter != " "]
