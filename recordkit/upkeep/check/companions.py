"""Comparing the companions of a .rec file with its records, for `recordkit.upkeep.verify`.

The .idx file has the offsets and keys of the records, the .lst file has their keys and labels, PREFIX.json has their
number and the file's SHA-256, PREFIX.labels.npy has their exact labels, and PREFIX.crc has the CRC-32 of each, which
says which records are damaged.
"""

from __future__ import annotations

import contextlib
import functools

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.keys import KeyLookup, count_different, keys_of_ids
from recordkit.dataset.places import place_records
from recordkit.dataset.records import read_index
from recordkit.errors import FormatError, plural
from recordkit.formats import idx
from recordkit.storage.checksums import check_number, is_described_index, read_checksums
from recordkit.storage.description import set_id
from recordkit.storage.fileset import Fileset, Fingerprint, reindex_advice
from recordkit.upkeep.check.list_labels import ListLabels
from recordkit.upkeep.check.record_table import RecordTable
from recordkit.upkeep.check.report import VerifyReport


def check_companions(report: VerifyReport, files: Fileset, table: RecordTable, content: Fingerprint) -> None:
    """Compare all companions that exist, and add their problems to the report. `content` is that of the .rec file."""
    reported = set()
    check_description = functools.partial(_check_description, content=content)
    for check_file in (check_description, _check_checksums, check_index, _check_list, _check_exact_labels):
        try:
            check_file(report, files, table)
        except FormatError as error:
            if str(error) not in reported:  # several of them read PREFIX.json
                report.add_error(error, advice=error.advice if error.path == str(files.path(".crc")) else None)
            reported.add(str(error))


def has_fingerprint(files: Fileset) -> bool:
    """Tell whether the .rec file is as long as its description says, so that its SHA-256 is compared too."""
    with contextlib.suppress(FormatError):  # `check_companions` reports it
        rec = files.description().get("rec")
        return isinstance(rec, dict) and rec.get("bytes") == files.path(".rec").stat().st_size
    return False


def _check_description(report: VerifyReport, files: Fileset, table: RecordTable, *, content: Fingerprint) -> None:
    description = files.description()
    rec = description.get("rec")
    if not isinstance(rec, dict):
        return
    report.checked.append("description")
    json_path, rec_path = files.path(".json"), files.path(".rec")
    size = rec_path.stat().st_size
    if rec.get("bytes") != size:
        report.add(json_path, f"expected {rec_path} to have {rec.get('bytes')} bytes, got {size}")
    elif rec.get("sha256") != (sha256 := content.hexdigest()):
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
    n_known = None if table.first_loss is None else int(np.searchsorted(table.offsets, table.first_loss))
    index = None if n_known is None else _read_sorted_index(files)
    places = place_records(table.offsets, table.positions, n_known, None if index is None else index.offsets)
    if n_known is None:
        check_number(files, expected, table.n_frames)
    elif not places.is_indexed:
        report.notes.append(
            f"{path}: not compared with the records behind byte {table.first_loss}: no index counts them"
        )
    rows = np.flatnonzero((places.positions >= 0) & (places.positions < len(expected)))
    rows = rows[table.checksums[rows] != expected[places.positions[rows]]]
    if not len(rows):
        return
    keys = RecordKeys(files, table)
    for row in report.first(rows):
        reason = f"expected CRC-32 {expected[places.positions[row]]:08x}, got {table.checksums[row]:08x}"
        offset = int(table.offsets[row])
        report.add(report.path, reason, offset=offset, key=keys.at(offset)[0])  # the id may be what is damaged


def _read_sorted_index(files: Fileset) -> idx.Index | None:
    """Return the lines of the .idx file in file order; None if there are none that can be read."""
    try:
        index = _read_index(files)
    except (FormatError, OSError):  # `check_index` reports them
        return None
    order = np.argsort(index.offsets, kind="stable")
    return idx.Index(index.keys[order], index.offsets[order])


def _read_index(files: Fileset) -> idx.Index:
    keys, offsets = read_index(files.path(".idx"), files.rec_size())
    return idx.Index(np.arange(len(offsets), dtype=np.uint64) if keys is None else keys, offsets)


class RecordKeys:
    """The keys by which a reader finds the records: those of the .idx file, or else those of a file without one."""

    def __init__(self, files: Fileset, table: RecordTable) -> None:
        self._index = _read_sorted_index(files)
        self._table = table
        self._keys = keys_of_ids(table.keys)

    def at(self, offset: int) -> tuple[int, int]:
        """Return the key of the record at an offset, and the id in its header."""
        row = int(np.searchsorted(self._table.offsets, np.uint64(offset)))
        key, record_id = int(self._keys[row]), int(self._table.keys[row])
        if self._index is not None:
            line = int(np.searchsorted(self._index.offsets, np.uint64(offset)))
            if line < len(self._index.offsets) and self._index.offsets[line] == offset:
                key = int(self._index.keys[line])
        return key, record_id


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
        _compare_index(report, files, _read_index(files), table)
    except FormatError as error:
        report.add_error(error)
    ids = table.keys
    # Ids of several records are repeated keys of a new index too.
    if report.n_problems > n_problems and advice and count_different(keys_of_ids(ids)) == len(ids):
        report.notes.append(f"{path}: the index is wrong{advice}")


def _compare_index(report: VerifyReport, files: Fileset, index: idx.Index, table: RecordTable) -> None:
    path, offsets, keys = files.path(".idx"), table.offsets, table.keys
    if np.array_equal(offsets, index.offsets):  # usual, and found in a tenth of the time
        records, is_head = np.arange(len(offsets)), np.ones(len(offsets), bool)
    else:
        records = np.searchsorted(offsets, index.offsets)
        is_head = np.zeros(len(index.offsets), bool)
        if len(offsets):
            is_head = offsets[np.minimum(records, len(offsets) - 1)] == index.offsets
    if (wrong := np.flatnonzero(~is_head)).size:
        more = f", and so in {plural(len(wrong) - 1, 'more line')}" if len(wrong) > 1 else ""
        reason = f"expected the offset of a record, got {index.offsets[wrong[0]]}{more}"
        report.add(path, reason, line=int(wrong[0]) + 1)
    if n_missing := len(offsets) - count_different(index.offsets[is_head]):
        report.add(path, f"expected every record, got {n_missing} fewer; is it the index of this file?")
    if n_repeated := len(index.keys) - count_different(index.keys):
        report.add(path, f"expected each key once, got {n_repeated} repeated keys; readers find only the last")
    if len(keys):
        _check_index_keys(report, files, index.keys, np.flatnonzero(is_head), keys[records[is_head]])


def _check_index_keys(
    report: VerifyReport,
    files: Fileset,
    index_keys: NDArray[np.uint64],
    rows: NDArray[np.int64],
    record_ids: NDArray[np.uint64],
) -> None:
    """Compare the keys of index rows with the ids of the records to which the rows point."""
    path, differences = files.path(".idx"), np.flatnonzero(record_ids != index_keys[rows])
    if not differences.size:
        return
    if np.array_equal(index_keys, np.arange(len(index_keys))):
        report.notes.append(f"{path}: the keys are indices, not the ids of the records, as rec2idx.py writes them")
        return
    if is_described_index(files):  # an edit of a set whose keys are indices
        report.notes.append(
            f"{path}: the keys are not the ids of {plural(differences.size, 'record')}, as in the set before the edit"
        )
        return
    row, record_id = int(rows[differences[0]]), record_ids[differences[0]]
    n_lines = plural(differences.size, "line differs", "lines differ")
    reason = f"expected key {record_id}, the id of the record, got {index_keys[row]}; {n_lines}"
    report.add(path, reason, line=row + 1)


def _check_list(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
    path = files.path(".lst")
    if not path.exists():
        return
    if files.description().get("list") == "none":
        report.notes.append(f"{path}: not the list of this set, which was packed from another source")
        return
    report.checked.append("list")
    samples = table.sample_rows()
    with ListLabels(path) as rows:
        numbers = KeyLookup(rows.keys).first_indices(table.keys[samples])
        has_row = numbers >= 0
        is_wrong = ~has_row
        is_wrong[has_row] = rows.differ(numbers[has_row], table, samples[has_row])
        for place in report.first(np.flatnonzero(is_wrong)):
            key = int(table.keys[samples[place]])
            if not has_row[place]:
                report.add(path, "expected a row for each record, got none for this one", key=key)
                continue
            labels = table.labels_at(int(samples[place]))
            listed = rows.labels_at(int(numbers[place]))
            report.add(path, f"expected labels {listed} in the record, got {labels}", key=key)
        n_sample_keys = count_different(table.keys[samples])
        if (n_more := len(rows.keys) - n_sample_keys) > 0:
            report.notes.append(f"{path}: {plural(n_more, 'row has', 'rows have')} no record{_failures_note(files)}")


def _failures_note(files: Fileset) -> str:
    path = files.path(".failed.tsv")
    return f"; {path} has the reasons" if path.exists() else ""


def _check_exact_labels(report: VerifyReport, files: Fileset, table: RecordTable) -> None:
    labels = files.exact_labels()
    if labels is None:
        return
    report.checked.append("exact labels")
    path = files.path(".labels.npy")
    if len(labels) != len(table.keys):
        report.add(path, f"expected {plural(len(table.keys), 'row')}, one per record, got {len(labels)}")
        return
    if labels.size != table.labels.size or not np.array_equal(labels.ravel().astype(np.float32), table.labels):
        report.add(path, "expected the labels of the records, got different ones")
