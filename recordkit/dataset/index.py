"""Offsets and keys of the samples of one .rec file.

They come from the .idx file, if it exists and matches the .rec file; otherwise the .rec file is scanned, and nothing is
written. The check compares the size of the .rec file and up to 34 records, evenly spread over the index: each must
begin at the offset of its line, end where the next one begins, and have the key of its line. If PREFIX.json describes
the file, the number of lines is compared too. Up to one in eight of the checked records (at least one) may be damaged,
but not the first or the last: the index is still kept, because it leads to the readable records.

Samples are in file order, so indices do not depend on the order of the .idx file. Keys are those of the .idx file.
They may be 0, 1, 2 ... although the records have other ids, because MXNet's rec2idx.py writes such files. Without an
.idx file, the keys are the ids of the records; see `recordkit.dataset.keys.keys_of_ids`.

The header and the identities of InsightFace's files (`recordkit.formats.insightface.faces`) are not samples.
"""

from __future__ import annotations

import inspect
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.contents import no_header_error
from recordkit.dataset.keys import keys_of_ids
from recordkit.dataset.records import RecordFile, compact_keys, read_index
from recordkit.errors import FormatError
from recordkit.formats import irheader
from recordkit.formats.insightface import faces
from recordkit.storage.fileset import Fileset, reindex_advice

_N_CHECKED = 34
_MAX_DAMAGED_SHARE = 1 / 8


@dataclass(frozen=True, eq=False)
class FileIndex:
    """Offsets and keys of the samples of one file, in file order.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,), or None
        None if they are 0 to n - 1, which need no memory.
    n_records : int
        Number of records in the file, including those that are not samples.
    record_indices : ndarray of int64, shape (n,), or None
        Index of each sample among the records of the file; None if every record is a sample.
    """

    offsets: NDArray[np.uint64]
    keys: NDArray[np.uint64] | None
    n_records: int
    record_indices: NDArray[np.int64] | None = None


def index_file(files: Fileset, file: RecordFile) -> FileIndex:
    """Read or make the index of a .rec file.

    Parameters
    ----------
    files : Fileset
        The .rec file and its companions.
    file : RecordFile
        The open .rec file.

    Returns
    -------
    index : FileIndex

    Warns
    -----
    UserWarning
        The .idx file does not exist or does not match, so the .rec file was scanned; or a record is damaged.

    Raises
    ------
    FormatError
        The .rec file had to be scanned and is damaged.
    """
    idx_path, rec_path = str(files.path(".idx")), str(files.path(".rec"))
    n_packed = _count_packed(files, file)
    try:
        entries = _Entries(*_in_file_order(*read_index(idx_path)), rec_path, file)
        _check_offsets(entries, n_packed)
        for damage in _check_records(entries):
            _warn(damage)
    except FileNotFoundError:
        entries = _scan(files, file)
        _warn_of_scan("the index does not exist", idx_path, rec_path)
    except FormatError as error:
        entries = _scan(files, file)
        _warn_of_scan(error.problem, idx_path, rec_path, line=error.line)
    return _without_metadata(entries)


def _warn_of_scan(problem: str, idx_path: str, rec_path: str, *, line: int | None = None) -> None:
    problem += f"; scanned {rec_path} instead"
    _warn(FormatError(problem, path=idx_path, line=line, advice=reindex_advice(rec_path)))


def _warn(error: FormatError) -> None:
    """Warn with the text of an error, at the line that opened the dataset: the first one outside of recordkit."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").startswith("recordkit."):
        frame, level = frame.f_back, level + 1
    warnings.warn(str(error), stacklevel=level)


def _count_packed(files: Fileset, file: RecordFile) -> int | None:
    """Return the number of records in PREFIX.json; None if it is missing or describes a file of another size."""
    description = files.description()
    rec, n_records = description.get("rec"), description.get("records")
    return n_records if isinstance(rec, dict) and rec.get("bytes") == file.size and isinstance(n_records, int) else None


def _in_file_order(
    keys: NDArray[np.uint64] | None, offsets: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]:
    if bool(np.all(offsets[1:] >= offsets[:-1])):
        return keys, offsets
    order = np.argsort(offsets, kind="stable")
    return compact_keys(order.astype(np.uint64) if keys is None else keys[order]), offsets[order]


@dataclass(frozen=True, eq=False)
class _Entries:
    """Key and offset of each record of a file, in file order."""

    keys: NDArray[np.uint64] | None
    offsets: NDArray[np.uint64]
    rec_path: str
    file: RecordFile

    def key(self, row: int) -> int:
        return row if self.keys is None else int(self.keys[row])

    def read(self, row: int) -> tuple[irheader.IRHeader, memoryview]:
        offset = int(self.offsets[row])
        return irheader.unpack_at(self.file.read(offset)[0], self.rec_path, offset)

    def is_metadata(self, row: int) -> bool:
        return faces.is_metadata(*self.read(row))


def _scan(files: Fileset, file: RecordFile) -> _Entries:
    offsets = file.scan()
    try:
        ids = file.headers(offsets)[0]
    except FormatError as error:
        raise (no_header_error(files) or error) from None
    return _Entries(compact_keys(keys_of_ids(ids)), offsets, str(files.path(".rec")), file)


def _check_offsets(entries: _Entries, n_packed: int | None) -> None:
    """Raise FormatError if the offsets cannot be those of the file. No record is read."""
    offsets, size = entries.offsets, entries.file.size
    n = len(offsets)
    if not n:
        if size:
            raise FormatError(expected=f"the records of a file of {size} bytes", got="no line")
        return
    if n_packed not in (None, n):
        raise FormatError(expected=f"{n_packed} lines, one for each packed record", got=n)
    if offsets[0] != 0:
        raise FormatError(expected="the first record at byte 0", got=offsets[0])
    if offsets[-1] >= size:
        raise FormatError(expected=f"offsets below {size}, the size of the file", got=offsets[-1])
    if (repeated := np.flatnonzero(offsets[1:] == offsets[:-1])).size:
        raise FormatError(expected="each offset once", got=f"{offsets[repeated[0]]} twice")


def _check_records(entries: _Entries) -> list[FormatError]:
    """Compare some entries with their records; raise FormatError if they differ, return errors of damaged records."""
    n = len(entries.offsets)
    rows = np.unique(np.linspace(0, n - 1, min(n, _N_CHECKED)).astype(np.int64)).tolist()
    n_damaged_allowed = max(1, int(len(rows) * _MAX_DAMAGED_SHARE))
    ids: list[int] = []
    n_other_keys = 0
    damage: list[FormatError] = []
    for row in rows:
        offset = int(entries.offsets[row])
        try:
            record, end = entries.file.read(offset)
        except FormatError as error:
            damage.append(error)
            if row in (0, n - 1) or len(damage) > n_damaged_allowed:
                raise FormatError(expected=f"a record at byte {offset}", got="none") from None
            continue
        next_offset = int(entries.offsets[row + 1]) if row + 1 < n else entries.file.size
        if end != next_offset:
            raise FormatError(expected=f"the next record at byte {end}", got=next_offset)
        ids.append(irheader.unpack_at(record, entries.rec_path, offset)[0].id)
        n_other_keys += ids[-1] != entries.key(row)
    # Ids that repeat, such as 0 in every record, are no keys, so the index cannot contradict them. Keys 0, 1, 2 ...
    # (`keys` is None) may differ from the ids, except in InsightFace's files, which end with a metadata record.
    ids_are_keys = len(set(ids)) == len(ids)
    if n_other_keys and ids_are_keys and (entries.keys is not None or entries.is_metadata(n - 1)):
        raise FormatError(
            expected="the ids of the records as keys", got=f"others in {n_other_keys} of {len(rows)} checked lines"
        )
    return damage


def _without_metadata(entries: _Entries) -> FileIndex:
    """Leave out the header and the identities of InsightFace's files."""
    keys, offsets = entries.keys, entries.offsets
    all_records = FileIndex(offsets, keys, len(offsets))
    rows_of_key_0 = np.flatnonzero(keys == 0) if keys is not None else np.arange(min(1, len(offsets)))
    ranges = faces.ranges(*entries.read(int(rows_of_key_0[0]))) if len(rows_of_key_0) else None
    if ranges is None:
        return all_records
    if keys is None:
        keys = np.arange(len(offsets), dtype=np.uint64)
    first_identity, end = ranges
    # The header's numbers are float32 and may be rounded by this much.
    rounding = max(1, int(np.spacing(np.float32(first_identity))))
    is_sample = (keys > 0) & (keys < first_identity)
    is_near = (keys >= max(1, first_identity - rounding)) & (keys <= min(first_identity + rounding, end))
    for row in np.flatnonzero(is_near).tolist():
        is_sample[row] = not entries.is_metadata(row)
    rows = np.flatnonzero(is_sample)
    return FileIndex(offsets[rows], compact_keys(keys[rows]), len(offsets), rows)
