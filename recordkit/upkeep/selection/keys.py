"""Keys that a text or a file names, and the rows of a dataset that have them.

A text has keys and ranges of keys between commas, such as ``0:1000,1500``. A range has its first key and the key after
its last one; each may be left out. A file has a key on each line.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup, find_sorted
from recordkit.errors import FormatError, PlanError, SourceError, plural, quoted
from recordkit.formats import lst
from recordkit.formats.irheader import MAX_KEY
from recordkit.formats.lines import LineFile

_RANGE = re.compile(r"(?P<begin>\d{0,20})(?P<colon>:?)(?P<end>\d{0,20})", re.ASCII)


class KeyRange(NamedTuple):
    """Consecutive keys.

    Attributes
    ----------
    begin, last : int
        The first and the last key, 0 to 2**64 - 1.
    text : str
        The range as the user wrote it.
    """

    begin: int
    last: int
    text: str


def is_key_text(text: str) -> bool:
    """Return whether a text looks like keys and not like the name of a file.

    Examples
    --------
    >>> is_key_text("0:1000, 7"), is_key_text("keys.txt")
    (True, False)
    """
    return re.fullmatch(r"[-\d:,\s]+", text, re.ASCII) is not None


def parse_ranges(text: str) -> list[KeyRange]:
    """Return the ranges that a text names.

    Parameters
    ----------
    text : str
        Keys and ranges such as ``0:1000,1500``; the end of a range is not included.

    Raises
    ------
    PlanError
        The text has another form, or a range is empty.

    Examples
    --------
    >>> parse_ranges("5:8,12")
    [KeyRange(begin=5, last=7, text='5:8'), KeyRange(begin=12, last=12, text='12')]
    """
    return [_parse_range(part.strip()) for part in text.split(",")]


def _parse_range(text: str) -> KeyRange:
    match = _RANGE.fullmatch(text)
    if not match or not text:
        raise PlanError(argument="keys", expected="keys and ranges as 0:1000,1500", got=lst.excerpt(text))
    begin, last = int(match["begin"] or 0), MAX_KEY
    if not match["colon"]:
        last = begin
    elif match["end"]:
        last = int(match["end"]) - 1
    if last < begin or last > MAX_KEY:
        expected = "a range with a key or more, from 0 to 2**64 - 1; its end is not included"
        raise PlanError(argument="keys", expected=expected, got=lst.excerpt(text))
    return KeyRange(begin, last, text)


def read_keys(path: str | Path) -> NDArray[np.uint64]:
    r"""Read a file with a key on each line.

    Returns
    -------
    keys : ndarray of uint64, shape (m,)
        In the order of the lines.

    Raises
    ------
    NotFoundError, OSError
        The file cannot be read.
    FormatError
        A line is not a whole number from 0 to 2**64 - 1, or the file has no keys.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "keys.txt")
    >>> _ = path.write_text("7\n5\n")
    >>> read_keys(path)
    array([7, 5], dtype=uint64)
    """
    keys = array("Q")
    lines = LineFile(path, "a file of keys", suffix=".txt")
    try:
        for number, _offset, content in lines.scan():
            try:
                keys.append(lst.parse_key(content.decode("utf-8", "replace")))
            except FormatError as error:
                raise error.located(path=str(path), line=number) from None
    finally:
        lines.close()
    if not keys:
        raise FormatError(path=str(path), expected="a key on each line", got="no line")
    return np.array(keys, np.uint64)


class SortedKeys(KeyLookup):
    """The keys of a dataset, by which a user names rows. Memory: 16 bytes per sample.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        Key of each sample; keys may repeat.

    Examples
    --------
    >>> keys = SortedKeys(np.array([7, 5, 7, 9], np.uint64))
    >>> keys.in_ranges(parse_ranges("6:9")).tolist(), keys.of_each(np.array([9, 5], np.uint64), "a list").tolist()
    ([0, 2], [3, 1])
    """

    def in_ranges(self, ranges: Sequence[KeyRange]) -> NDArray[np.int64]:
        """Return the rows whose keys are in some ranges, increasing.

        Raises
        ------
        PlanError
            A range has no key of the dataset.
        """
        bounds = [self._bounds(part.begin, part.last) for part in ranges]
        absent = [part.text for part, (begin, end) in zip(ranges, bounds, strict=True) if begin == end]
        if absent:
            raise self._missing("keys", absent[0], len(absent) - 1)
        return np.unique(np.concatenate([self.order[begin:end] for begin, end in bounds]))

    def in_set(self, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the rows whose keys are among some keys, increasing.

        Raises
        ------
        PlanError
            No sample has one of the keys.
        """
        self._check(keys, "keys")
        return np.sort(self.order[find_sorted(np.unique(keys), self.sorted_keys) >= 0])

    def of_each(self, keys: NDArray[np.uint64], source: str) -> NDArray[np.int64]:
        """Return the row of each of some keys, in their order.

        Parameters
        ----------
        keys : ndarray of uint64, shape (m,)
        source : str
            The file that names the keys, for errors.

        Raises
        ------
        PlanError
            No sample has one of the keys, or several have, or a key is named twice.
        """
        self._check(keys, "listed", source)
        if (several := np.isin(keys, self.repeated_keys())).any():
            key = int(keys[np.argmax(several)])
            got = f"{key}, which {len(self.indices(key))} records have"
            raise PlanError(path=source, expected="keys that one record has each", got=got)
        if len(repeated := KeyLookup(keys).repeated_keys()):
            raise PlanError(path=source, expected="each key once", got=f"{repeated[0]} again")
        return self.first_indices(keys)

    def _bounds(self, begin: int, last: int) -> tuple[int, int]:
        low, high = np.uint64(begin), np.uint64(last)
        sorted_keys = self.sorted_keys
        return int(np.searchsorted(sorted_keys, low, "left")), int(np.searchsorted(sorted_keys, high, "right"))

    def _check(self, keys: NDArray[np.uint64], argument: str, path: str | None = None) -> None:
        if len(absent := keys[find_sorted(self.sorted_keys, keys) < 0]):
            raise self._missing(argument, str(absent[0]), len(np.unique(absent)) - 1, path)

    def _missing(self, argument: str, first: str, n_others: int, path: str | None = None) -> PlanError:
        others = f" and {n_others} more" if n_others else ""
        keys = self.sorted_keys
        expected = f"keys of the dataset, {keys[0]} to {keys[-1]}" if len(keys) else "samples"
        return PlanError(
            argument=None if path else argument,
            path=path,
            expected=expected,
            got=f"{first}{others}, which no record has",
        )


def refuse_repeated_keys(keys: NDArray[np.uint64], path: str) -> None:
    """Refuse records of which two have one key, because a reader by key would find only one of them.

    Parameters
    ----------
    keys : ndarray of uint64, shape (n,)
        The keys of the records that a new set would have.
    path : str
        The dataset that they come from.

    Raises
    ------
    SourceError

    Examples
    --------
    >>> refuse_repeated_keys(np.array([7, 5, 9], np.uint64), "a.rec")
    """
    if bool(np.all(keys[1:] > keys[:-1])):
        return
    if len(repeated := KeyLookup(keys).repeated_keys()):
        raise SourceError(
            path=path,
            key=int(repeated[0]),
            expected="each key once",
            got=f"it again, the first of {plural(len(repeated), 'repeated key')}",
            advice=f"number the records anew with 'recordkit merge {quoted(path)} NEW --renumber', and use NEW",
        )
