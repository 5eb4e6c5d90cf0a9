"""Choosing the whole records of a damaged file among all bytes that look like the head of a part.

The records of a good file form a chain: each begins where the one before ends. Damage breaks the chain, and a new one
begins at the next record that is whole, at any byte, because inserted or removed bytes move all that follows. A wrong
length, or bytes that were cut out of a record, make a record reach over its neighbours. Two facts tell such a record:

- A writer escapes each magic at a multiple of 4 from the record's head. A record whose bytes contain a whole record at
  such a place is damaged.
- A whole record at another place may be the content of an image record, such as a .rec file inside an archive. It is,
  if the record around it ends where another head or the end of the file is.

Both engines search the heads, see `recordkit.dataset.records`; this module computes with their offsets alone. Time and
memory are linear in the number of heads, whatever the file holds.
"""

from __future__ import annotations

import bisect
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.formats.frame import FIRST, HEAD_SIZE, LAST, MAX_RECORD_BYTES, MIDDLE, WHOLE

_LENGTH_MASK = np.uint64(2**29 - 1)


class Spans(NamedTuple):
    """Bytes of records in a file, with their frames, in the order of their heads.

    Attributes
    ----------
    begins : ndarray of int64, shape (n,)
        Offset of each record's head.
    ends : ndarray of int64, shape (n,)
        Offset behind its padding.
    """

    begins: NDArray[np.int64]
    ends: NDArray[np.int64]

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Spans:
        """Return some of them."""
        return Spans(self.begins[rows], self.ends[rows])


def find_spans(offsets: NDArray[np.uint64], words: NDArray[np.uint32], size: int) -> Spans:
    """Return every record whose parts are all there; they may overlap.

    Parameters
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the heads of parts, in increasing order.
    words : ndarray of uint32, shape (n,)
        ``cflag << 29 | length`` of each.
    size : int
        Size of the file, in bytes.

    Examples
    --------
    >>> heads = np.array([0, 12, 24, 40], np.uint64), np.array([3, 1 << 29 | 4, 3 << 29 | 5, 100], np.uint32)
    >>> spans = find_spans(*heads, 50)
    >>> spans.begins.tolist(), spans.ends.tolist()
    ([0, 12], [12, 40])
    """
    begins, flags = offsets.astype(np.int64), words >> np.uint32(29)
    lengths = (words & np.uint32(_LENGTH_MASK)).astype(np.int64)
    ends = begins + HEAD_SIZE + lengths + -lengths % 4
    is_record = (flags == WHOLE) & (ends <= size)
    parts = np.flatnonzero((flags != WHOLE) & (ends <= size) & ((flags == LAST) | (lengths % 4 == 0)))
    _join_parts(parts, begins, flags.astype(np.int64), lengths, ends, is_record)
    return Spans(begins[is_record], ends[is_record])


def _join_parts(
    parts: NDArray[np.int64],
    begins: NDArray[np.int64],
    flags: NDArray[np.int64],
    lengths: NDArray[np.int64],
    ends: NDArray[np.int64],
    is_record: NDArray[np.bool_],
) -> None:
    """Set the end of each first part to that of its record, if all parts follow."""
    found = np.searchsorted(begins[parts], ends[parts])
    is_followed = begins[parts[np.minimum(found, len(parts) - 1)]] == ends[parts] if len(parts) else found == 0
    followers = np.where(is_followed, found, -1).tolist()
    # For each middle or last part: the end of the record, and the bytes of the record from this part on.
    rests: list[tuple[int, int] | None] = [None] * len(parts)
    for n in range(len(parts) - 1, -1, -1):
        row = int(parts[n])
        if flags[row] == LAST:
            rests[n] = int(ends[row]), int(lengths[row])
            continue
        rest = rests[followers[n]] if followers[n] >= 0 else None
        if rest is None or int(lengths[row]) + 4 + rest[1] > MAX_RECORD_BYTES:
            continue
        if flags[row] == MIDDLE:
            rests[n] = rest[0], int(lengths[row]) + 4 + rest[1]
        elif flags[row] == FIRST:
            ends[row], is_record[row] = rest[0], True


def choose_records(spans: Spans, heads: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
    """Return the rows of the spans that are records of the file; they do not overlap.

    Parameters
    ----------
    spans : Spans
    heads : ndarray of uint64, shape (n,)
        Offsets of all heads, in increasing order.
    size : int
        Size of the file, in bytes.

    Examples
    --------
    The record at 0 reaches over the one at 12, whose place is a multiple of 4.

    >>> spans = Spans(np.array([0, 12, 24]), np.array([20, 24, 36]))
    >>> choose_records(spans, np.array([0, 12, 24], np.uint64), 36).tolist()
    [1, 2]
    """
    n = len(spans.begins)
    is_chosen = np.ones(n, bool)
    if not n:
        return np.flatnonzero(is_chosen)
    next_begins = np.append(spans.begins[1:], size)
    # Rows behind which the chain breaks, because bytes are lost or another record begins inside.
    breaks = np.flatnonzero(spans.ends != next_begins)
    inner = breaks[spans.ends[breaks] > next_begins[breaks]]
    if not len(inner):
        return np.arange(n)
    aligned = _next_aligned(spans.begins)[inner]
    is_refuted = (aligned < n) & (spans.begins[np.minimum(aligned, n - 1)] < spans.ends[inner])
    followed = np.minimum(np.searchsorted(heads, spans.ends[inner].astype(np.uint64)), len(heads) - 1)
    is_confirmed = (heads[followed] == spans.ends[inner].astype(np.uint64)) | (spans.ends[inner] == size)
    is_kept = (is_confirmed & ~is_refuted).tolist()
    behind = np.searchsorted(spans.begins, spans.ends[inner]).tolist()
    rows = inner.tolist()
    k = 0
    while k < len(rows):
        if is_kept[k]:
            is_chosen[rows[k] + 1 : behind[k]] = False
            k = bisect.bisect_left(rows, behind[k], k + 1)
        else:
            is_chosen[rows[k]] = False
            k += 1
    return np.flatnonzero(is_chosen)


def _next_aligned(begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row the next one that begins a multiple of 4 bytes later; n if there is none."""
    following = np.full(len(begins), len(begins), np.int64)
    for residue in range(4):
        rows = np.flatnonzero(begins % 4 == residue)
        following[rows[:-1]] = rows[1:]
    return following
