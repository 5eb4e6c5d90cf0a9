r"""MXNet's .lst file: which images go into a .rec file, under which keys and labels.

Text, one row per line::

    KEY <tab> LABEL [<tab> LABEL ...] <tab> PATH <line feed>

KEY is a whole number from 0 to 2**64 - 1, a LABEL a finite number, PATH is relative to a folder that the list
does not name. Files are UTF-8 with or without a byte-order mark, CRLF is accepted, blank lines are skipped,
and bytes of a PATH that are not UTF-8 are kept as they are (surrogateescape).

A whole label is written as im2rec.py writes it, with six decimals; any other in the fewest digits that give
the same number back, because six decimals would turn 1e-7 into 0.

MXNet's native im2rec splits KEY and LABELs at any white space and must be told how many labels there are;
`label_width` asks for its rules.

Source: ``read_list`` and ``write_list``, tools/im2rec.py of MXNet 1.9.
"""

from __future__ import annotations

import math
import os
import re
import weakref
from array import array
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from recordkit.errors import FormatError
from recordkit.formats.irheader import MAX_KEY

# A row of 8,600 labels is about 80 kB; a "line" far beyond that is a binary file.
MAX_LINE_BYTES = 1 << 24

_WHOLE = re.compile(r"([+-]?\d{1,20})(\.0*)?")
_BOM = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """One row of a list.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    labels : tuple of float or int, at least one
        ints where the text is a whole number without a point, or too large a one for a float to tell from its
        neighbours, so that 64-bit labels stay exact.
    path : str
        Relative to the list's root.
    """

    key: int
    labels: tuple[float, ...]
    path: str


def parse(text: str, *, label_width: int | None = None) -> Row:
    r"""Read one row.

    Parameters
    ----------
    text : str
        The line, without its line feed.
    label_width : int, optional
        Split at any white space and take this many labels, as the native im2rec does; by default split at tabs.

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
    """
    if label_width is None:
        fields = text.split("\t")
        if len(fields) < 3 or not fields[-1].strip():
            raise FormatError(f"expected KEY, LABEL and PATH between tabs, got {len(fields)} fields: {_shown(text)}")
    else:
        fields = text.split(maxsplit=1 + label_width)
        if len(fields) < 2 + label_width:
            raise FormatError(
                f"expected KEY, {label_width} labels and PATH between blanks, got {len(fields)} fields: "
                f"{_shown(text)}; is label_width right?"
            )
    key = fields[0].strip()
    if not (key.isascii() and key.isdigit() and len(key) <= 20 and int(key) <= MAX_KEY):
        raise FormatError(f"expected a whole number from 0 to 2**64 - 1 as KEY, got {_shown(key)}")
    return Row(int(key), tuple(_label(field) for field in fields[1:-1]), fields[-1])


def _label(field: str) -> float:
    text = field.strip()
    try:
        label = float(text)
    except ValueError:
        label = math.nan
    if "." in text and abs(label) < 2**53:  # as im2rec writes them
        return label
    whole = _WHOLE.fullmatch(text)
    if whole and (not whole[2] or abs(int(whole[1])) > 2**53):
        return int(whole[1])
    if not math.isfinite(label):
        raise FormatError(f"expected a finite number as LABEL, got {_shown(text)}")
    return label


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def line(row: Row) -> bytes:
    r"""Return one line of a .lst file.

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
        The path is blank, or holds a tab or a line break, which the format cannot express.

    Examples
    --------
    >>> line(Row(12, (3, 0.1), "cats/tom.jpg"))
    b'12\t3.000000\t0.1\tcats/tom.jpg\n'
    """
    if any(mark in row.path for mark in "\t\n\r") or not row.path.strip():
        raise FormatError(
            f"expected a path that is not blank and has no tabs or line breaks, got {row.path!r}; rename the file, "
            "a .lst row cannot hold it"
        )
    return os.fsencode(f"{row.key}\t{_labels_text(row.labels)}\t{row.path}\n")


def lines(rows: Sequence[tuple[int, tuple[float, ...], str]]) -> bytes:
    """Return many lines of a .lst file at once.

    Parameters
    ----------
    rows : sequence of Row, or of other (key, labels, path)

    Returns
    -------
    lines : bytes

    Raises
    ------
    FormatError
        As for `line`.
    """
    text = "".join([f"{key}\t{_labels_text(labels)}\t{path}\n" for key, labels, path in rows])
    n_tabs = sum([len(labels) + 1 for _, labels, _ in rows])
    # What `line` looks for in each path, looked for in all of them together.
    marks = text.count("\n"), text.count("\t"), text.count("\r")
    if marks == (len(rows), n_tabs, 0) and all(path.strip() for _, _, path in rows):
        return os.fsencode(text)
    return b"".join([line(Row(*row)) for row in rows])


def _labels_text(labels: tuple[float, ...]) -> str:
    return _label_text(labels[0]) if len(labels) == 1 else "\t".join([_label_text(label) for label in labels])


# Typed, because 2**63 and 2.0**63 are equal and written differently.
@lru_cache(maxsize=1 << 14, typed=True)
def _label_text(label: float) -> str:
    if isinstance(label, int):
        return f"{label}.000000"
    return f"{label:.6f}" if label.is_integer() and abs(label) < 2**63 else repr(label)


class ListFile:
    """The rows of a .lst file, read again each time they are asked for.

    Opening reads and checks every row once and keeps 16 bytes for each: a list of a million rows costs 16 MB.
    Threads may share one.

    Parameters
    ----------
    path : str or Path
    label_width : int, optional
        As in `parse`.
    part : (int, int), default (0, 1)
        Take one stretch of the file only: (number, of how many), by bytes, as the native im2rec cuts lists.
    lenient : bool, default False
        Leave out rows that cannot be read, and collect their errors in `bad`, instead of raising the first.

    Attributes
    ----------
    path : str
    keys : array of uint64
        Of all rows, in order.
    bad : list of FormatError
        One for each row left out.

    Raises
    ------
    FormatError
        A row cannot be read, with path and line.
    OSError
        The file cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        label_width: int | None = None,
        part: tuple[int, int] = (0, 1),
        lenient: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self.keys = array("Q")
        self.bad: list[FormatError] = []
        self._label_width = label_width
        self._part = part
        self._offsets = array("Q")
        self._file = open(path, "rb", buffering=1 << 16)  # noqa: SIM115 (closed by close)
        weakref.finalize(self, self._file.close)  # sources are passed on and forgotten, so nobody may call close
        try:
            self._index(lenient=lenient)
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __enter__(self) -> ListFile:
        return self

    def __exit__(self, _kind: type | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Row:
        return self.rows((index,))[0]

    def rows(self, indices: Sequence[int]) -> list[Row]:
        """Return the rows at some positions; those that follow each other are read at once."""
        bounds = [(self._offsets[2 * index], self._offsets[2 * index + 1]) for index in indices]
        if isinstance(indices, range) and indices.step == 1 and bounds:
            (begin, _), (_, end) = bounds[0], bounds[-1]
            text = os.pread(self._file.fileno(), end - begin, begin)
            texts = [text[first - begin : last - begin] for first, last in bounds]
        else:
            texts = [os.pread(self._file.fileno(), last - first, first) for first, last in bounds]
        return [parse(os.fsdecode(each), label_width=self._label_width) for each in texts]

    def _index(self, *, lenient: bool) -> None:
        step = -(-os.fstat(self._file.fileno()).st_size // self._part[1])
        for number, begin, text in self._lines():
            # A line belongs to the stretch that its first byte, or the line feed before it, lies in.
            if max(-(-begin // step) - 1, 0) != self._part[0]:
                continue
            try:
                row = parse(os.fsdecode(text), label_width=self._label_width)
            except FormatError as error:
                located = error.located(path=self.path, line=number)
                if not lenient:
                    raise located from None
                self.bad.append(located)
                continue
            self.keys.append(row.key)
            self._offsets.append(begin)
            self._offsets.append(begin + len(text))

    def _lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield number, offset and text of every line that is not blank."""
        offset = number = 0
        while raw := self._file.readline(MAX_LINE_BYTES):
            number += 1
            if len(raw) == MAX_LINE_BYTES:
                raise FormatError(
                    path=self.path,
                    line=number,
                    expected=f"lines shorter than {MAX_LINE_BYTES} bytes",
                    got="a longer one",
                    advice="is it a .lst file?",
                )
            begin = offset + (len(_BOM) if number == 1 and raw.startswith(_BOM) else 0)
            text = raw[begin - offset :].rstrip(b"\r\n")
            offset += len(raw)
            if text.strip():
                yield number, begin, text
