"""The bytes of a damaged .rec file that its repaired set does not have, and the keys of the records that were there.

An index of the set names the keys of its lost records. Without one, a gap in keys that are consecutive does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.frame_search import LostBytes
from recordkit.dataset.keys import match
from recordkit.dataset.records import read_index
from recordkit.errors import FormatError
from recordkit.storage.fileset import Fileset

# Size of the smallest image record in a file: its frame and its header.
_MIN_FRAME_BYTES = 32
# At least this share of the keys of neighbours must differ by 1 for a gap in the keys to name lost ones.
_CONSECUTIVE_SHARE = 0.9


@dataclass(frozen=True)
class LostRange:
    """Bytes of the damaged file that are not in the new set.

    Attributes
    ----------
    offset : int
        Offset of the first lost byte.
    n_bytes : int
    reason : str
    keys : tuple of int, or None
        Keys of the records that were there: that of a whole record with a bad image, or those by the index, or else by
        the gap in keys that are consecutive; None if nobody knows.
    """

    offset: int
    n_bytes: int
    reason: str
    keys: tuple[int, ...] | None


def find_lost_ranges(files: Fileset, dataset: RecordDataset) -> list[LostRange]:
    """Return what is lost between the whole records of a file, in file order.

    Parameters
    ----------
    files : Fileset
        The damaged file and its companions.
    dataset : RecordDataset
        Its whole records.
    """
    offsets, keys = dataset.offsets, dataset.keys
    gaps = np.searchsorted(offsets, np.array([lost.offset for lost in dataset.lost], np.uint64))
    pieces: dict[int, list[LostBytes]] = {}
    for lost, gap in zip(dataset.lost, gaps.tolist(), strict=True):
        pieces.setdefault(gap, []).append(lost)
    by_index = None if dataset.has_metadata else _lost_keys_of_index(files, keys)
    ranges: list[LostRange] = []
    if by_index is not None:
        for gap in sorted(by_index.keys() | pieces.keys()):
            where = int(offsets[gap]) if gap < len(offsets) else files.rec_size()
            ranges += _ranges(pieces.get(gap, []), by_index.get(gap, ()), where)
        return ranges
    is_consecutive = _are_consecutive(keys, gaps)
    for gap, gap_pieces in pieces.items():
        gap_keys = None
        if is_consecutive and 0 < gap < len(keys):
            n_bytes = sum(lost.n_bytes for lost in gap_pieces)
            n_lost = int(keys[gap]) - int(keys[gap - 1]) - 1
            if 0 <= n_lost <= n_bytes // _MIN_FRAME_BYTES:
                gap_keys = tuple(range(int(keys[gap - 1]) + 1, int(keys[gap])))
        ranges += _ranges(gap_pieces, gap_keys, 0)
    return ranges


def _ranges(pieces: list[LostBytes], keys: tuple[int, ...] | None, where: int) -> list[LostRange]:
    """Return the ranges between two whole records. Where there are as many as keys, each has one."""
    if not pieces:
        return [LostRange(where, 0, "expected the records of the index here, got none", keys)]
    first: list[tuple[int, ...] | None] = [keys, *(None if keys is None else () for _ in pieces[1:])]
    if keys is not None and len(keys) == len(pieces):
        first = [(key,) for key in keys]
    return [
        LostRange(lost.offset, lost.n_bytes, lost.reason, lost_keys)
        for lost, lost_keys in zip(pieces, first, strict=True)
    ]


def _lost_keys_of_index(files: Fileset, keys: NDArray[np.uint64]) -> dict[int, tuple[int, ...]] | None:
    """Return the keys of the index that are lost, by the number of whole records before them.

    None if there is no index, or if most of the whole records are not in it.
    """
    index_keys = _index_keys(files)
    rows = match(keys, index_keys)  # the n-th record of a key has the n-th line with it
    is_there = rows >= 0
    if 2 * np.count_nonzero(is_there) <= len(keys):
        return None
    kept = np.flatnonzero(is_there)
    kept = kept[np.argsort(rows[kept], kind="stable")]
    is_lost = np.ones(len(index_keys), bool)
    is_lost[rows[is_there]] = False
    lost_rows = np.flatnonzero(is_lost)
    n_before = np.searchsorted(rows[kept], lost_rows)
    gaps = np.where(n_before > 0, kept[np.maximum(n_before - 1, 0)] + 1, 0)
    lost: dict[int, list[int]] = {}
    for gap, key in zip(gaps.tolist(), index_keys[lost_rows].tolist(), strict=True):
        lost.setdefault(gap, []).append(key)
    return {gap: tuple(lost_keys) for gap, lost_keys in lost.items()}


def _index_keys(files: Fileset) -> NDArray[np.uint64]:
    """Return the keys of the .idx file in file order; none if it cannot be read."""
    try:
        keys, offsets = read_index(files.path(".idx"), files.rec_size())
    except (FileNotFoundError, FormatError):
        return np.empty(0, np.uint64)
    order = np.argsort(offsets, kind="stable")
    return order.astype(np.uint64) if keys is None else keys[order]


def _are_consecutive(keys: NDArray[np.uint64], gaps: NDArray[np.int64]) -> bool:
    """Return whether the keys of neighbours, between which nothing is lost, differ by 1."""
    is_neighbour = np.ones(max(len(keys) - 1, 0), bool)
    is_neighbour[gaps[(gaps > 0) & (gaps < len(keys))] - 1] = False
    steps = np.diff(keys)[is_neighbour]
    return len(steps) > 0 and bool(np.mean(steps == 1) >= _CONSECUTIVE_SHARE)
