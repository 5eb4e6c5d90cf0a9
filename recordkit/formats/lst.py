r"""MXNet's .lst file: the images of a .rec file with their keys and labels.

The file is text, one row per line::

    KEY <tab> LABEL [<tab> LABEL ...] <tab> PATH <line feed>

KEY is an integer from 0 to 2**64 - 1, a LABEL is a finite number, and PATH is relative to a folder that the list
does not name. Files are UTF-8 with or without a byte-order mark, CRLF is accepted, blank lines are skipped,
and bytes of a PATH that are not UTF-8 are kept (surrogateescape).

A whole label is written with six decimals, as im2rec.py writes it. Any other label is written with the fewest digits
that give the same number back, because six decimals would turn 1e-7 into 0.

MXNet's native im2rec splits KEY and LABELs at any white space and needs the number of labels; the argument
`label_width` selects its rules. With "auto", the row itself says how many labels it has.

Source: ``read_list`` and ``write_list``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import itertools
import math
import os
import re
from array import array
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Literal, NamedTuple

from recordkit.errors import FormatError, plural
from recordkit.formats.irheader import MAX_KEY
from recordkit.formats.lines import LineFile

LabelWidth = int | Literal["auto"] | None
"""How a row is split; see `parse`."""

# The first line of a .csv file.
_HEADING = re.compile(r"\s*(key|id|index|label|path)\s*[,;]", re.IGNORECASE)
_WHOLE = re.compile(r"([+-]?\d{1,20})(?:\.0*)?")
_TAB_ADVICE = "put tabs between the fields"
_HEADING_ADVICE = "remove the line of headings, and put tabs between the fields"


class Row(NamedTuple):
    """One row of a list.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    labels : tuple of float or int, at least one
        An int if the text is a whole number without a point, or one of at least 2**53, which a float may not hold.
        This keeps 64-bit labels exact.
    path : str
        Path relative to the list's root.
    """

    key: int
    labels: tuple[float, ...]
    path: str


def parse(text: str, *, label_width: LabelWidth = None) -> Row:
    r"""Parse one row.

    Parameters
    ----------
    text : str
        The line without its line feed.
    label_width : int or "auto", optional
        None splits the row at tabs. A number of labels splits it at any white space, as the native im2rec does. "auto"
        does so for one label, except where tabs separate several labels: these are all read.

    Returns
    -------
    row : Row

    Raises
    ------
    FormatError
        A field is missing, the key is not a whole number from 0 to 2**64 - 1, or a label is not a finite number.

    Examples
    --------
    >>> parse("12\t3.000000\tcats/tom.jpg")
    Row(key=12, labels=(3.0,), path='cats/tom.jpg')
    >>> parse("12 3 cats/tom.jpg", label_width="auto") == parse("12 3 cats/tom.jpg", label_width=1)
    True
    """
    fields = text.split("\t")
    if label_width is None or (label_width == "auto" and len(fields) > 3 and all(map(is_number, fields[1:-1]))):
        if len(fields) < 3 or not fields[-1].strip():
            is_apart = len(fields) == 1 and _count_labels(text)
            raise FormatError(
                expected="KEY, LABEL and PATH, separated by tabs",
                got=f"{plural(len(fields), 'field')}: {excerpt(text)}",
                advice=_TAB_ADVICE if is_apart else _advise_tabs(text),
            )
    else:
        fields = _split_at_blanks(text, 1 if label_width == "auto" else label_width)
    return Row(parse_key(fields[0]), tuple(map(parse_label, fields[1:-1])), fields[-1])


def parse_key(field: str) -> int:
    """Return the key that a text says.

    Raises
    ------
    FormatError
        The text is not a whole number from 0 to 2**64 - 1.

    Examples
    --------
    >>> parse_key(" 12")
    12
    """
    key = field.strip()
    if not (key.isascii() and key.isdigit() and len(key) <= 20 and int(key) <= MAX_KEY):
        raise FormatError(
            expected="a whole number from 0 to 2**64 - 1 as KEY",
            got=excerpt(key),
            advice=_advise_tabs(key),
        )
    return int(key)


def parse_label(field: str) -> float:
    """Return the label that a text says.

    Parameters
    ----------
    field : str

    Returns
    -------
    label : float or int
        An int if the text is a whole number without a point, or one of at least 2**53; see `Row`.

    Raises
    ------
    FormatError
        The text is not a finite number.

    Examples
    --------
    >>> parse_label("3"), parse_label("3.000000"), parse_label("9007199254740993.0")
    (3, 3.0, 9007199254740993)
    """
    text = field.strip()
    try:
        label = float(text)
    except ValueError:
        label = math.nan
    if "." in text and abs(label) < 2**53:  # as im2rec writes them
        return label
    whole = _WHOLE.fullmatch(text)
    if whole:
        return int(whole[1])
    if not math.isfinite(label):
        raise FormatError(expected="a finite number as LABEL", got=excerpt(text))
    return label


def _split_at_blanks(text: str, n_labels: int) -> list[str]:
    fields = text.split(maxsplit=1 + n_labels)
    is_long_enough = len(fields) == 2 + n_labels
    if is_long_enough and is_number(fields[n_labels]):
        return fields
    n_found = _count_labels(text)
    if not is_long_enough or 0 < n_found < n_labels:
        raise FormatError(
            expected=f"KEY, {plural(n_labels, 'label')} and PATH, separated by blanks",
            got=f"{plural(n_found, 'label') if n_found else plural(len(fields), 'field')}: {excerpt(text)}",
            advice=f"give `label_width={n_found}`" if n_found else _advise_tabs(text),
        )
    return fields


def _advise_tabs(text: str) -> str | None:
    """Return what to do with a row in which a comma or semicolon follows the key or its heading, as in a .csv file."""
    if _HEADING.match(text):
        return _HEADING_ADVICE
    return _TAB_ADVICE if re.match(r"\s*\d+\s*[,;]", text) else None


def _count_labels(text: str) -> int:
    """Return the number of numbers between the key and the path of a row, which tabs or blanks separate."""
    fields = text.split("\t")
    if len(fields) < 3 or not all(map(is_number, fields[1:-1])):
        fields = text.split()
    return sum(1 for _ in itertools.takewhile(is_number, fields[1:-1]))


def is_number(text: str) -> bool:
    """Return whether a text is a finite number, as a label must be.

    Examples
    --------
    >>> is_number("3.000000"), is_number("nan"), is_number("3.jpg")
    (True, False, False)
    """
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def describe_widths(widths: Collection[int]) -> str:
    """Return numbers of labels in words.

    Examples
    --------
    >>> describe_widths([1]), describe_widths([2]), describe_widths([1, 3])
    ('1 label', '2 labels', '1 to 3 labels')
    """
    low, high = min(widths), max(widths)
    return plural(low, "label") if low == high else f"{low} to {high} labels"


def excerpt(text: str, max_characters: int = 60) -> str:
    """Return a text in quotes, cut if it is long.

    Examples
    --------
    >>> excerpt("cat/0.jpg"), excerpt("0 0 1 1 1 1 1 1", 9)
    ("'cat/0.jpg'", "'0 0 1 ...'")
    """
    return repr(text if len(text) <= max_characters else f"{text[: max_characters - 3]}...")


def line(row: Row) -> bytes:
    r"""Format one row as a line of a .lst file.

    Parameters
    ----------
    row : Row

    Returns
    -------
    line : bytes
        UTF-8, with its line feed.

    Raises
    ------
    FormatError
        The path is blank, or contains a tab or a line break, which the format cannot express.

    Examples
    --------
    >>> line(Row(12, (3, 0.1), "cats/tom.jpg"))
    b'12\t3.000000\t0.1\tcats/tom.jpg\n'
    """
    check_path(row.path)
    return os.fsencode(f"{row.key}\t{labels_text(row.labels)}\t{row.path}\n")


def check_path(path: str) -> None:
    """Refuse a path that a row cannot hold.

    Raises
    ------
    FormatError
        The path is blank, or contains a tab or a line break.
    """
    if "\t" in path or "\n" in path or "\r" in path or not path.strip():
        raise FormatError(
            expected="a path that is not blank and has no tabs or line breaks",
            got=repr(path),
            advice="rename the file, a .lst row cannot hold it",
        )


def lines(rows: Sequence[tuple[int, tuple[float, ...], str]]) -> bytes:
    """Format many rows at once.

    Parameters
    ----------
    rows : sequence of (key, labels, path), such as Row

    Returns
    -------
    lines : bytes

    Raises
    ------
    FormatError
        Same condition as for `line`.
    """
    text = "".join([f"{key}\t{labels_text(labels)}\t{path}\n" for key, labels, path in rows])
    n_tabs = sum([len(labels) + 1 for _, labels, _ in rows])
    # All paths are checked together as `line` checks each; `line` then raises for the first bad one.
    marks = text.count("\n"), text.count("\t"), text.count("\r")
    if marks == (len(rows), n_tabs, 0) and all(path.strip() for _, _, path in rows):
        return os.fsencode(text)
    return b"".join([line(Row(*row)) for row in rows])


def labels_text(labels: tuple[float, ...]) -> str:
    r"""Return the labels of a row as text, with tabs between them.

    Examples
    --------
    >>> labels_text((3, 0.5))
    '3.000000\t0.5'
    """
    return _label_text(labels[0]) if len(labels) == 1 else "\t".join([_label_text(label) for label in labels])


# `typed`, because 2**63 and 2.0**63 are equal but written differently.
@lru_cache(maxsize=1 << 14, typed=True)
def _label_text(label: float) -> str:
    if isinstance(label, int):
        return f"{label}.000000"
    return f"{label:.6f}" if label.is_integer() and abs(label) < 2**63 else repr(label)


class ListFile:
    """The rows of a .lst file, read from the file each time.

    Opening reads and checks every row once and keeps 24 bytes per row: a list of a million rows takes 24 MB.
    Threads may share an instance.

    Parameters
    ----------
    path : str or Path
    label_width : int or "auto", optional
        Number of labels, see `parse`.
    part : (part_index, num_parts), default (0, 1)
        Read only one of `num_parts` ranges of the file, equal in bytes, as the native im2rec divides lists.
    lenient : bool, default False
        Skip rows that cannot be parsed and collect their errors in `bad`, instead of raising the first.
    on_row : callable, optional
        Called with index, line number and path of each row while the file is opened.

    Attributes
    ----------
    path : str
    keys : array of uint64
        Keys of all rows, in order.
    widths : set of int
        The numbers of labels that rows have.
    bad : list of FormatError
        Errors of the skipped rows, with path and line.

    Raises
    ------
    FormatError
        A row cannot be parsed. The error has path and line.
    NotFoundError
        The file does not exist.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.lst")
    >>> _ = path.write_bytes(line(Row(12, (3,), "cats/tom.jpg")))
    >>> with ListFile(path) as rows:
    ...     len(rows), rows[0]
    (1, Row(key=12, labels=(3.0,), path='cats/tom.jpg'))
    """

    def __init__(
        self,
        path: str | Path,
        *,
        label_width: LabelWidth = None,
        part: tuple[int, int] = (0, 1),
        lenient: bool = False,
        on_row: Callable[[int, int, str], None] | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.keys = array("Q")
        self.widths: set[int] = set()
        self.bad: list[FormatError] = []
        self._label_width = label_width
        self._part = part
        self._lines = LineFile(path, "a .lst file", suffix=".lst")
        try:
            self._index(on_row, lenient=lenient)
        except BaseException:
            self._lines.close()
            raise

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._lines.close()

    def __enter__(self) -> ListFile:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Row:
        return self.rows((index,))[0]

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """Return the rows at `indices`. Rows of a range with step 1 are read with one system call."""
        return [parse(text, label_width=self._label_width) for text in self._lines.texts(indices)]

    def _index(self, on_row: Callable[[int, int, str], None] | None, *, lenient: bool) -> None:
        part_bytes = -(-self._lines.n_bytes // self._part[1])
        for number, offset, content in self._lines.scan():
            # A line belongs to the range that contains the line feed before it; the first line belongs to range 0.
            if max(-(-offset // part_bytes) - 1, 0) != self._part[0]:
                continue
            try:
                row = parse(os.fsdecode(content), label_width=self._label_width)
            except FormatError as error:
                located = error.located(path=self.path, line=number)
                if not lenient:
                    raise located from None
                self.bad.append(located)
                continue
            if on_row is not None:
                on_row(len(self.keys), number, row.path)
            self.keys.append(row.key)
            self.widths.add(len(row.labels))
            self._lines.keep(offset, len(content))
