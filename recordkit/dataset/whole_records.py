"""The whole records of a damaged .rec file, and the bytes that are lost between them.

The position of a record in its set is known up to the first lost bytes. Behind them it is known only from an index of
the set, because nobody knows how many records are lost; exact labels and checksums, which lie beside the records in
their order, need it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.storage.fileset import Fileset


@dataclass(frozen=True)
class LostBytes:
    """A part of a .rec file that holds no whole record.

    Attributes
    ----------
    path : Path
        The .rec file.
    offset : int
        Offset of the damage, in bytes.
    n_bytes : int
        Number of bytes from the last whole record before the damage to the next one.
    reason : str
    """

    path: Path
    offset: int
    n_bytes: int
    reason: str


@dataclass(frozen=True, eq=False)
class WholeRecords:
    """The records of a damaged file, in file order.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    ids : ndarray of uint64, shape (n,)
        The ids in the headers.
    positions : ndarray of int64, shape (n,), or None
        Position of each record in the set, from 0; None if it is not known.
    is_indexed : bool
        The positions are those of the index.
    lost : tuple of LostBytes
    """

    offsets: NDArray[np.uint64]
    ids: NDArray[np.uint64]
    positions: NDArray[np.int64] | None
    is_indexed: bool
    lost: tuple[LostBytes, ...]


def find_whole_records(path: Path, index_offsets: NDArray[np.uint64] | None) -> WholeRecords:
    """Read a .rec file and leave out what is damaged.

    Parameters
    ----------
    path : Path
    index_offsets : ndarray of uint64, shape (m,), or None
        The offsets in an .idx file in increasing order; None if there is no such file. They are used if most of the
        whole records are at these offsets.

    Raises
    ------
    OSError, FormatError
        The file cannot be opened.
    """
    offsets, ids, positions = array("Q"), array("Q"), array("q")
    lost: list[LostBytes] = []
    n_known = None  # number of records before the first lost record

    def lose(error: FormatError, n_bytes: int) -> None:
        nonlocal n_known
        n_known = len(offsets) if n_known is None else n_known
        lost.append(LostBytes(path, error.offset or 0, n_bytes, error.problem))

    with RecordReader(path) as reader:
        for position, (offset, record) in enumerate(reader.scan(on_damage=lose)):
            try:
                header = irheader.unpack_at(record, reader.path, offset)[0]
            except FormatError as error:
                lost.append(LostBytes(path, offset, len(record), error.problem))
                continue
            offsets.append(offset)
            ids.append(header.id)
            positions.append(position)
    all_offsets, all_ids = np.array(offsets, np.uint64), np.array(ids, np.uint64)
    places = place_records(all_offsets, np.array(positions, np.int64), n_known, index_offsets)
    is_record = places.positions >= 0
    if not places.is_indexed:
        known = places.positions if is_record.all() else None
        return WholeRecords(all_offsets, all_ids, known, is_indexed=False, lost=tuple(lost))
    columns = all_offsets[is_record], all_ids[is_record], places.positions[is_record]
    return WholeRecords(*columns, is_indexed=True, lost=tuple(lost))


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
        As for `find_whole_records`.

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
        rows = np.searchsorted(index_offsets, offsets).astype(np.int64)
        is_record = index_offsets[np.minimum(rows, len(index_offsets) - 1)] == offsets
        if 2 * np.count_nonzero(is_record) > len(offsets):
            return Places(np.where(is_record, rows, -1), is_indexed=True)
    return Places(np.where(np.arange(len(offsets)) < n_known, positions, -1), is_indexed=False)


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
