"""The whole records of a damaged .rec file, and the bytes that are lost between them.

`recordkit.dataset.frame_chain` chooses the records; those with another CRC-32 than the set has for them are lost, too.

The position of a record in its set is known up to the first lost bytes. Behind them it is known only from the checksums
or from an index of the set, because nobody knows how many records are lost; exact labels, which lie beside the records
in their order, need it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.frame_chain import Spans, choose_records, find_spans
from recordkit.dataset.frame_search import LostBytes, find_heads, find_lost_bytes
from recordkit.dataset.keys import find_sorted
from recordkit.dataset.places import place_by_checksums, place_by_index
from recordkit.dataset.records import RecordFile
from recordkit.errors import FormatError
from recordkit.formats.frame import RecordReader
from recordkit.storage.fileset import Fileset
from recordkit.threads import ThreadedMap, count_threads

Index = tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]
"""Keys and offsets of an .idx file, see `recordkit.dataset.records.read_index`."""

# Bytes of records whose checksums are computed in one call of the core.
_BLOCK_BYTES = 1 << 25
# Records whose headers are read in one call.
_BLOCK_RECORDS = 1 << 14
# Overlapping records are checked until this many times the size of the file was read. Only a file made for that has so
# many of them.
_MAX_READ_FACTOR = 4


@dataclass(frozen=True, eq=False)
class WholeRecords:
    """The records of a damaged file, in file order.

    Attributes
    ----------
    spans : Spans, of n records
        Where the records are, with their frames.
    ids : ndarray of uint64, shape (n,)
        The ids in the headers.
    positions : ndarray of int64, shape (n,), or None
        Position of each record in the set, from 0; None if it is not known.
    is_indexed : bool
        The positions are rows of the index, whose keys are those of the records.
    checksums : ndarray of uint32, shape (n,), or None
        CRC-32 of each record, compared with those of the set; None if the set has none.
    lost : tuple of LostBytes
        In file order.
    """

    spans: Spans
    ids: NDArray[np.uint64]
    positions: NDArray[np.int64] | None
    is_indexed: bool
    checksums: NDArray[np.uint32] | None
    lost: tuple[LostBytes, ...]

    @property
    def offsets(self) -> NDArray[np.uint64]:
        """Offsets of the records' heads in bytes, uint64, shape (n,)."""
        return self.spans.begins.astype(np.uint64)


def find_whole_records(
    path: Path,
    file: RecordFile,
    index: Index | None,
    checksums: NDArray[np.uint32] | None = None,
    *,
    progress: Callable[[int], None] | None = None,
) -> WholeRecords:
    """Read a .rec file and leave out what is damaged.

    Parameters
    ----------
    path : Path
        The .rec file.
    file : RecordFile
        The same file, open.
    index : (keys, offsets) or None
        The .idx file in file order, see `recordkit.dataset.records.read_index`; None if there is none. It is used if it
        has most of the whole records.
    checksums : ndarray of uint32, shape (m,), or None
        CRC-32 of each record of the set; None if there are none.
    progress : callable, optional
        Called with the number of bytes read since the last call: all bytes of the file once, and with `checksums` those
        of the records once more.

    Returns
    -------
    records : WholeRecords
        Finding them takes up to 80 bytes of memory per record.

    Raises
    ------
    OSError
        The file cannot be read.
    """
    heads, words = find_heads(file, progress)
    candidates = find_spans(heads, words, file.size)
    reasons: dict[int, str] = {}
    if checksums is None:
        spans, crcs = candidates.at(choose_records(candidates, heads, file.size)), None
    else:
        spans, crcs = _choose_checked(file, candidates, heads, checksums, reasons, progress)
    ids, is_read = _read_ids(file, spans, reasons)
    positions, is_indexed = _place(spans, ids, is_read, crcs, checksums, index)
    is_record = is_read.copy()
    if is_indexed or crcs is not None:
        is_record &= positions >= 0
        if crcs is None:
            is_record[is_record] = ~_are_copies(file, spans.at(is_record), positions[is_record])
        for begin in spans.begins[is_read & ~is_record].tolist():
            reasons[begin] = "expected a record of the set, got one that its index does not have, or a copy"
    known = positions[is_record]
    spans = spans.at(is_record)
    with RecordReader(path) as reader:
        lost = tuple(find_lost_bytes(reader, path, spans, reasons))
    return WholeRecords(
        spans=spans,
        ids=ids[is_record],
        positions=known if (known >= 0).all() else None,
        is_indexed=is_indexed,
        checksums=None if crcs is None else crcs[is_record],
        lost=lost,
    )


def _choose_checked(
    file: RecordFile,
    candidates: Spans,
    heads: NDArray[np.uint64],
    checksums: NDArray[np.uint32],
    reasons: dict[int, str],
    progress: Callable[[int], None] | None,
) -> tuple[Spans, NDArray[np.uint32]]:
    """Choose records that have a checksum of the set. A record that has none may hide others, so choose again."""
    expected = np.sort(checksums)
    n = len(candidates.begins)
    crcs, is_checked, is_possible = np.zeros(n, np.uint32), np.zeros(n, bool), np.ones(n, bool)
    n_bytes_left = _MAX_READ_FACTOR * file.size
    while True:
        possible = np.flatnonzero(is_possible)
        rows = possible[choose_records(candidates.at(possible), heads, file.size)]
        new = rows[~is_checked[rows]]
        if not len(new):
            return candidates.at(rows), crcs[rows]
        spans = candidates.at(new)
        n_bytes_left -= int((spans.ends - spans.begins).sum())
        if n_bytes_left < 0:
            is_possible[new] = False
            continue
        crcs[new], is_checked[new] = compute_checksums(file, spans, progress), True
        is_wrong = find_sorted(expected, crcs[new]) < 0
        is_possible[new[is_wrong]] = False
        for row in new[is_wrong].tolist():
            reasons[int(candidates.begins[row])] = f"expected the CRC-32 of a record of the set, got {crcs[row]:08x}"


def compute_checksums(
    file: RecordFile, spans: Spans, progress: Callable[[int], None] | None = None
) -> NDArray[np.uint32]:
    """Return the CRC-32 of whole records, computed by all CPUs; `progress` is called with the number of their bytes."""
    sizes = spans.ends - spans.begins
    cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _BLOCK_BYTES)) + 1
    blocks, block_sizes = np.split(spans.begins.astype(np.uint64), cuts), np.split(sizes, cuts)
    checksums = [np.empty(0, np.uint32)]
    with ThreadedMap(lambda block: file.digests(block, payload=False)[1], blocks, count_threads(0)) as results:
        for block_checksums, block_bytes in zip(results, block_sizes, strict=True):
            checksums.append(block_checksums)
            if progress:
                progress(int(block_bytes.sum()))
    return np.concatenate(checksums)


def _read_ids(file: RecordFile, spans: Spans, reasons: dict[int, str]) -> tuple[NDArray[np.uint64], NDArray[np.bool_]]:
    """Return the ids of records, and which of them have a readable header."""
    offsets = spans.begins.astype(np.uint64)
    ids, is_read = np.zeros(len(offsets), np.uint64), np.ones(len(offsets), bool)
    begin, n_block = 0, _BLOCK_RECORDS
    while begin < len(offsets):
        end = min(begin + n_block, len(offsets))
        try:
            ids[begin:end] = file.headers(offsets[begin:end])[0]
        except FormatError as error:
            bad = begin + int(np.searchsorted(offsets[begin:end], error.offset or 0))
            ids[begin:bad] = file.headers(offsets[begin:bad])[0]
            is_read[bad] = False
            reasons[int(offsets[bad])] = error.problem
            # Small blocks behind a bad header, because the next one may be bad, too.
            begin, n_block = bad + 1, 1
        else:
            begin, n_block = end, min(2 * n_block, _BLOCK_RECORDS)
    return ids, is_read


def _place(
    spans: Spans,
    ids: NDArray[np.uint64],
    is_read: NDArray[np.bool_],
    crcs: NDArray[np.uint32] | None,
    checksums: NDArray[np.uint32] | None,
    index: Index | None,
) -> tuple[NDArray[np.int64], bool]:
    """Return the position of each record, -1 for unknown, and whether the index has the keys of the positions."""
    if crcs is not None and checksums is not None:
        return place_by_checksums(crcs, checksums), index is not None and len(index[1]) == len(checksums)
    order = np.arange(len(ids))
    gaps = np.flatnonzero(np.append(0, spans.ends[:-1]) != spans.begins) if len(ids) else order
    if not len(gaps):
        # Keys 0 to n - 1 are those of the records, as when an index with them is opened. Others are their ids.
        if index is None or index[0] is not None:
            return order, False
        return order, np.array_equal(index[1], spans.begins.astype(np.uint64))
    if index is not None:
        positions = np.full(len(ids), -1, np.int64)
        places = place_by_index(spans.at(is_read), ids[is_read], *index)
        if places is not None:
            positions[is_read] = places
            return positions, True
    return np.where(order < gaps[0], order, -1), False


def _are_copies(file: RecordFile, spans: Spans, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which records are the same bytes as an earlier one of their position. Others of a position are kept."""
    is_copy = np.zeros(len(positions), bool)
    order = np.argsort(positions, kind="stable")
    is_next = np.append(False, np.diff(positions[order]) == 0)[: len(order)]
    repeated = np.sort(order[is_next | np.append(is_next[1:], False)])
    if len(repeated):
        crcs = compute_checksums(file, spans.at(repeated)).astype(np.int64)
        first = np.unique(positions[repeated] << 32 | crcs, return_index=True)[1]
        is_copy[repeated] = True
        is_copy[repeated[first]] = False
    return is_copy


def known_positions(
    files: Fileset, positions: NDArray[np.int64] | None, lost: tuple[LostBytes, ...], suffix: str
) -> NDArray[np.int64]:
    """Return the positions of the records of a damaged file.

    Raises
    ------
    FormatError
        They are not known, so nobody can say which row of the file with this suffix belongs to which record.
    """
    if positions is None:
        raise FormatError(
            path=str(files.path(suffix)),
            expected=f"an index that counts the records behind byte {lost[0].offset}, where the .rec file is damaged",
            got="none",
            advice=f"take {files.path('.idx')} from a copy of the set",
        )
    return positions
