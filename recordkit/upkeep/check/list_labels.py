"""The labels of a .lst file as arrays, for a comparison with millions of records.

A list whose labels are plain decimal numbers, as all programs write them, is read in blocks without an object per line.
Any other list is read row by row by `recordkit.formats.lst`, which raises the error for a bad one.
"""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError
from recordkit.formats import lst
from recordkit.formats.list_lines import ListLines, TextParts
from recordkit.upkeep.check.record_table import RecordTable

# Lines that are read at a time.
_BLOCK_LINES = 1 << 16
# The bytes of decimal numbers, with tabs between.
_IS_NUMBER = np.isin(np.arange(256, dtype=np.uint8), np.frombuffer(b"0123456789+-.eE\t", np.uint8))
# A number behind the labels, which is read only if all of them are numbers.
_LAST = "0"
_TAB, _BLANK = b"\t "


class _Columns(NamedTuple):
    keys: NDArray[np.uint64]
    labels: NDArray[np.float32]
    bounds: NDArray[np.uint64]


class ListLabels:
    r"""Keys and labels of all rows of a list. Memory: 48 bytes per row, and 4 per label. A context manager.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,)

    Raises
    ------
    FormatError
        A row cannot be parsed.
    NotFoundError, OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.lst")
    >>> _ = path.write_bytes(b"7\t1.000000\ta.jpg\n5\t0\t0.5\tb.jpg\n")
    >>> with ListLabels(path) as rows:
    ...     rows.keys.tolist(), rows.labels_at(1)
    ([7, 5], (0, 0.5))
    """

    def __init__(self, path: str | Path) -> None:
        self._rows: ListLines | lst.ListFile
        try:
            self._rows, columns = _open_plain(path)
        except FormatError:
            self._rows = rows = lst.ListFile(path)
            columns = _read_rows(rows)
        self.keys, self._labels, self._bounds = columns

    def __enter__(self) -> ListLabels:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._rows.close()

    def differ(self, numbers: NDArray[np.int64], table: RecordTable, records: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell for each of some records if its labels are not the first ones of a row.

        A record may have fewer labels than its row: im2rec without --pack-label stores only the first one.

        Parameters
        ----------
        numbers : ndarray of int64, shape (m,)
            The number of the row of each record.
        table : RecordTable
        records : ndarray of int64, shape (m,)
            Rows of the table.
        """
        begins, widths = self._bounds[numbers].astype(np.int64), _widths(self._bounds)[numbers]
        record_begins, record_widths = table.bounds[records].astype(np.int64), _widths(table.bounds)[records]
        differs = record_widths > widths
        for position in range(int(np.max(record_widths, initial=0))):
            rows = np.flatnonzero((record_widths > position) & ~differs)
            values = self._labels[begins[rows] + position]
            differs[rows] = values != table.labels[record_begins[rows] + position]
        return differs

    def labels_at(self, number: int) -> tuple[float, ...]:
        """Return the labels of a row, as `recordkit.formats.lst` reads them."""
        if isinstance(self._rows, lst.ListFile):
            return self._rows[number].labels
        text, begins, ends = self._rows.read(np.array([number]))
        return lst.parse(os.fsdecode(text[int(begins[0]) : int(ends[0])].tobytes())).labels


def _widths(bounds: NDArray[np.uint64]) -> NDArray[np.int64]:
    return np.diff(bounds).astype(np.int64)


def _open_plain(path: str | Path) -> tuple[ListLines, _Columns]:
    """Open a list and read its labels.

    Raises
    ------
    FormatError
        A line has other fields, a label that is no plain number, or a path that is blank or ends with a blank.
    """
    with ExitStack() as stack:
        lines = stack.enter_context(ListLines(path))
        columns = _read_plain(lines)
        stack.pop_all()
    return lines, columns


def _read_plain(lines: ListLines) -> _Columns:
    labels, widths = [np.empty(0, np.float32)], [np.empty(0, np.int64)]
    for begin in range(0, len(lines), _BLOCK_LINES):
        block = _parse_block(lines.read(np.arange(begin, min(begin + _BLOCK_LINES, len(lines)))))
        labels.append(block[0])
        widths.append(block[1])
    bounds = np.zeros(len(lines) + 1, np.uint64)
    np.cumsum(np.concatenate(widths), out=bounds[1:], dtype=np.uint64)
    return _Columns(lines.keys, np.concatenate(labels), bounds)


def _parse_block(parts: TextParts) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the labels of some lines, concatenated, and the number of each line's."""
    text = parts.text
    if np.any(text[parts.ends - 1] <= _BLANK):
        raise FormatError(expected="paths that end with a letter", got="a blank")
    tabs = np.flatnonzero(text == _TAB)
    first, last = np.searchsorted(tabs, parts.begins), np.searchsorted(tabs, parts.ends) - 1
    steps = np.zeros(len(text) + 1, np.int8)
    steps[tabs[first] + 1] = 1
    steps[tabs[last] + 1] -= 1
    numbers = text[np.cumsum(steps[:-1], dtype=np.int8).astype(bool)]  # each with the tab behind it
    widths = last - first
    values = _parse_numbers(numbers)
    if len(values) != widths.sum() or not np.isfinite(values).all():
        raise FormatError(expected="plain finite numbers as labels", got="others")
    with np.errstate(over="ignore"):  # a label beyond float32 is none that a record has
        return values.astype(np.float32), widths


def _parse_numbers(text: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the numbers of a text, each of which has a tab behind it; fewer or none if some are no numbers."""
    if not _IS_NUMBER[text].all():
        return np.empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # older NumPy returns the numbers before a bad one
        try:
            return np.fromstring(text.tobytes().decode("ascii") + _LAST, np.float64, sep="\t")[:-1]
        except ValueError:
            return np.empty(0)


def _read_rows(rows: lst.ListFile) -> _Columns:
    """Read the labels of a list of any form."""
    labels, bounds = [], np.zeros(len(rows) + 1, np.uint64)
    for begin in range(0, len(rows), _BLOCK_LINES):
        block = rows.rows(range(begin, min(begin + _BLOCK_LINES, len(rows))))
        labels.append(_as_float32([label for row in block for label in row.labels]))
        bounds[begin + 1 : begin + len(block) + 1] = [len(row.labels) for row in block]
    bounds = np.cumsum(bounds, dtype=np.uint64)
    keys = np.frombuffer(rows.keys, np.uint64) if len(rows) else np.empty(0, np.uint64)
    return _Columns(keys, np.concatenate([np.empty(0, np.float32), *labels]), bounds)


def _as_float32(labels: list[float]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return np.array([float(label) for label in labels], np.float64).astype(np.float32)
