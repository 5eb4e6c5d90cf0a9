"""Offset, key, labels and checksum of every record of a .rec file, with which its companions are compared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.frame_search import WholeFrames
from recordkit.upkeep.check.record_check import CheckedRecords


@dataclass(frozen=True, eq=False)
class RecordTable:
    """The n records with whole frames and readable headers, in file order.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,)
        The ids in the headers; none if the records have no headers.
    labels : ndarray of float32, shape (m,)
        The labels of all records, concatenated.
    bounds : ndarray of uint64, shape (n + 1,)
        The labels of record i are ``labels[bounds[i]:bounds[i + 1]]``.
    checksums : ndarray of uint32, shape (n,)
        CRC-32 of each record.
    positions : ndarray of int64, shape (n,)
        Position of each record among those with whole frames.
    n_frames : int
        Number of records with whole frames, in whose order the checksums of a set are.
    first_loss : int or None
        Offset of the first lost byte; None if none is lost.
    metadata_rows : ndarray of int64
        The header and the identities of InsightFace, in a file that has the header.
    """

    offsets: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    labels: NDArray[np.float32]
    bounds: NDArray[np.uint64]
    checksums: NDArray[np.uint32]
    positions: NDArray[np.int64]
    n_frames: int
    first_loss: int | None
    metadata_rows: NDArray[np.int64]

    @classmethod
    def of_frames(cls, frames: WholeFrames) -> RecordTable:
        """Return the table of records without headers."""
        n = len(frames.offsets)
        return cls(
            frames.offsets,
            np.empty(0, np.uint64),
            np.empty(0, np.float32),
            np.zeros(1, np.uint64),
            np.empty(0, np.uint32),
            np.arange(n),
            n,
            frames.lost[0].offset if frames.lost else None,
            np.empty(0, np.int64),
        )

    @property
    def is_damaged(self) -> bool:
        """True if bytes are lost, or a record has no readable header."""
        return self.first_loss is not None or len(self.offsets) < self.n_frames

    def sample_rows(self) -> NDArray[np.int64]:
        """Return the rows of the samples: all records but InsightFace's header and identities."""
        is_sample = np.ones(len(self.offsets), bool)
        is_sample[self.metadata_rows] = False
        return np.flatnonzero(is_sample)

    def labels_at(self, row: int) -> tuple[float, ...]:
        """Return the labels of a record."""
        return tuple(self.labels[int(self.bounds[row]) : int(self.bounds[row + 1])].tolist())


class TableBuilder:
    """Makes a `RecordTable` from checked records, block by block."""

    def __init__(self, frames: WholeFrames) -> None:
        n = len(frames.offsets)
        self._frames = frames
        self._ids = np.empty(n, np.uint64)
        self._checksums = np.empty(n, np.uint32)
        self._bounds = np.zeros(n + 1, np.uint64)
        self._labels = [np.empty(0, np.float32)]
        self._is_readable = np.empty(n, bool)
        self._metadata_rows: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        self.has_face_header = False

    def add(self, rows: slice, checked: CheckedRecords) -> None:
        """Add the records of some rows, which follow those that were added before."""
        self._ids[rows], self._checksums[rows] = checked.ids, checked.checksums
        self._bounds[rows.start + 1 : rows.stop + 1] = self._bounds[rows.start] + checked.bounds[1:]
        self._labels.append(checked.labels)
        self._is_readable[rows] = checked.is_readable
        self._metadata_rows.append(np.array(checked.metadata_rows, np.int64) + rows.start)
        self.has_face_header |= checked.has_face_header

    def metadata_rows(self) -> list[int]:
        """Return the rows of the records that have a vector of labels and no image."""
        rows: list[int] = np.concatenate(self._metadata_rows).tolist()
        return rows

    def finish(self) -> RecordTable:
        """Return the table of the readable records."""
        rows, offsets = np.arange(len(self._ids)), self._frames.offsets
        ids, checksums, bounds = self._ids, self._checksums, self._bounds
        metadata = np.concatenate(self._metadata_rows) if self.has_face_header else np.empty(0, np.int64)
        if not self._is_readable.all():
            rows = np.flatnonzero(self._is_readable)
            offsets, ids, checksums = offsets[rows], ids[rows], checksums[rows]
            bounds = np.append(np.zeros(1, np.uint64), bounds[1:][rows])
            metadata = np.searchsorted(rows, metadata)
        return RecordTable(
            offsets,
            ids,
            np.concatenate(self._labels),
            bounds,
            checksums,
            rows,
            len(self._ids),
            self._frames.lost[0].offset if self._frames.lost else None,
            metadata,
        )
