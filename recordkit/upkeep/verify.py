"""Checks of a .rec file against its format, its index, its list and its description.

A file passes if every byte belongs to a whole record, every record has a readable header with finite labels, and its
companions agree with it (`recordkit.upkeep.companions`). With `decode`, every image must decode. Records without an
image header that are no images (`recordkit.dataset.contents`) need whole frames and a matching index only. The check
continues at the next record after damage, so one report names all of it.

The pass over the records is in `recordkit.upkeep.scan`, and the report in `recordkit.upkeep.report`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from recordkit import codec
from recordkit.dataset.contents import OtherRecords, find_other_records
from recordkit.errors import FormatError, ImageError, quoted
from recordkit.formats import irheader
from recordkit.formats.frame import OnDamage, RecordReader
from recordkit.formats.insightface import faces
from recordkit.storage.commit import describe_ignored_commits
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import read_sets
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.companions import RecordTable, check_companions, check_index
from recordkit.upkeep.report import VerifyReport
from recordkit.upkeep.scan import scan_records
from recordkit.upkeep.shards import verify_shards

_Record = tuple[int, int, irheader.IRHeader, memoryview, bytes]
"""Position among the whole records, offset, header, payload, and all bytes of a record."""


def verify(
    path: str | Path, *, decode: bool = False, threads: int = 0, progress: Callable[[int], None] | None = None
) -> VerifyReport:
    """Check a .rec file and its companions, or a manifest and all its shards.

    Parameters
    ----------
    path : str or Path
        The .rec file, the manifest, or the prefix of either.
    decode : bool, default False
        Also decode every image.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that decode; 0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    report : VerifyReport
        The check takes 36 bytes of memory per record and 4 per label, and 40 more per line while an index or a list
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
    n_decoders = count_threads(threads) if decode else None

    def verify_set(files: Fileset) -> VerifyReport:
        return _verify(files, n_decoders, progress)

    def read(sets: list[Fileset], _: ExitStack) -> VerifyReport:
        return verify_set(sets[0]) if sets[0].listing is None else verify_shards(sets, verify_set)

    return read_sets(lambda: [path], read)


def _verify(files: Fileset, n_decoders: int | None, progress: Callable[[int], None] | None) -> VerifyReport:
    other = find_other_records(files)
    if other is not None and not other.has_headers:
        return _verify_other_records(files, other, progress)
    report = VerifyReport(str(files.path(".rec")))
    if other is not None:
        report.notes.append(f"{report.path}: {other}")
    table = RecordTable()
    n_decoders = n_decoders if other is None else None
    with RecordReader(files.path(".rec")) as reader:
        _check_records(report, table, reader, n_decoders, progress, has_checksums=files.path(".crc").exists())
    report.n_records = len(table.offsets)
    report.key_range = (min(table.keys), max(table.keys)) if table.keys else None
    report.n_decoded = report.n_records if n_decoders else 0
    report.checked += ["structure", "images"] if n_decoders else ["structure"]
    check_companions(report, files, table)
    if any(problem.path == report.path and problem.offset is not None for problem in report.problems):
        report.notes.append(f"'recordkit repair {quoted(report.path)} PREFIX' writes the whole records into a new set")
    report.notes += describe_ignored_commits(files.prefix)
    return report


def _check_records(
    report: VerifyReport,
    table: RecordTable,
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
            table.add(position, offset, header, payload, checksum)
            _check_record(report, offset, header, payload)
            if decode_error is not None:
                report.add(report.path, decode_error, offset=offset)
    for offset in () if table.has_face_header else table.metadata_offsets:
        reason = "expected an image, got 0 bytes, and the file has no header of InsightFace"
        report.add(report.path, reason, offset=offset)


def _readable_records(
    reader: RecordReader, table: RecordTable, on_damage: OnDamage, progress: Callable[[int], None] | None
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


def _damage_counter(report: VerifyReport, table: RecordTable) -> OnDamage:
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
    table = RecordTable()
    with RecordReader(files.path(".rec")) as reader:
        records = scan_records(reader, on_damage=_damage_counter(report, table), progress=progress)
        table.offsets.extend(offset for offset, _ in records)
    report.n_records = len(table.offsets)
    check_index(report, files, table)
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
