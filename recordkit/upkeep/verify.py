"""Checks of a .rec file against its format, its index, its list and its description.

A file passes if every byte belongs to a whole record, every record has a readable header with finite labels, and
its companions agree with it: the .idx file has the offsets and keys of the records, the .lst file has their keys and
labels, PREFIX.json has their number and the file's SHA-256, PREFIX.labels.npy has their exact labels, and PREFIX.crc
has the CRC-32 of each, which says which records are damaged. With
`decode`, every image must decode. Records without an image header that are no images (`recordkit.dataset.contents`)
need whole frames and a matching index only. The check continues at the next record after damage, so one report names
all of it.

The pass over the records is in `recordkit.upkeep.scan`, and the report in `recordkit.upkeep.report`.
"""

from __future__ import annotations

import math
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.contents import OtherRecords, find_other_records
from recordkit.dataset.keys import keys_of_ids
from recordkit.dataset.whole_records import place_records
from recordkit.errors import FormatError, ImageError, plural
from recordkit.formats import idx, irheader
from recordkit.formats.frame import OnDamage, RecordReader
from recordkit.formats.insightface import faces
from recordkit.formats.lst import ListFile
from recordkit.storage.checksums import check_number, read_checksums
from recordkit.storage.commit import describe_ignored_commits
from recordkit.storage.description import set_id
from recordkit.storage.fileset import Fileset, fingerprint, reindex_advice
from recordkit.storage.snapshot import read_set
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.report import VerifyReport
from recordkit.upkeep.scan import scan_records

_Record = tuple[int, int, irheader.IRHeader, memoryview, bytes]
"""Position among the whole records, offset, header, payload, and all bytes of a record."""


class _RecordTable:
    """Offset, key and labels of every record, for the comparison with the other files."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.keys = array("Q")
        self.positions = array("q")  # among the records with whole frames, some of which have no readable header
        self.checksums = array("I")
        self.n_frames = 0  # number of records with whole frames, in whose order the checksums are
        self.first_loss: int | None = None  # offset of the first damaged frame
        self.labels = array("f")
        self._label_ends = array("Q")
        self.is_damaged = False  # a record has no whole frame or no readable header
        self.metadata_offsets = array("Q")
        self.has_face_header = False

    def add(self, offset: int, header: irheader.IRHeader, payload: memoryview) -> None:
        if faces.is_metadata(header, payload):
            self.metadata_offsets.append(offset)
            self.has_face_header |= faces.is_file_header(header, payload)
        self.offsets.append(offset)
        self.keys.append(header.id)
        self.labels.extend(header.labels)
        self._label_ends.append(len(self.labels))

    def labels_at(self, index: int) -> tuple[float, ...]:
        begin = self._label_ends[index - 1] if index else 0
        return tuple(self.labels[begin : self._label_ends[index]])


def verify(
    path: str | Path, *, decode: bool = False, threads: int = 0, progress: Callable[[int], None] | None = None
) -> VerifyReport:
    """Check a .rec file and its companions.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix.
    decode : bool, default False
        Also decode every image.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that decode; 0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    report : VerifyReport
        The check takes 24 bytes of memory per record and 4 per label, and 40 more per line while an index or a list
        is compared.

    Raises
    ------
    NotFoundError
        The .rec file does not exist.
    FormatError
        `path` is a file of another format.
    OSError
        The .rec file cannot be read.
    """
    return read_set(path, lambda files, _: _verify(files, count_threads(threads) if decode else None, progress))


def _verify(files: Fileset, n_decoders: int | None, progress: Callable[[int], None] | None) -> VerifyReport:
    other = find_other_records(files)
    if other is not None and not other.has_headers:
        return _verify_other_records(files, other, progress)
    report = VerifyReport(str(files.path(".rec")))
    if other is not None:
        report.notes.append(f"{report.path}: {other}")
    table = _RecordTable()
    n_decoders = n_decoders if other is None else None
    with RecordReader(files.path(".rec")) as reader:
        _check_records(report, table, reader, n_decoders, progress, has_checksums=files.path(".crc").exists())
    report.n_records = len(table.offsets)
    report.n_decoded = report.n_records if n_decoders else 0
    report.checked += ["structure", "images"] if n_decoders else ["structure"]
    for check_file in (_check_description, _check_checksums, _check_index, _check_list, _check_exact_labels):
        try:
            check_file(report, files, table)
        except FormatError as error:
            report.add_error(error)
    report.notes += describe_ignored_commits(files.prefix)
    return report


def _check_records(
    report: VerifyReport,
    table: _RecordTable,
    reader: RecordReader,
    n_decoders: int | None,
    progress: Callable[[int], None] | None,
    *,
    has_checksums: bool,
) -> None:
    """Check every record and fill the table. The images are decoded in `n_decoders` threads, or not if it is None."""
    if not reader.size:
        report.add(reader.path, "expected records, got an empty file")

    def check(record: _Record) -> tuple[_Record, int, str | None]:
        checksum = zlib.crc32(record[-1]) if has_checksums else 0
        return record, checksum, (None if n_decoders is None else _decode_error(*record[2:4]))

    records = _readable_records(reader, table, _damage_counter(report, table), progress)
    with ThreadedMap(check, records, n_decoders or 1) as results:
        for (position, offset, header, payload, _), checksum, decode_error in results:
            table.add(offset, header, payload)
            table.positions.append(position)
            table.checksums.append(checksum)
            _check_record(report, offset, header, payload)
            if decode_error is not None:
                report.add(report.path, decode_error, offset=offset)
    for offset in () if table.has_face_header else table.metadata_offsets:
        reason = "expected an image, got 0 bytes, and the file has no header of InsightFace"
        report.add(report.path, reason, offset=offset)


def _readable_records(
    reader: RecordReader, table: _RecordTable, on_damage: OnDamage, progress: Callable[[int], None] | None
) -> Iterator[_Record]:
    """Yield every record with a whole frame and a readable header."""
    for position, (offset, record) in enumerate(scan_records(reader, on_damage=on_damage, progress=progress)):
        table.n_frames = position + 1
        try:
            header, payload = irheader.unpack_at(record, reader.path, offset)
        except FormatError as error:
            on_damage(error, 0)
            continue
        yield position, offset, header, payload, record


def _damage_counter(report: VerifyReport, table: _RecordTable) -> OnDamage:
    def on_damage(error: FormatError, n_skipped_bytes: int) -> None:
        table.is_damaged = True
        if n_skipped_bytes and table.first_loss is None:
            table.first_loss = error.offset
        report.add_error(error, n_skipped_bytes)

    return on_damage


def _verify_other_records(files: Fileset, other: OtherRecords, progress: Callable[[int], None] | None) -> VerifyReport:
    """Check frames and index of a file whose records have no image header, and so no ids and labels."""
    report = VerifyReport(str(files.path(".rec")), checked=["structure"])
    report.notes.append(f"{report.path}: {other}; recordkit.recordio.MXRecordIO reads them")
    table = _RecordTable()
    with RecordReader(files.path(".rec")) as reader:
        records = scan_records(reader, on_damage=_damage_counter(report, table), progress=progress)
        table.offsets.extend(offset for offset, _ in records)
    report.n_records = len(table.offsets)
    _check_index(report, files, table)
    return report


def _decode_error(header: irheader.IRHeader, payload: memoryview) -> str | None:
    """Return the reason why an image does not decode, or None if it does."""
    if faces.is_metadata(header, payload):
        return None
    try:
        codec.decode(payload, channels="keep")
    except ImageError as error:
        return error.problem
    return None


def _check_record(report: VerifyReport, offset: int, header: irheader.IRHeader, payload: memoryview) -> None:
    if not all(map(math.isfinite, header.labels)):
        report.add(report.path, f"expected finite labels, got {header.label}", offset=offset)
    if not payload and not faces.is_metadata(header, payload):
        report.add(report.path, "expected an image, got 0 bytes", offset=offset)


def _check_description(report: VerifyReport, files: Fileset, table: _RecordTable) -> None:
    description = files.description()
    rec = description.get("rec")
    if not isinstance(rec, dict):
        return
    report.checked.append("description")
    json_path, rec_path = files.path(".json"), files.path(".rec")
    size = rec_path.stat().st_size
    if rec.get("bytes") != size:
        report.add(json_path, f"expected {rec_path} to have {rec.get('bytes')} bytes, got {size}")
    elif rec.get("sha256") != (sha256 := fingerprint(rec_path)):
        report.add(json_path, f"expected SHA-256 {rec.get('sha256')}, got {sha256}")
    if description.get("records") != len(table.keys):
        report.add(json_path, f"expected {description.get('records')} records, got {len(table.keys)}")
    if "id" in description and description["id"] != (facts_id := set_id(description)):
        report.add(
            json_path, f"expected {facts_id}, the id of the facts in it, got {description['id']}; was it edited?"
        )


def _check_checksums(report: VerifyReport, files: Fileset, table: _RecordTable) -> None:
    """Name the damaged records."""
    path = files.path(".crc")
    if not path.exists():
        return
    report.checked.append("checksums")
    expected = read_checksums(files)
    offsets, checksums = np.frombuffer(table.offsets, np.uint64), np.frombuffer(table.checksums, np.uint32)
    index = _read_sorted_index(files)
    n_known = None if table.first_loss is None else int(np.searchsorted(offsets, table.first_loss))
    places = place_records(offsets, np.array(table.positions), n_known, None if index is None else index.offsets)
    if n_known is None:
        check_number(files, expected, table.n_frames)
    elif not places.is_indexed:
        report.notes.append(
            f"{path}: not compared with the records behind byte {table.first_loss}: no index counts them"
        )
    rows = np.flatnonzero((places.positions >= 0) & (places.positions < len(expected)))
    for row in rows[checksums[rows] != expected[places.positions[rows]]].tolist():
        reason = f"expected CRC-32 {expected[places.positions[row]]:08x}, got {checksums[row]:08x}"
        report.add(report.path, reason, offset=table.offsets[row], key=_key_at(index, table, row))


def _read_sorted_index(files: Fileset) -> idx.Index | None:
    """Return the lines of the .idx file in file order; None if there are none that can be read."""
    try:
        index = idx.read(files.path(".idx"))
    except (FormatError, OSError):  # `_check_index` reports them
        return None
    order = np.argsort(index.offsets, kind="stable")
    return idx.Index(index.keys[order], index.offsets[order])


def _key_at(index: idx.Index | None, table: _RecordTable, row: int) -> int:
    """Return the key of a damaged record: that of the index, because the id in its header may be what is damaged."""
    if index is not None:
        line = int(np.searchsorted(index.offsets, np.uint64(table.offsets[row])))
        if line < len(index.offsets) and index.offsets[line] == table.offsets[row]:
            return int(index.keys[line])
    return table.keys[row]


def _check_index(report: VerifyReport, files: Fileset, table: _RecordTable) -> None:
    path = files.path(".idx")
    # A damaged .rec file gets no new index.
    advice = "" if table.is_damaged else f"; {reindex_advice(report.path)}"
    if not path.exists():
        report.notes.append(f"{path}: the file does not exist, and some readers need it{advice}")
        return
    report.checked.append("index")
    n_problems = report.n_problems
    try:
        _compare_index(report, path, table)
    except FormatError as error:
        report.add_error(error)
    ids = np.frombuffer(table.keys, np.uint64)
    # Ids of several records are repeated keys of a new index too.
    if report.n_problems > n_problems and advice and len(np.unique(keys_of_ids(ids))) == len(ids):
        report.notes.append(f"{path}: the index is wrong{advice}")


def _compare_index(report: VerifyReport, path: Path, table: _RecordTable) -> None:
    index = idx.read(path, max_bytes=idx.limit_bytes(Path(report.path).stat().st_size))
    offsets, keys = np.frombuffer(table.offsets, np.uint64), np.frombuffer(table.keys, np.uint64)
    records = np.searchsorted(offsets, index.offsets)
    is_head = np.zeros(len(index.offsets), bool)
    if len(offsets):
        is_head = offsets[np.minimum(records, len(offsets) - 1)] == index.offsets
    if (wrong := np.flatnonzero(~is_head)).size:
        more = f", and so in {plural(len(wrong) - 1, 'more line')}" if len(wrong) > 1 else ""
        reason = f"expected the offset of a record, got {index.offsets[wrong[0]]}{more}"
        report.add(path, reason, line=int(wrong[0]) + 1)
    if n_missing := len(offsets) - len(np.unique(index.offsets[is_head])):
        report.add(path, f"expected every record, got {n_missing} fewer; is it the index of this file?")
    if n_repeated := len(index.keys) - len(np.unique(index.keys)):
        report.add(path, f"expected each key once, got {n_repeated} repeated keys; readers find only the last")
    if len(keys):
        _check_index_keys(report, path, index.keys, np.flatnonzero(is_head), keys[records[is_head]])


def _check_index_keys(
    report: VerifyReport,
    path: Path,
    index_keys: NDArray[np.uint64],
    rows: NDArray[np.int64],
    record_ids: NDArray[np.uint64],
) -> None:
    """Compare the keys of index rows with the ids of the records to which the rows point."""
    differences = np.flatnonzero(record_ids != index_keys[rows])
    if not differences.size:
        return
    if np.array_equal(index_keys, np.arange(len(index_keys))):
        report.notes.append(f"{path}: the keys are indices, not the ids of the records, as rec2idx.py writes them")
        return
    row, record_id = int(rows[differences[0]]), record_ids[differences[0]]
    reason = f"expected key {record_id}, the id of the record, got {index_keys[row]}; {differences.size} lines differ"
    report.add(path, reason, line=row + 1)


def _check_list(report: VerifyReport, files: Fileset, table: _RecordTable) -> None:
    path = files.path(".lst")
    if not path.exists():
        return
    if files.description().get("list") == "none":
        report.notes.append(f"{path}: not the list of this set, which was packed from another source")
        return
    report.checked.append("list")
    with ListFile(path) as rows:
        row_keys = np.frombuffer(rows.keys, np.uint64) if len(rows) else np.empty(0, np.uint64)
        order = np.argsort(row_keys, kind="stable")
        sorted_keys = row_keys[order]
        for index, key in enumerate(table.keys):
            position = int(np.searchsorted(sorted_keys, np.uint64(key)))
            if position == len(sorted_keys) or sorted_keys[position] != key:
                report.add(path, "expected a row for each record, got none for this one", key=key)
                continue
            row = rows[int(order[position])]
            labels = table.labels_at(index)
            # A record may have fewer labels than its row: im2rec without --pack-label stores only the first one.
            if labels != tuple(map(_as_float32, row.labels[: len(labels)])):
                report.add(path, f"expected labels {row.labels} in the record, got {labels}", key=key)
        n_record_keys = len(np.unique(np.frombuffer(table.keys, np.uint64)))
        if (n_more := len(row_keys) - n_record_keys) > 0:
            report.notes.append(f"{path}: {n_more} rows have no record{_failures_note(files)}")


def _failures_note(files: Fileset) -> str:
    path = files.path(".failed.tsv")
    return f"; {path} has the reasons" if path.exists() else ""


def _as_float32(label: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", label))[0])
    except OverflowError:
        return math.copysign(math.inf, label)


def _check_exact_labels(report: VerifyReport, files: Fileset, table: _RecordTable) -> None:
    labels = files.exact_labels()
    if labels is None:
        return
    report.checked.append("exact labels")
    path = files.path(".labels.npy")
    if len(labels) != len(table.keys):
        report.add(path, f"expected {len(table.keys)} rows, one per record, got {len(labels)}")
        return
    stored = np.frombuffer(table.labels, np.float32)
    if labels.size != stored.size or not np.array_equal(labels.ravel().astype(np.float32), stored):
        report.add(path, "expected the labels of the records, got different ones")
