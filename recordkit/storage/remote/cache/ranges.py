"""Ranges of bytes, as pairs of arrays: merging, joining over small gaps, cutting out and dividing."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ranges = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Begins and ends, sorted and apart from each other."""


def merge(begins: ArrayLike, ends: ArrayLike, *, gap: int = 0) -> Ranges:
    """Merge ranges that overlap, touch, or have fewer than `gap` bytes between them. Empty ranges are left out.

    Examples
    --------
    >>> merge([20, 0, 5], [30, 6, 9])
    (array([ 0, 20]), array([ 9, 30]))
    >>> merge([20, 0, 5], [30, 6, 9], gap=12)
    (array([0]), array([30]))
    """
    begin, end = np.asarray(begins).astype(np.int64), np.asarray(ends).astype(np.int64)
    if not (begin < end).all():
        begin, end = begin[begin < end], end[begin < end]
    if not begin.size:
        return begin, end
    if not (begin[1:] >= begin[:-1]).all():
        order = np.argsort(begin, kind="stable")
        begin, end = begin[order], end[order]
    reach = np.maximum.accumulate(end)
    is_first = np.append(True, begin[1:] > reach[:-1] + max(0, gap - 1))
    is_last = np.append(is_first[1:], True)
    return begin[is_first], reach[is_last]


def pages_of(ranges: Ranges, page_bytes: int) -> NDArray[np.int64]:
    """Return the numbers of the pages that merged ranges touch, sorted.

    Examples
    --------
    >>> pages_of(merge([0, 25], [1, 41]), 10)
    array([0, 2, 3, 4])
    """
    first, last = ranges[0] // page_bytes, (ranges[1] - 1) // page_bytes
    counts = last - first + 1
    starts = np.repeat(first - np.append(0, np.cumsum(counts)[:-1]), counts)
    pages = starts + np.arange(counts.sum())
    return pages[np.append(True, pages[1:] != pages[:-1])] if pages.size else pages


def bytes_in_pages(ranges: Ranges, pages: NDArray[np.int64], page_bytes: int) -> NDArray[np.int64]:
    """Return how many bytes of merged ranges are in each page.

    Examples
    --------
    >>> bytes_in_pages(merge([0, 25], [1, 41]), np.array([0, 2, 3, 4]), 10)
    array([ 1,  5, 10,  1])
    """
    begins, ends = ranges
    before = np.append(0, np.cumsum(ends - begins))

    def up_to(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many bytes of the ranges are before each offset."""
        which = np.searchsorted(begins, offsets, side="right")
        return before[which] - np.where(which > 0, np.maximum(0, ends[which - 1] - offsets), 0)

    return up_to((pages + 1) * page_bytes) - up_to(pages * page_bytes) if len(pages) else pages


def subtract(begin: int, end: int, others: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of a range that are in none of the others, which are sorted by their begins.

    Examples
    --------
    >>> subtract(0, 10, [(2, 3), (3, 5), (9, 20)])
    [(0, 2), (5, 9)]
    """
    parts = []
    for other_begin, other_end in others:
        if begin < other_begin:
            parts.append((begin, min(other_begin, end)))
        begin = max(begin, other_end)
    if begin < end:
        parts.append((begin, end))
    return parts


def divide(begin: int, end: int, max_bytes: int) -> list[tuple[int, int]]:
    """Divide a range into pieces of about equal size and at most `max_bytes`.

    Examples
    --------
    >>> divide(0, 21, 10)
    [(0, 7), (7, 14), (14, 21)]
    """
    n = max(1, -(-(end - begin) // max_bytes))
    bounds = [begin + (end - begin) * i // n for i in range(n + 1)]
    return list(itertools.pairwise(bounds))
