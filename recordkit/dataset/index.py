"""Offsets and keys of the samples of one .rec file.

They come from the .idx file, if it exists and matches the .rec file; otherwise the .rec file is scanned, and nothing is
written. The check compares the size of the .rec file and up to 34 records, evenly spread over the index: each must
begin at the offset of its line, end where the next one begins, and have the key of its line. If PREFIX.json describes
the file, the number of lines is compared too. Up to one in eight of the checked records (at least one) may be damaged,
but not the first or the last: the index is still kept, because it leads to the readable records.

Samples are in file order, so indices do not depend on the order of the .idx file. Keys are those of the .idx file.
They may be 0, 1, 2 ... although the records have other ids, because MXNet's rec2idx.py writes such files. A set
that recordkit made from one has an index with some of these keys, and PREFIX.json has its SHA-256. Without an .idx
file, the keys are the ids of the records; see `recordkit.dataset.keys.keys_of_ids`.

The header and the identities of InsightFace's files (`recordkit.formats.insightface.faces`) are not samples.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.contents import no_header_error
from recordkit.dataset.frame_chain import Spans
from recordkit.dataset.frame_search import LostBytes
from recordkit.dataset.keys import keys_of_ids
from recordkit.dataset.records import RecordFile, compact_keys, read_index
from recordkit.dataset.whole_records import Index, compute_checksums, find_whole_records
from recordkit.errors import FormatError, plural
from recordkit.formats import idx, irheader
from recordkit.formats.frame import verify_advice
from recordkit.formats.insightface import faces
from recordkit.storage.checksums import (
    check_description,
    check_index,
    check_number,
    check_record,
    is_described_index,
    read_checksums,
)
from recordkit.storage.description import described_size
from recordkit.storage.fileset import Fileset, reindex_advice

if TYPE_CHECKING:
    from recordkit.storage.remote.mirror import Mirror
    from recordkit.storage.remote.remote_file import RemoteFile

_N_CHECKED = 34
_MAX_DAMAGED_SHARE = 1 / 8
# Lines of an index that are made at once.
_LINES_AT_ONCE = 1 << 16


@dataclass(frozen=True, eq=False)
class FileIndex:
    """Offsets and keys of the samples of one file, in file order.

    Attributes
    ----------
    offsets : ndarray of uint64, shape (n,)
        Offsets of the records' heads, in bytes.
    keys : ndarray of uint64, shape (n,), or None
        None if they are 0 to n - 1, which need no memory.
    n_records : int or None
        Number of records in the file, including those that are not samples; None if bytes are lost, so that it is not
        known.
    record_indices : ndarray of int64, shape (n,), or None
        Index of each sample among the records of the set; None if every record is a sample.
    checksums : ndarray of uint32, shape (n,), or None
        CRC-32 of each record; None without `check`.
    lost : tuple of LostBytes
        Parts of a damaged file that hold no whole record.
    has_metadata : bool
        Some records are not samples, as InsightFace's.
    warnings : tuple of FormatError
        Errors that did not prevent reading: the .idx file does not exist or does not match, so the .rec file was
        scanned; or records are damaged. `warn` issues them.
    """

    offsets: NDArray[np.uint64]
    keys: NDArray[np.uint64] | None
    n_records: int | None
    record_indices: NDArray[np.int64] | None = None
    checksums: NDArray[np.uint32] | None = None
    lost: tuple[LostBytes, ...] = ()
    has_metadata: bool = False
    warnings: tuple[FormatError, ...] = ()

    def warn(self) -> None:
        """Issue the warnings at the line that opened the dataset: the first one outside of recordkit."""
        frame, level = inspect.currentframe(), 1
        while frame is not None and frame.f_globals.get("__name__", "").startswith("recordkit."):
            frame, level = frame.f_back, level + 1
        for error in self.warnings:
            warnings.warn(str(error), stacklevel=level)


def index_file(
    files: Fileset,
    file: RecordFile,
    source: RemoteFile | None = None,
    *,
    check: bool = False,
    skip_damage: bool = False,
) -> FileIndex:
    """Read or make the index of a .rec file. One that is made for a file in a store is kept in the cache.

    Parameters
    ----------
    files : Fileset
        The .rec file and its companions.
    file : RecordFile
        The open .rec file.
    source : RemoteFile, optional
        Its object, if it is in a store.
    check : bool, default False
        Read PREFIX.crc. The .idx file must then be the one that PREFIX.json describes, and if it is not, each record is
        checked while the .rec file is scanned.
    skip_damage : bool, default False
        Leave out the damaged parts of a .rec file that has to be scanned. By default they are errors.

    Returns
    -------
    index : FileIndex

    Raises
    ------
    FormatError
        The .rec file had to be scanned and is damaged, or its checksums or description are not those of the set.
    NotFoundError
        There are no checksums to check.
    """
    idx_path, rec_path = str(files.path(".idx")), str(files.path(".rec"))
    n_packed = _count_packed(files, file)
    checksums = None
    if check:
        check_description(files)
        checksums = read_checksums(files)
    indexed: _Entries | None = None
    try:
        # An index of the described SHA-256 leads to each record, damaged or not. Of a file in a store this saves reads.
        is_proven = check_index(files) if check else source is not None and is_described_index(files)
        indexed = _Entries(*_in_file_order(*read_index(idx_path, file.size)), rec_path, file)
        _check_offsets(indexed, n_packed)
        damage = [] if is_proven else _check_records(indexed, files, source)
        entries = _with_checksums(indexed, files, checksums)
    except (FileNotFoundError, FormatError) as error:
        entries = _scan(files, file, indexed, checksums, skip_damage=skip_damage)
        damage = [_scan_warning(error, idx_path, entries, files.mirror)]
    if entries.lost:
        damage.append(_loss_warning(entries))
    return replace(_without_metadata(entries, skip_damage=skip_damage), warnings=tuple(damage))


def index_whole_records(
    files: Fileset, file: RecordFile, *, check: bool = False, progress: Callable[[int], None] | None = None
) -> FileIndex:
    """Make the index of the whole records of a .rec file, after reading all of it.

    Parameters
    ----------
    files : Fileset
    file : RecordFile
    check : bool, default False
        Read PREFIX.crc. A record with another checksum is lost.
    progress : callable, optional
        As for `recordkit.dataset.whole_records.find_whole_records`.

    Returns
    -------
    index : FileIndex
        Without warnings; `lost` has the damage.

    Raises
    ------
    FormatError
        The checksums or the description are not those of the set.
    NotFoundError
        There are no checksums to check.
    """
    checksums = None
    if check:
        check_description(files)
        checksums = read_checksums(files, is_damaged=True)
    try:
        index = _in_file_order(*read_index(files.path(".idx"), file.size))
    except (FileNotFoundError, FormatError):
        index = None
    return _without_metadata(_whole_entries(files, file, index, checksums, progress), skip_damage=True)


def _scan_warning(
    error: FileNotFoundError | FormatError, idx_path: str, entries: _Entries, mirror: Mirror | None
) -> FormatError:
    problem, line = "the index does not exist", None
    if isinstance(error, FormatError):
        problem, line = error.problem, error.line
    if mirror is not None and not entries.lost:
        mirror.keep_index(Path(entries.rec_path).name, _index_lines(entries))
        text = f"{problem}; scanned {entries.rec_path} instead; the new index is kept in the cache"
        return FormatError(text, path=idx_path, line=line)
    # A damaged .rec file gets no new index.
    advice = None if entries.lost else reindex_advice(entries.rec_path)
    return FormatError(f"{problem}; scanned {entries.rec_path} instead", path=idx_path, line=line, advice=advice)


def _index_lines(entries: _Entries) -> Iterator[bytes]:
    """Yield the lines of an .idx file for the entries, many at a time."""
    keys = entries.all_keys()
    for begin in range(0, len(keys), _LINES_AT_ONCE):
        rows = slice(begin, begin + _LINES_AT_ONCE)
        yield idx.lines(keys[rows].tolist(), entries.offsets[rows].tolist())


def _loss_warning(entries: _Entries) -> FormatError:
    n_bytes, first = sum(lost.n_bytes for lost in entries.lost), entries.lost[0]
    n_places, n_left = plural(len(entries.lost), "place"), plural(len(entries.offsets), "record")
    return FormatError(
        f"{first.reason}; {plural(n_bytes, 'byte is', 'bytes are')} lost in {n_places}, and {n_left} left",
        path=entries.rec_path,
        offset=first.offset,
        advice=verify_advice(entries.rec_path),
    )


def _count_packed(files: Fileset, file: RecordFile) -> int | None:
    """Return the number of records in PREFIX.json; None if it is missing or describes a file of another size."""
    description = files.description()
    n_records = description.get("records")
    return n_records if described_size(description) == file.size and isinstance(n_records, int) else None


def _in_file_order(
    keys: NDArray[np.uint64] | None, offsets: NDArray[np.uint64]
) -> tuple[NDArray[np.uint64] | None, NDArray[np.uint64]]:
    if bool(np.all(offsets[1:] >= offsets[:-1])):
        return keys, offsets
    order = np.argsort(offsets, kind="stable")
    return compact_keys(order.astype(np.uint64) if keys is None else keys[order]), offsets[order]


@dataclass(frozen=True, eq=False)
class _Entries:
    """Key and offset of each record of a file, in file order, and for a damaged file the fields of `WholeRecords`."""

    keys: NDArray[np.uint64] | None
    offsets: NDArray[np.uint64]
    rec_path: str
    file: RecordFile
    positions: NDArray[np.int64] | None = None
    lost: tuple[LostBytes, ...] = ()
    checksums: NDArray[np.uint32] | None = None

    def key(self, row: int) -> int:
        return row if self.keys is None else int(self.keys[row])

    def read(self, row: int) -> tuple[irheader.IRHeader, memoryview]:
        offset = int(self.offsets[row])
        return irheader.unpack_at(self.file.read(offset)[0], self.rec_path, offset)

    def check(self, row: int) -> None:
        """Raise FormatError if there are checksums and a record has another one."""
        if self.checksums is not None:
            offset, key = int(self.offsets[row]), self.key(row)
            record = self.file.read(offset)[0]
            check_record(record, int(self.checksums[row]), self.rec_path, offset=offset, key=key)

    def all_keys(self) -> NDArray[np.uint64]:
        return np.arange(len(self.offsets), dtype=np.uint64) if self.keys is None else self.keys

    def is_metadata(self, row: int) -> bool:
        self.check(row)
        return faces.is_metadata(*self.read(row))

    def at(self, rows: NDArray[np.int64], keys: NDArray[np.uint64] | None) -> _Entries:
        """Return some of the entries, with other keys."""
        positions = rows if self.positions is None else self.positions[rows]
        checksums = None if self.checksums is None else self.checksums[rows]
        return replace(self, offsets=self.offsets[rows], keys=keys, positions=positions, checksums=checksums)


def _scan(
    files: Fileset,
    file: RecordFile,
    indexed: _Entries | None,
    checksums: NDArray[np.uint32] | None,
    *,
    skip_damage: bool,
) -> _Entries:
    """Return the entries of a file without a matching index. With checksums, every record has its own."""
    try:
        offsets = file.scan()
        try:
            ids = file.headers(offsets)[0]
        except FormatError as error:
            raise (no_header_error(files) or error) from None
        entries = _Entries(compact_keys(keys_of_ids(ids)), offsets, str(files.path(".rec")), file)
        entries = _with_checksums(entries, files, checksums)
        _check_all(entries)
    except FormatError:
        if not skip_damage:
            raise
        index = None if indexed is None else (indexed.keys, indexed.offsets)
        return _whole_entries(files, file, index, checksums)
    return entries


def _whole_entries(
    files: Fileset,
    file: RecordFile,
    index: Index | None,
    checksums: NDArray[np.uint32] | None,
    progress: Callable[[int], None] | None = None,
) -> _Entries:
    """Return the entries of the whole records of a damaged file."""
    rec_path = files.path(".rec")
    whole = find_whole_records(rec_path, file, index, checksums, progress=progress)
    keys: NDArray[np.uint64] = keys_of_ids(whole.ids)
    if whole.is_indexed and index is not None and whole.positions is not None:
        keys = whole.positions.astype(np.uint64) if index[0] is None else index[0][whole.positions]
    return _Entries(
        compact_keys(keys), whole.offsets, str(rec_path), file, whole.positions, whole.lost, whole.checksums
    )


def _with_checksums(entries: _Entries, files: Fileset, checksums: NDArray[np.uint32] | None) -> _Entries:
    """Return the entries with the checksums of their records."""
    if checksums is None:
        return entries
    check_number(files, checksums, len(entries.offsets))
    return replace(entries, checksums=checksums)


def _check_all(entries: _Entries) -> None:
    """Raise FormatError for the first damaged record. Without an index, the headers gave the keys."""
    if entries.checksums is None:
        return
    begins = entries.offsets.astype(np.int64)
    checksums = compute_checksums(entries.file, Spans(begins, np.append(begins[1:], entries.file.size)))
    for row in np.flatnonzero(checksums != entries.checksums)[:1].tolist():
        entries.check(row)


def _check_offsets(entries: _Entries, n_packed: int | None) -> None:
    """Raise FormatError if the offsets cannot be those of the file. No record is read."""
    offsets, size = entries.offsets, entries.file.size
    n = len(offsets)
    if not n:
        if size:
            raise FormatError(expected=f"the records of a file of {plural(size, 'byte')}", got="no line")
        return
    if n_packed not in (None, n):
        raise FormatError(expected=f"{plural(n_packed, 'line')}, one for each packed record", got=n)
    if offsets[0] != 0:
        raise FormatError(expected="the first record at byte 0", got=offsets[0])
    if offsets[-1] >= size:
        raise FormatError(expected=f"offsets below {size}, the size of the file", got=offsets[-1])
    if (repeated := np.flatnonzero(offsets[1:] == offsets[:-1])).size:
        raise FormatError(expected="each offset once", got=f"{offsets[repeated[0]]} twice")


def _check_records(entries: _Entries, files: Fileset, source: RemoteFile | None) -> list[FormatError]:
    """Compare some entries with their records; raise FormatError if they differ, return errors of damaged records."""
    n = len(entries.offsets)
    rows = np.unique(np.linspace(0, n - 1, min(n, _N_CHECKED)).astype(np.int64))
    if source is None:
        return _check_rows(entries, files, rows.tolist())
    ends = np.append(entries.offsets[1:], np.uint64(entries.file.size))
    with source.fetched(entries.offsets[rows], ends[rows]):  # all at once: each would take a round trip
        return _check_rows(entries, files, rows.tolist())


def _check_rows(entries: _Entries, files: Fileset, rows: list[int]) -> list[FormatError]:
    n = len(entries.offsets)
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
    # (`keys` is None) may differ from the ids, except in InsightFace's files, which end with a metadata record. So may
    # those of a set that was made from such a file.
    ids_are_keys = len(set(ids)) == len(ids)
    is_wrong = n_other_keys and ids_are_keys and (entries.keys is not None or entries.is_metadata(n - 1))
    if is_wrong and not is_described_index(files):
        raise FormatError(
            expected="the ids of the records as keys", got=f"others in {n_other_keys} of {len(rows)} checked lines"
        )
    return damage


def _without_metadata(entries: _Entries, *, skip_damage: bool) -> FileIndex:
    """Leave out the header and the identities of InsightFace's files."""
    try:
        rows = _find_samples(entries)
    except FormatError:
        if not skip_damage:
            raise
        rows = None  # metadata records are then damaged samples, because they have no image
    samples = entries if rows is None else entries.at(rows, compact_keys(entries.all_keys()[rows]))
    return FileIndex(
        samples.offsets,
        samples.keys,
        None if entries.lost else len(entries.offsets),
        samples.positions,
        samples.checksums,
        entries.lost,
        has_metadata=rows is not None,
    )


def _find_samples(entries: _Entries) -> NDArray[np.int64] | None:
    """Return the rows of the samples; None if they are all rows, because the file is not InsightFace's."""
    keys = entries.keys
    rows_of_key_0 = np.flatnonzero(keys == 0) if keys is not None else np.arange(min(1, len(entries.offsets)))
    ranges = faces.ranges(*entries.read(int(rows_of_key_0[0]))) if len(rows_of_key_0) else None
    if ranges is None:
        return None
    entries.check(int(rows_of_key_0[0]))
    keys = entries.all_keys()
    first_identity, end = ranges
    # The header's numbers are float32 and may be rounded by this much.
    rounding = max(1, int(np.spacing(np.float32(first_identity))))
    is_sample = (keys > 0) & (keys < first_identity)
    is_near = (keys >= max(1, first_identity - rounding)) & (keys <= min(first_identity + rounding, end))
    for row in np.flatnonzero(is_near).tolist():
        is_sample[row] = not entries.is_metadata(row)
    return np.flatnonzero(is_sample)
