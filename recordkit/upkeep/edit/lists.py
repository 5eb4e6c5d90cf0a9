"""The lists of the datasets that an edit reads, whose lines go into the lists of the new sets.

A line keeps its image path. Its key and its labels are replaced if the record's are. Records and lines belong together
by their keys, because a list may have another order than its records, and more lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup
from recordkit.errors import FormatError
from recordkit.formats import lst
from recordkit.formats.list_lines import ListLines, TextParts, join
from recordkit.open_files import allow_open_files
from recordkit.storage.fileset import Fileset
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.labels.arrays import Labels

_TAB = ord("\t")


class InputLists:
    """The lists of all .rec files of the inputs; false if there are none, or not for all records.

    Memory: 20 bytes per line, and 8 more if the records of a file are in another order.

    Parameters
    ----------
    inputs : Inputs

    Attributes
    ----------
    notes : list of str
        The reason why new sets have no list.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.notes: list[str] = []
        self._file_bounds = np.array(inputs.file_bounds, np.int64)
        self._lists: list[ListLines] = []
        # The number of the line of each record of a file; None if they are 0, 1, 2 ...
        self._numbers: list[NDArray[np.int64] | None] = []
        allow_open_files(len(inputs.paths))
        with ExitStack() as stack:
            for path, begin, end in zip(inputs.paths, inputs.file_bounds, inputs.file_bounds[1:], strict=False):
                try:
                    self._add(path, inputs.keys[begin:end], stack)
                except FormatError as error:
                    self.notes.append(f"the new sets have no list: {error}")
                    self._lists.clear()
                    return
            stack.pop_all()

    def __enter__(self) -> InputLists:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        return bool(self._lists)

    def close(self) -> None:
        """Close the files."""
        for each in self._lists:
            each.close()

    def _add(self, path: Path, keys: NDArray[np.uint64], stack: ExitStack) -> None:
        files = Fileset(path)
        list_path = files.path(".lst")
        if not list_path.exists() or files.description().get("list") == "none":
            raise FormatError(path=str(path), expected="a list of this set", got="none")
        lines = stack.enter_context(ListLines(list_path))
        self._numbers.append(_numbers_of(lines, keys))
        self._lists.append(lines)

    def lines(
        self, rows: NDArray[np.int64], old_keys: NDArray[np.uint64], keys: NDArray[np.uint64], labels: Labels | None
    ) -> bytes:
        """Return the lines of some records of a new set.

        Parameters
        ----------
        rows : ndarray of int64, shape (m,)
        old_keys, keys : ndarray of uint64, shape (m,)
        labels : Labels or None
            New labels; None keeps those of the list.
        """
        parts = self._read(rows)
        if labels is None and np.array_equal(keys, old_keys):
            if np.array_equal(parts.begins[1:], parts.ends[:-1] + 1) and len(rows):
                return parts.text[int(parts.begins[0]) : int(parts.ends[-1])].tobytes() + b"\n"
            return join([parts, _line_ends(len(rows))])
        tabs = np.flatnonzero(parts.text == _TAB)
        first_tabs = tabs[np.searchsorted(tabs, parts.begins)]
        last_tabs = tabs[np.searchsorted(tabs, parts.ends) - 1]
        path_begins = first_tabs if labels is None else last_tabs
        heads = _parts_of(_key_texts(keys) if labels is None else _key_and_label_texts(keys, labels))
        return join([heads, TextParts(parts.text, path_begins, parts.ends), _line_ends(len(rows))])

    def _read(self, rows: NDArray[np.int64]) -> TextParts:
        """Read the lines of some records."""
        file_numbers = np.searchsorted(self._file_bounds, rows, "right") - 1
        texts: list[NDArray[np.uint8]] = []
        begins, ends = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
        n_bytes = 0
        for number in np.unique(file_numbers).tolist():
            chosen = np.flatnonzero(file_numbers == number)
            numbers, places = self._numbers[number], rows[chosen] - self._file_bounds[number]
            parts = self._lists[number].read(places if numbers is None else numbers[places])
            begins[chosen], ends[chosen] = parts.begins + n_bytes, parts.ends + n_bytes
            texts.append(parts.text)
            n_bytes += len(parts.text)
        return TextParts(texts[0] if len(texts) == 1 else np.concatenate(texts), begins, ends)


def _numbers_of(lines: ListLines, keys: NDArray[np.uint64]) -> NDArray[np.int64] | None:
    """Return the number of the line of each record; None if they are 0, 1, 2 ..."""
    if np.array_equal(lines.keys[: len(keys)], keys) and len(lines) == len(keys):
        return None
    lookup = KeyLookup(lines.keys)
    if len(repeated := lookup.repeated_keys()):
        raise FormatError(path=lines.path, key=int(repeated[0]), expected="each key once", got="one twice")
    numbers = lookup.first_indices(keys)
    if len(missing := keys[numbers < 0]):
        key = int(missing[0])
        raise FormatError(path=lines.path, key=key, expected="a row for each record", got="none for this one")
    return numbers


def _key_texts(keys: NDArray[np.uint64]) -> list[str]:
    return list(map(str, keys.tolist()))


def _key_and_label_texts(keys: NDArray[np.uint64], labels: Labels) -> list[str]:
    values, bounds = labels.values, labels.bounds.tolist()
    if not labels.is_exact:  # the shortest text that float32 reads as this number, as 0.1 for 0.1
        floats = [value if value.is_integer() else float(str(np.float32(value))) for value in values.tolist()]
    else:
        floats = values.tolist()
    return [
        f"{key}\t{lst.labels_text(tuple(floats[begin:end]))}"
        for key, begin, end in zip(keys.tolist(), bounds, bounds[1:], strict=False)
    ]


def _parts_of(texts: Sequence[str]) -> TextParts:
    sizes = np.array(list(map(len, texts)), np.int64)
    ends = np.cumsum(sizes)
    return TextParts(np.frombuffer("".join(texts).encode("ascii"), np.uint8), ends - sizes, ends)


def _line_ends(n: int) -> TextParts:
    return TextParts(np.frombuffer(b"\n", np.uint8), np.zeros(n, np.int64), np.ones(n, np.int64))
