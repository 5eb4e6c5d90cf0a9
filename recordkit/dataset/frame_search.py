"""Searching a .rec file for its whole frames, and the bytes that are lost between them.

A good file is a chain of records, in which each tells where the next begins. Where the chain is broken, all bytes are
searched for heads, and `recordkit.dataset.frame_chain` chooses the records among them.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.frame_chain import Spans, choose_records, find_spans
from recordkit.dataset.records import RecordFile
from recordkit.errors import FormatError
from recordkit.formats.frame import RecordReader
from recordkit.formats.heads import is_zero

# Bytes of a file that are searched in one call of the core.
_BLOCK_BYTES = 1 << 25


@dataclass(frozen=True)
class LostBytes:
    """A part of a .rec file that holds no whole record.

    Attributes
    ----------
    path : Path
        The .rec file.
    offset : int
        Offset of the first lost byte.
    n_bytes : int
        Number of bytes to the next whole record, or to the end of the file.
    reason : str
    fault_offset : int
        Offset at which a reader notices the damage: in these bytes, or directly behind them.
    """

    path: Path
    offset: int
    n_bytes: int
    reason: str
    fault_offset: int


class WholeFrames(NamedTuple):
    """The whole frames of a file.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads in bytes, in file order.
    lost : list of LostBytes
        In file order; empty if the file is not damaged.
    """

    offsets: NDArray[np.uint64]
    lost: list[LostBytes]


def find_frames(path: Path, file: RecordFile, progress: Callable[[int], None]) -> WholeFrames:
    """Find all whole frames of a .rec file, whatever is damaged.

    Parameters
    ----------
    path : Path
        The .rec file.
    file : RecordFile
        The same file, open.
    progress : callable
        Called with the number of bytes passed since the last call; the numbers add up to the size of the file.

    Returns
    -------
    frames : WholeFrames
        Finding those of a damaged file takes up to 80 bytes of memory per record, of a good one 8.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    n_passed = 0

    def pass_on(n_bytes: int) -> None:
        nonlocal n_passed
        n_passed += n_bytes
        progress(n_bytes)

    try:
        return WholeFrames(file.scan(progress=pass_on), [])
    except FormatError:
        n_scanned = n_passed
    n_passed = 0

    def pass_on_what_is_new(n_bytes: int) -> None:
        nonlocal n_passed
        n_passed += n_bytes
        if n_passed > n_scanned:
            progress(min(n_bytes, n_passed - n_scanned))

    heads, words = find_heads(file, pass_on_what_is_new)
    candidates = find_spans(heads, words, file.size)
    spans = candidates.at(choose_records(candidates, heads, file.size))
    with RecordReader(path) as reader:
        return WholeFrames(spans.begins.astype(np.uint64), list(find_lost_bytes(reader, path, spans, {})))


def find_heads(
    file: RecordFile, progress: Callable[[int], None] | None
) -> tuple[NDArray[np.uint64], NDArray[np.uint32]]:
    """Find everything that looks like the head of a part; see `recordkit.formats.heads`.

    Parameters
    ----------
    file : RecordFile
    progress : callable or None
        Called with the number of bytes passed since the last call; the numbers add up to the size of the file.
    """
    heads, words = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)]
    for begin in range(0, file.size, _BLOCK_BYTES):
        end = min(begin + _BLOCK_BYTES, file.size)
        block_heads, block_words = file.heads(begin, end)
        heads.append(block_heads)
        words.append(block_words)
        if progress:
            progress(end - begin)
    return np.concatenate(heads), np.concatenate(words)


def find_lost_bytes(reader: RecordReader, path: Path, spans: Spans, reasons: dict[int, str]) -> Iterator[LostBytes]:
    """Yield the bytes between the records.

    Parameters
    ----------
    reader : RecordReader
    path : Path
        The same file.
    spans : Spans
        The records.
    reasons : dict of int to str
        The reasons why there are no records at some offsets, each with a frame. They begin ranges of their own.
    """
    begins, ends = np.append(spans.begins, reader.size), np.append(0, spans.ends)
    framed = np.array(sorted(reasons), np.int64)
    for row in np.flatnonzero(begins > ends).tolist():
        begin, end = int(ends[row]), int(begins[row])
        inner = framed[np.searchsorted(framed, begin, "right") : np.searchsorted(framed, end)]
        cuts = [begin, *inner.tolist(), end]
        for offset, next_offset in itertools.pairwise(cuts):
            n_bytes = next_offset - offset
            reason, fault_offset = reasons.get(offset), offset
            if reason is None:
                reason, fault_offset = _describe(reader, offset, n_bytes)
            yield LostBytes(path, offset, n_bytes, reason, fault_offset)


def _describe(reader: RecordReader, offset: int, n_bytes: int) -> tuple[str, int]:
    """Return the reason why there is no record at an offset, and the offset of the fault."""
    try:
        reader.check_heads(offset, offset + n_bytes)
    except FormatError as error:
        fault_offset = offset if error.offset is None else error.offset
        has_zeros = fault_offset == offset and is_zero(reader, offset, n_bytes)
        return "expected a record, got zero bytes" if has_zeros else error.problem, fault_offset
    return "expected one record, got one that reaches over others", offset
