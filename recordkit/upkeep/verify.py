"""Checking a .rec file against its own format, its index, its list and its description.

A file passes if every byte belongs to a whole record, every record has a readable header with finite labels, and
whatever lies beside it agrees: the .idx points at the records and has their keys, the .lst has their keys and
labels, PREFIX.json their number and the file's SHA-256, PREFIX.labels.npy their exact labels. Asked to decode, every
image must. Behind damage the check goes on at the next record, so one report names all of it.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from recordkit import codec
from recordkit.errors import FormatError, ImageError
from recordkit.formats import idx, irheader
from recordkit.formats.fileset import Fileset, fingerprint
from recordkit.formats.frame import RecordReader, pack
from recordkit.formats.lst import ListFile
from recordkit.threads import ThreadedMap, count_threads

MAX_PROBLEMS = 1000
"""Problems named in a report; beyond, they are only counted."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes
    ----------
    file : str
    place : str
        ``"byte 1048576"``, ``"line 12"``, ``"key 7"`` or "".
    reason : str
    """

    file: str
    place: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.reason) if part)


@dataclass
class VerifyReport:
    """What a check found.

    Attributes
    ----------
    path : str
    n_records : int
        Whole records.
    n_decoded : int
        Images decoded; 0 if that was not asked for.
    checked : list of str
        What was checked: "structure", "index", "list", "description", "exact labels", "images".
    problems : list of Problem
        The first 1,000.
    n_problems : int
    notes : list of str
        Not wrong, but good to know.
    """

    path: str
    n_records: int = 0
    n_decoded: int = 0
    checked: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    n_problems: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return self.n_problems == 0

    def add(self, file: Path | str, place: str, reason: str) -> None:
        """Name one more problem."""
        self.n_problems += 1
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(Problem(str(file), place, reason))

    def as_json(self) -> dict[str, object]:
        """Return the report as values that JSON can hold."""
        return {"ok": self.ok, **asdict(self)}


class _Records:
    """What the other checks need of the records: 8 bytes each for offset and key, and the labels."""

    def __init__(self) -> None:
        self.offsets = array("Q")
        self.keys = array("Q")
        self.labels = array("f")
        self.label_ends = array("Q")

    def add(self, offset: int, header: irheader.IRHeader) -> None:
        self.offsets.append(offset)
        self.keys.append(header.id)
        self.labels.extend(header.labels)
        self.label_ends.append(len(self.labels))

    def labels_of(self, position: int) -> tuple[float, ...]:
        begin = self.label_ends[position - 1] if position else 0
        return tuple(self.labels[begin : self.label_ends[position]])


def verify(
    path: str | Path, *, decode: bool = False, threads: int = 0, progress: Callable[[int], None] | None = None
) -> VerifyReport:
    """Check a .rec file and what lies beside it.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix.
    decode : bool, default False
        Also decode every image.
    threads : int, default 0
        For decoding; 0: as many as CPUs this process may use.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    report : VerifyReport
        Memory: 24 bytes a record and 4 a label; while an index or a list is compared, 40 more for each of its lines.

    Raises
    ------
    OSError
        The .rec file cannot be read.
    """
    files = Fileset(path)
    records = _Records()
    report = VerifyReport(str(files.path(".rec")))
    with RecordReader(files.path(".rec")) as reader:
        if not reader.size:
            report.add(reader.path, "", "expected records, got an empty file")

        def check(item: tuple[int, bytes]) -> tuple[int, bytes, str]:
            return *item, (_look(item[1]) if decode else "")

        with ThreadedMap(check, _walk(reader, report), count_threads(threads) if decode else 1) as found:
            for offset, record, reason in found:
                _check_record(report, records, offset, record)
                if reason:
                    report.add(reader.path, f"byte {offset}", reason)
                if progress:
                    progress(len(record))
    report.n_records = len(records.offsets)
    report.n_decoded = report.n_records if decode else 0
    report.checked += ["structure", "images"] if decode else ["structure"]
    for check_file in (_check_description, _check_index, _check_list, _check_exact_labels):
        try:
            check_file(report, files, records)
        except FormatError as error:
            report.add(error.path or "", error.where, error.problem)
    return report


def _walk(reader: RecordReader, report: VerifyReport) -> Iterator[tuple[int, bytes]]:
    begin = 0
    while begin < reader.size:
        last: tuple[int, bytes] | None = None
        try:
            for last in reader.scan(begin):
                yield last
            return
        except FormatError as error:
            at = error.offset or 0
            damaged = begin if last is None else last[0] + sum(map(len, pack(last[1])))
            # A fault behind the damaged record's head may be the head of the next, which is then good.
            begin = reader.next_head(at if at > damaged else at + 4)
            lost = f"; {begin - damaged} bytes are lost"
            report.add(reader.path, error.where, error.problem + lost)


def _look(record: bytes) -> str:
    """Return what is wrong with a record's image, or an empty string."""
    try:
        header, payload = irheader.unpack(record)
        if not payload and isinstance(header.label, tuple):
            return ""  # metadata, as InsightFace writes it
        codec.decode(payload, channels="keep")
    except (FormatError, ImageError) as error:
        return str(error)
    return ""


def _check_record(report: VerifyReport, records: _Records, offset: int, record: bytes) -> None:
    try:
        header, payload = irheader.unpack_at(record, report.path, offset)
    except FormatError as error:
        report.add(report.path, error.where, error.problem)
        return
    records.add(offset, header)
    if not all(math.isfinite(label) for label in records.labels_of(len(records.keys) - 1)):
        report.add(report.path, f"byte {offset}", f"expected finite labels, got {header.label}")
    if not payload and not isinstance(header.label, tuple):
        report.add(report.path, f"byte {offset}", "expected an image, got 0 bytes")


def _check_description(report: VerifyReport, files: Fileset, records: _Records) -> None:
    description = files.description()
    expected = description.get("rec")
    if not isinstance(expected, dict):
        return
    report.checked.append("description")
    name, path = files.path(".json"), files.path(".rec")
    size = path.stat().st_size
    if expected.get("bytes") != size:
        report.add(name, "", f"expected {path} to have {expected.get('bytes')} bytes, got {size}")
    elif expected.get("sha256") != (found := fingerprint(path)):
        report.add(name, "", f"expected SHA-256 {expected.get('sha256')}, got {found}")
    if description.get("records") != len(records.keys):
        report.add(name, "", f"expected {description.get('records')} records, got {len(records.keys)}")


def _check_index(report: VerifyReport, files: Fileset, records: _Records) -> None:
    path = files.path(".idx")
    if not path.exists():
        report.notes.append(f"{path}: there is none; readers that need one have to make it")
        return
    report.checked.append("index")
    index = idx.read(path)
    offsets, keys = np.frombuffer(records.offsets, np.uint64), np.frombuffer(records.keys, np.uint64)
    position = np.searchsorted(offsets, index.offsets)
    hit = offsets[np.minimum(position, len(offsets) - 1)] == index.offsets if len(offsets) else index.offsets < 0
    for line in np.flatnonzero(~hit):
        report.add(path, f"line {line + 1}", f"expected the offset of a record, got {index.offsets[line]}")
    if missing := len(offsets) - len(np.unique(index.offsets[hit])):
        report.add(path, "", f"expected every record, got {missing} fewer; is it the index of this file?")
    if len(index.keys) and (twice := len(index.keys) - len(np.unique(index.keys))):
        report.add(path, "", f"expected each key once, got {twice} that come again; readers only find the last")
    own = keys[position[hit]]
    differs = np.flatnonzero(own != index.keys[hit])
    if differs.size and np.array_equal(index.keys, np.arange(len(index.keys))):
        report.notes.append(f"{path}: keys are positions, not the records' own ids (as rec2idx.py writes them)")
    elif differs.size:
        line = np.flatnonzero(hit)[differs[0]]
        report.add(
            path,
            f"line {line + 1}",
            f"expected key {own[differs[0]]}, the record's own, got {index.keys[line]}; {differs.size} lines differ",
        )


def _check_list(report: VerifyReport, files: Fileset, records: _Records) -> None:
    path = files.path(".lst")
    if not path.exists():
        return
    if files.description().get("list") == "none":
        report.notes.append(f"{path}: not the list of this set, which was packed from another")
        return
    report.checked.append("list")
    with ListFile(path) as rows:
        keys = np.frombuffer(rows.keys, np.uint64) if len(rows) else np.empty(0, np.uint64)
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for position, key in enumerate(records.keys):
            at = int(np.searchsorted(ordered, np.uint64(key)))
            if at == len(ordered) or ordered[at] != key:
                report.add(path, f"key {key}", "expected a row for each record, got none for this one")
                continue
            row = rows[int(order[at])]
            labels = records.labels_of(position)
            # Packed without --pack-label, a record has the first label of its row only.
            if labels != tuple(map(_as_float32, row.labels[: len(labels)])):
                report.add(path, f"key {key}", f"expected labels {row.labels} in the record, got {labels}")
        if (n_more := len(keys) - len(np.unique(np.frombuffer(records.keys, np.uint64)))) > 0:
            report.notes.append(f"{path}: {n_more} rows have no record{_failed_note(files)}")


def _failed_note(files: Fileset) -> str:
    path = files.path(".failed.tsv")
    return f"; {path} says why" if path.exists() else ""


def _as_float32(label: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", label))[0])
    except OverflowError:
        return math.copysign(math.inf, label)


def _check_exact_labels(report: VerifyReport, files: Fileset, records: _Records) -> None:
    labels = files.exact_labels()
    if labels is None:
        return
    report.checked.append("exact labels")
    path = files.path(".labels.npy")
    if len(labels) != len(records.keys):
        report.add(path, "", f"expected {len(records.keys)} rows, one a record, got {len(labels)}")
        return
    stored = np.frombuffer(records.labels, np.float32)
    if labels.size != stored.size or not np.array_equal(labels.ravel().astype(np.float32), stored):
        report.add(path, "", "expected the records' labels, got others")
