"""The positions of the whole records of a damaged file in their set.

Three sources, the surest first: the CRC-32 of each record of the set, an index of the set, and the order of the file up
to the first lost byte.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.frame_chain import Spans
from recordkit.dataset.keys import KeyLookup, find_sorted, match


class Places(NamedTuple):
    """The positions of records in their set.

    Attributes
    ----------
    positions : ndarray of int64, shape (n,)
        From 0; -1 for a record whose position is not known, or that is none of the set.
    is_indexed : bool
        The positions are those of an index, so a record with -1 is none of the set.
    """

    positions: NDArray[np.int64]
    is_indexed: bool


def place_records(
    offsets: NDArray[np.uint64],
    positions: NDArray[np.int64],
    n_known: int | None,
    index_offsets: NDArray[np.uint64] | None,
) -> Places:
    """Return the positions of the whole records of a file.

    Parameters
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    positions : ndarray of int64, shape (n,)
        Position of each record among the whole ones.
    n_known : int or None
        Number of records before the first lost one; None if none is lost.
    index_offsets : ndarray of uint64, shape (m,), or None
        The offsets of an .idx file in increasing order; None if there is none. They are used if most of the records are
        at these offsets.

    Examples
    --------
    >>> offsets, index = np.array([0, 24, 36], np.uint64), np.array([0, 12, 24, 36], np.uint64)
    >>> place_records(offsets, np.arange(3), 1, index).positions.tolist()
    [0, 2, 3]
    >>> place_records(offsets, np.arange(3), 1, None).positions.tolist()
    [0, -1, -1]
    """
    if n_known is None:
        return Places(positions, is_indexed=False)
    if index_offsets is not None and len(index_offsets):
        rows = find_sorted(index_offsets, offsets)
        if 2 * np.count_nonzero(rows >= 0) > len(offsets):
            return Places(rows, is_indexed=True)
    return Places(np.where(np.arange(len(offsets)) < n_known, positions, -1), is_indexed=False)


def place_by_checksums(checksums: NDArray[np.uint32], expected: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return the position of each record by its CRC-32.

    Parameters
    ----------
    checksums : ndarray of uint32, shape (n,)
        Those of the records, in file order.
    expected : ndarray of uint32, shape (m,)
        Those of the set.

    Returns
    -------
    positions : ndarray of int64, shape (n,)
        -1 for a record that is damaged or none of the set, or that is a copy of an earlier one. Records with the same
        checksum keep their order.

    Examples
    --------
    >>> place_by_checksums(np.array([7, 9, 9, 5, 7], np.uint32), np.array([7, 8, 9, 9], np.uint32)).tolist()
    [0, 2, 3, -1, -1]
    """
    positions = np.full(len(checksums), -1, np.int64)
    n = min(len(checksums), len(expected))
    n_same = n if np.array_equal(checksums[:n], expected[:n]) else int(np.argmax(checksums[:n] != expected[:n]))
    positions[:n_same] = np.arange(n_same)  # up to the first loss
    rest, free = checksums[n_same:], expected[n_same:]
    found = match(rest, free)  # the k-th record with a checksum is the k-th one of the set with it
    positions[n_same:] = np.where(found >= 0, found + n_same, -1)
    return positions


def place_by_index(
    spans: Spans,
    ids: NDArray[np.uint64],
    keys: NDArray[np.uint64] | None,
    index_offsets: NDArray[np.uint64],
) -> NDArray[np.int64] | None:
    """Return the position of each record by an index of the set.

    Where the keys of the index are the ids of the records, an id tells the position, also behind bytes that were
    inserted or removed. Otherwise offset and size do.

    Parameters
    ----------
    spans : Spans, of n records
        The whole records, in file order.
    ids : ndarray of uint64, shape (n,)
    keys : ndarray of uint64, shape (m,), or None
        Keys of the index; None if they are 0 to m - 1.
    index_offsets : ndarray of uint64, shape (m,)
        Offsets of the index, in increasing order.

    Returns
    -------
    positions : ndarray of int64, shape (n,), or None
        -1 for a record that the index does not have. None if it has no more than half of the records, as the index of
        another file, or if ids and offsets contradict each other.

    Examples
    --------
    A record was removed, so the offsets behind it are others.

    >>> spans, ids = Spans(np.array([0, 12, 28]), np.array([12, 28, 40])), np.array([7, 9, 6], np.uint64)
    >>> place_by_index(spans, ids, np.array([7, 8, 9, 6], np.uint64), np.array([0, 12, 36, 52], np.uint64)).tolist()
    [0, 2, 3]
    """
    if not len(index_offsets):
        return None
    all_keys = np.arange(len(index_offsets), dtype=np.uint64) if keys is None else keys
    by_offset = _of_same_size(find_sorted(index_offsets, spans.begins.astype(np.uint64)), spans, index_offsets)
    by_id = _of_same_size(_place_by_id(ids, all_keys), spans, index_offsets)
    is_there = by_offset >= 0
    n_there, n_same_keys = np.count_nonzero(is_there), np.count_nonzero(all_keys[by_offset[is_there]] == ids[is_there])
    if 2 * n_same_keys > n_there:
        return _unless_few(by_id)
    known = by_id[by_id >= 0]
    is_in_order = 2 * len(known) > len(ids) and 4 * np.count_nonzero(np.diff(known) > 0) >= 3 * (len(known) - 1)
    if not is_in_order:
        return _unless_few(by_offset)
    return None if 2 * n_there > len(ids) else by_id


def _of_same_size(rows: NDArray[np.int64], spans: Spans, index_offsets: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the rows of records whose size is the one by the index, which does not tell that of its last; else -1."""
    sizes = np.append(np.diff(index_offsets.astype(np.int64)), -1)[rows]
    return np.where((sizes < 0) | (sizes == spans.ends - spans.begins), rows, -1)


def _place_by_id(ids: NDArray[np.uint64], keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the row of each id among the keys; -1 for one that is not there. Keys that repeat tell no row."""
    lookup = KeyLookup(keys)
    rows = lookup.first_indices(ids)
    rows[np.isin(ids, lookup.repeated_keys())] = -1
    return rows


def _unless_few(positions: NDArray[np.int64]) -> NDArray[np.int64] | None:
    return positions if 2 * np.count_nonzero(positions >= 0) > len(positions) else None
