"""The lines of a .lst file as bytes, for copies of millions of them: keys and bounds are arrays, and nothing is parsed.

Only lists with tabs between the fields are read (`recordkit.formats.lst` has the format): KEY, a tab, the labels, a
tab, PATH. Labels are not looked at.
"""

from __future__ import annotations

import codecs
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, plural
from recordkit.formats.files import open_file, pread

# Bytes per read.
_BLOCK_BYTES = 1 << 20
# Lines with gaps up to this size between them are read together, because another system call costs more.
_MAX_GAP_BYTES = 1 << 16
# Lines that are joined at a time, which takes 16 bytes of memory for each of their bytes.
_LINES_AT_ONCE = 1 << 14
_MAX_KEY_DIGITS = 20
_MAX_LINE_BYTES = 1 << 24
_TAB, _LINE_FEED, _RETURN, _ZERO = b"\t\n\r0"


class TextParts(NamedTuple):
    """Parts of a text, one per line.

    Attributes
    ----------
    text : ndarray of uint8, shape (b,)
    begins, ends : ndarray of int64, shape (n,)
        Bounds of the parts in `text`.
    """

    text: NDArray[np.uint8]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]


class ListLines:
    r"""The lines of a list. Memory: 20 bytes per line.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : str
    keys : ndarray of uint64, shape (n,)
        Key of each line.

    Raises
    ------
    FormatError
        A line is not KEY, labels and PATH with tabs between, or too long.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.lst")
    >>> _ = path.write_bytes(b"7\t1.000000\ta.jpg\n5\t0\t2\tb.jpg")
    >>> with ListLines(path) as lines:
    ...     text, begins, ends = lines.read(np.array([1, 0]))
    ...     lines.keys.tolist(), [text[begin:end].tobytes() for begin, end in zip(begins, ends)]
    ([7, 5], [b'5\t0\t2\tb.jpg', b'7\t1.000000\ta.jpg'])
    """

    def __init__(self, path: str | Path) -> None:
        self.path = os.fspath(path)
        self._file = open_file(path, what="a .lst file")
        try:
            columns = list(self._scan())
        except BaseException:
            self._file.close()
            raise
        self.keys: NDArray[np.uint64] = np.concatenate([np.empty(0, np.uint64), *(keys for keys, _, _ in columns)])
        self._begins = np.concatenate([np.empty(0, np.int64), *(begins for _, begins, _ in columns)])
        self._sizes = np.concatenate([np.empty(0, np.int32), *(sizes for _, _, sizes in columns)])

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        self._file.close()

    def __enter__(self) -> ListLines:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __len__(self) -> int:
        return len(self.keys)

    def read(self, numbers: NDArray[np.int64]) -> TextParts:
        """Read some lines, without their ends.

        Parameters
        ----------
        numbers : ndarray of int64, shape (m,)
            0 to n - 1.

        Raises
        ------
        FormatError
            The file has become shorter since it was opened.
        """
        order = np.argsort(numbers, kind="stable") if np.any(numbers[1:] < numbers[:-1]) else np.arange(len(numbers))
        begins, sizes = self._begins[numbers[order]], self._sizes[numbers[order]].astype(np.int64)
        cuts = [0, *(np.flatnonzero(begins[1:] - begins[:-1] - sizes[:-1] > _MAX_GAP_BYTES) + 1).tolist(), len(order)]
        blocks: list[NDArray[np.uint8]] = [np.empty(0, np.uint8)]
        places = np.empty(len(numbers), np.int64)
        n_bytes = 0
        for first, last in itertools.pairwise(cuts):
            if first == last:
                continue
            begin, end = int(begins[first]), int(np.max(begins[first:last] + sizes[first:last]))
            block = np.frombuffer(pread(self._file.fileno(), end - begin, begin), np.uint8)
            if len(block) < end - begin:
                raise FormatError(
                    path=self.path, expected=f"{plural(end, 'byte')} or more", got="fewer", advice="open it again"
                )
            places[order[first:last]] = begins[first:last] - begin + n_bytes
            blocks.append(block)
            n_bytes += len(block)
        text = blocks[-1] if len(blocks) <= 2 else np.concatenate(blocks)
        return TextParts(text, places, places + self._sizes[numbers])

    def _scan(self) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32]]]:
        """Yield keys, begins and sizes of the lines, block by block."""
        rest = self._file.read(len(codecs.BOM_UTF8))
        offset = 0
        if rest == codecs.BOM_UTF8:
            rest, offset = b"", len(rest)
        n_lines = 0
        while True:
            block = self._file.read(_BLOCK_BYTES)
            text = rest + block if block else rest + b"\n" * (not rest.endswith(b"\n") and bool(rest))
            end = text.rfind(b"\n") + 1
            if end:
                keys, begins, sizes = self._split(np.frombuffer(text, np.uint8, end), n_lines)
                yield keys, begins + offset, sizes
                n_lines += text.count(b"\n", 0, end)
            rest, offset = text[end:], offset + end
            if not block:
                return
            if len(rest) >= _MAX_LINE_BYTES:
                raise FormatError(path=self.path, line=n_lines + 1, expected="a line of a list", got="a longer one")

    def _split(
        self, text: NDArray[np.uint8], n_before: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int32]]:
        feeds = np.flatnonzero(text == _LINE_FEED)
        begins = np.concatenate([np.zeros(1, np.int64), feeds[:-1] + 1])
        ends = feeds - ((feeds > begins) & (text[feeds - 1] == _RETURN))
        lines = np.flatnonzero(ends > begins)
        begins, ends = begins[lines], ends[lines]
        tabs = np.append(np.flatnonzero(text == _TAB), len(text))
        first_tabs = np.searchsorted(tabs, begins)
        n_tabs = np.searchsorted(tabs, ends) - first_tabs
        n_digits = tabs[first_tabs] - begins
        keys, is_key = _parse_keys(text, begins, n_digits)
        if (wrong := np.flatnonzero((n_tabs < 2) | ~is_key)).size:
            line = lines[wrong[0]]
            shown = text[begins[wrong[0]] : ends[wrong[0]]][:60].tobytes().decode("utf-8", "backslashreplace")
            raise FormatError(
                path=self.path,
                line=n_before + int(line) + 1,
                expected="KEY, LABEL and PATH, separated by tabs",
                got=repr(shown),
            )
        return keys, begins, (ends - begins).astype(np.int32)


def _parse_keys(
    text: NDArray[np.uint8], begins: NDArray[np.int64], n_digits: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the numbers of some digits each, and whether they are whole numbers of 64 bits."""
    keys = np.zeros(len(begins), np.uint64)
    is_key = (n_digits >= 1) & (n_digits <= _MAX_KEY_DIGITS)
    for position in range(int(np.max(n_digits[is_key], initial=0))):
        rows = np.flatnonzero(is_key & (n_digits > position))
        digits = text[begins[rows] + position].astype(np.uint64) - np.uint64(_ZERO)
        fits = digits <= 9  # other characters are far larger as unsigned numbers
        if position == _MAX_KEY_DIGITS - 1:
            fits &= keys[rows] <= (np.uint64(2**64 - 1) - np.minimum(digits, 9)) // 10
        keys[rows] = keys[rows] * np.uint64(10) + digits
        is_key[rows] = fits
    return keys, is_key


def join(parts: list[TextParts]) -> bytes:
    r"""Concatenate parts of texts, line by line: the first part of each text, then the second ones.

    Examples
    --------
    >>> text = np.frombuffer(b"ab\n", np.uint8)
    >>> names, end = np.array([1, 0]), np.array([2, 2])
    >>> join([TextParts(text, names, names + 1), TextParts(text, end, end + 1)])
    b'b\na\n'
    """
    starts = np.cumsum([0, *(len(part.text) for part in parts)])
    text = np.concatenate([part.text for part in parts])
    lines: list[bytes] = []
    for first in range(0, len(parts[0].begins), _LINES_AT_ONCE):
        rows = slice(first, first + _LINES_AT_ONCE)
        columns = list(zip(parts, starts.tolist(), strict=False))
        begins = np.stack([part.begins[rows] + start for part, start in columns], 1).ravel()
        sizes = np.stack([part.ends[rows] - part.begins[rows] for part in parts], 1).ravel()
        ends = np.cumsum(sizes)
        positions = np.repeat(begins - ends + sizes, sizes)
        positions += np.arange(len(positions))
        lines.append(text[positions].tobytes())
    return b"".join(lines)
