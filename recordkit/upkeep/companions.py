"""Comparing the companions of a .rec file with its records, for `recordkit.upkeep.verify`.

The .idx file has the offsets and keys of the records, the .lst file has their keys and labels, PREFIX.json has their
number and the file's SHA-256, PREFIX.labels.npy has their exact labels, and PREFIX.crc has the CRC-32 of each, which
says which records are damaged.
"""

from __future__ import annotations

import math
import struct
from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import keys_of_ids
from recordkit.dataset.places import place_records
from recordkit.errors import FormatError, plural
from recordkit.formats import idx, irheader
from recordkit.formats.insightface import faces
from recordkit.formats.lst import ListFile
from recordkit.storage.checksums import check_number, read_checksums
from recordkit.storage.description import set_id
from recordkit.storage.fileset import Fileset, fingerprint, reindex_advice
from recordkit.upkeep.report import VerifyReport


class RecordTable:
    """Offset, key, labels and checksum of every record with a readable header; 36 bytes each and 4 per label."""

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

    def add(self, position: int, offset: int, header: irheader.IRHeader, payload: memoryview, checksum: int) -> None:
        """Add a record."""
        if faces.is_metadata(header, payload):
            self.metadata_offsets.append(offset)
            self.has_face_header |= faces.is_file_header(header, payload)
        self.positions.append(position)
        self.offsets.append(offset)
        self.checksums.append(checksum)
        self.keys.append(header.id)
        self.labels.extend(header.labels)
        self._label_ends.append(len(self.labels))

    def sample_indices(self) -> NDArray[np.int64]:
        """Return the indices of the samples: all records but InsightFace's header and identities."""
        metadata = self.metadata_offsets if self.has_face_header else array("Q")
        return np.flatnonzero(np.isin(np.array(self.offsets, np.uint64), np.array(metadata, np.uint64), invert=True))

    def labels_at(self, index: int) -> tuple[float, ...]:
        """Return the labels of a record."""
        begin = self._label_ends[index - 1] if index else 0
        return tuple(self.labels[begin : self._label_ends[index]])


def check_companions(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
    """Compare all companions that exist, and add their problems to the report."""
    reported = set()
    for check_file in (_check_description, _check_checksums, check_index, _check_list, _check_exact_labels):
        try:
            check_file(report, files, table)
        except FormatError as error:
            if str(error) not in reported:  # several of them read PREFIX.json
                report.add_error(error, advice=error.advice if error.path == str(files.path(".crc")) else None)
            reported.add(str(error))


def _check_description(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
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


def _check_checksums(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
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
        index = idx.read(files.path(".idx"), max_bytes=idx.limit_bytes(files.rec_size()))
    except (FormatError, OSError):  # `check_index` reports them
        return None
    order = np.argsort(index.offsets, kind="stable")
    return idx.Index(index.keys[order], index.offsets[order])


def _read_index(files: Fileset) -> idx.Index:
    return idx.read(files.path(".idx"), max_bytes=idx.limit_bytes(files.rec_size()))


def _key_at(index: idx.Index | None, table: RecordTable, row: int) -> int:
    """Return the key of a damaged record: that of the index, because the id in its header may be what is damaged."""
    if index is not None:
        line = int(np.searchsorted(index.offsets, np.uint64(table.offsets[row])))
        if line < len(index.offsets) and index.offsets[line] == table.offsets[row]:
            return int(index.keys[line])
    return table.keys[row]


def check_index(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
    """Compare the .idx file with the records, and add its problems to the report."""
    path = files.path(".idx")
    # A damaged .rec file gets no new index.
    advice = "" if table.is_damaged else f"; {reindex_advice(report.path)}"
    if not path.exists():
        report.notes.append(f"{path}: the file does not exist, and some readers need it{advice}")
        return
    report.checked.append("index")
    n_problems = report.n_problems
    try:
        _compare_index(report, path, _read_index(files), table)
    except FormatError as error:
        report.add_error(error)
    ids = np.frombuffer(table.keys, np.uint64)
    # Ids of several records are repeated keys of a new index too.
    if report.n_problems > n_problems and advice and len(np.unique(keys_of_ids(ids))) == len(ids):
        report.notes.append(f"{path}: the index is wrong{advice}")


def _compare_index(report: VerifyReport, path: Path, index: idx.Index, table: RecordTable) -> None:
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


def _check_list(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
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
        samples = table.sample_indices()
        for index in samples.tolist():
            key = table.keys[index]
            position = int(np.searchsorted(sorted_keys, np.uint64(key)))
            if position == len(sorted_keys) or sorted_keys[position] != key:
                report.add(path, "expected a row for each record, got none for this one", key=key)
                continue
            row = rows[int(order[position])]
            labels = table.labels_at(index)
            # A record may have fewer labels than its row: im2rec without --pack-label stores only the first one.
            if labels != tuple(map(_as_float32, row.labels[: len(labels)])):
                report.add(path, f"expected labels {row.labels} in the record, got {labels}", key=key)
        n_sample_keys = len(np.unique(np.array(table.keys, np.uint64)[samples]))
        if (n_more := len(row_keys) - n_sample_keys) > 0:
            report.notes.append(f"{path}: {n_more} rows have no record{_failures_note(files)}")


def _failures_note(files: Fileset) -> str:
    path = files.path(".failed.tsv")
    return f"; {path} has the reasons" if path.exists() else ""


def _as_float32(label: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", label))[0])
    except OverflowError:
        return math.copysign(math.inf, label)


def _check_exact_labels(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
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
