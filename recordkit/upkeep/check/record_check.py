"""Checking the records of one .rec file, for `recordkit.upkeep.verify`.

A record is good if it has a whole frame, a readable header, finite labels and an image, which decodes if it is decoded.
InsightFace's header and identities have a vector of labels in place of an image.

`PythonCheck` is the definition. `recordkit.upkeep.check.native` has the engine of the core, which leaves every record
with a fault to it.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import FormatError, ImageError
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader
from recordkit.formats.insightface import faces
from recordkit.memory import MemoryBudget


class Fault(NamedTuple):
    """A fault of a record: the record's row, the offset of the fault in bytes, and the reason."""

    row: int
    offset: int
    reason: str


class CheckedRecords(NamedTuple):
    """The facts of n records.

    Attributes
    ----------
    ids : ndarray of uint64, shape (n,)
        The ids in the headers; 0 for a record that is not readable.
    labels : ndarray of float32, shape (m,)
        The labels of all records, concatenated; a record that is not readable has none.
    bounds : ndarray of uint64, shape (n + 1,)
        The labels of record i are ``labels[bounds[i]:bounds[i + 1]]``.
    checksums : ndarray of uint32, shape (n,)
        CRC-32 of each record; 0 for one that is not readable.
    is_readable : ndarray of bool, shape (n,)
        The record has a whole frame and a readable header.
    faults : list of Fault
        In the order of the records.
    metadata_rows : list of int
        The records without an image that InsightFace's header and identities may be.
    has_face_header : bool
        One of them is the header.
    """

    ids: NDArray[np.uint64]
    labels: NDArray[np.float32]
    bounds: NDArray[np.uint64]
    checksums: NDArray[np.uint32]
    is_readable: NDArray[np.bool_]
    faults: list[Fault]
    metadata_rows: list[int]
    has_face_header: bool


class RecordCheck(Protocol):
    """Checks records. Several threads share one."""

    def check(self, offsets: NDArray[np.uint64]) -> CheckedRecords:
        """Check the records at some offsets, in file order; the rest is left out once the work is stopped."""


class PythonCheck:
    """Checks records with Pillow and NumPy; see `RecordCheck`.

    Parameters
    ----------
    path : Path
        The .rec file.
    budget : MemoryBudget or None
        Memory for the images under way; None if images are not decoded. A larger image is decoded alone.
    stopped : bytearray
        The work is stopped once its first byte is 1.
    """

    def __init__(self, path: Path, budget: MemoryBudget | None, stopped: bytearray) -> None:
        self._reader = RecordReader(path)
        self._budget = budget
        self._stopped = stopped

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def check(self, offsets: NDArray[np.uint64]) -> CheckedRecords:
        """Check the records at some offsets."""
        notes = Notes()
        n = len(offsets)
        ids, checksums, is_readable = np.zeros(n, np.uint64), np.zeros(n, np.uint32), np.zeros(n, bool)
        labels: list[float] = []
        widths = np.zeros(n, np.uint64)
        read = self._reader.in_order()
        for row, offset in enumerate(offsets.tolist()):
            if self._stopped[0]:
                break
            found = self.examine(row, offset, read, notes)
            if found is not None:
                header, record = found
                ids[row], checksums[row], is_readable[row] = header.id, zlib.crc32(record), True
                labels += header.labels
                widths[row] = len(header.labels)
        bounds = np.concatenate([np.zeros(1, np.uint64), np.cumsum(widths, dtype=np.uint64)])
        return CheckedRecords(ids, np.array(labels, np.float32), bounds, checksums, is_readable, *notes.columns())

    def examine_rows(self, rows: list[int], offsets: NDArray[np.uint64]) -> Notes:
        """Examine some of the records at `offsets`, which the core did not find good."""
        notes = Notes()
        for row in rows:
            if self._stopped[0]:
                break
            self.examine(row, int(offsets[row]), self._reader.read, notes)
        return notes

    def examine(
        self, row: int, offset: int, read: Callable[[int], tuple[bytes, int]], notes: Notes
    ) -> tuple[irheader.IRHeader, bytes] | None:
        """Add the faults of a record to the notes; return its header and its bytes, or None if it is not readable."""
        try:
            record = read(offset)[0]
            header, payload = irheader.unpack_at(record, self._reader.path, offset)
        except FormatError as error:
            notes.faults.append(Fault(row, offset if error.offset is None else error.offset, error.problem))
            return None
        if not all(map(math.isfinite, header.labels)):
            notes.faults.append(Fault(row, offset, f"expected finite labels, got {header.label}"))
        if faces.is_metadata(header, payload):
            notes.metadata_rows.append(row)
            notes.has_face_header |= faces.is_file_header(header, payload)
        elif not payload:
            notes.faults.append(Fault(row, offset, "expected an image, got 0 bytes"))
        elif (reason := self._decode_error(payload)) is not None:
            notes.faults.append(Fault(row, offset, reason))
        return header, record

    def _decode_error(self, payload: memoryview) -> str | None:
        """Return the reason why an image does not decode; None if it does, or if images are not decoded."""
        if self._budget is None:
            return None
        with self._budget.hold(min(codec.decode_bytes(payload), self._budget.largest)):
            try:
                codec.decode(payload, channels="keep")
            except ImageError as error:
                return error.problem
        return None


class Notes:
    """The last three columns of `CheckedRecords`, in the making."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.metadata_rows: list[int] = []
        self.has_face_header = False

    def columns(self) -> tuple[list[Fault], list[int], bool]:
        """Return the columns."""
        return self.faults, self.metadata_rows, self.has_face_header
