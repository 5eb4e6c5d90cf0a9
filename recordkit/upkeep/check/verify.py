"""Checks of a .rec file against its format, its index, its list and its description.

A file passes if every byte belongs to a whole record, every record has a readable header with finite labels, and its
companions agree with it (`recordkit.upkeep.check.companions`). With `decode`, every image must decode. Records without
an image header that are no images (`recordkit.dataset.contents`) need whole frames and a matching index only. The check
continues at the next record after damage, so one report names all of it.

The frames are found by `recordkit.dataset.frame_search`, and `recordkit.upkeep.check.record_check` checks the records,
in blocks on several threads. The report is in `recordkit.upkeep.check.report`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.contents import OtherRecords, find_other_records
from recordkit.dataset.frame_search import LostBytes, WholeFrames, find_frames
from recordkit.dataset.records import RecordFile, open_record_file
from recordkit.errors import PlanError, plural, quoted
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.storage.commit import describe_ignored_commits
from recordkit.storage.fileset import Fileset, Fingerprint
from recordkit.storage.manifest import Listing
from recordkit.storage.snapshot import read_sets
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.byte_progress import PassProgress, bytes_of_rows
from recordkit.upkeep.check.companions import RecordKeys, check_companions, check_index, has_fingerprint
from recordkit.upkeep.check.native import choose_check
from recordkit.upkeep.check.record_check import CheckedRecords, PythonCheck
from recordkit.upkeep.check.record_table import RecordTable, TableBuilder
from recordkit.upkeep.check.report import MAX_PROBLEMS, VerifyReport
from recordkit.upkeep.check.shards import verify_shard, verify_shards

# Records, and about their bytes, that a thread checks at a time; fewer bytes of a small file, so that all threads have
# work until the end.
_BLOCK_RECORDS, _BLOCK_BYTES, _LEAST_BLOCK_BYTES = 1 << 14, 1 << 22, 1 << 18


class _Options(NamedTuple):
    decode: bool
    n_threads: int
    progress: Callable[[int], None] | None


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
        Number of threads that read and decode; 0 means one per CPU that this process may use.
    progress : callable, optional
        Called with the number of bytes read since the last call.

    Returns
    -------
    report : VerifyReport
        The check takes 36 bytes of memory per record and 8 per label, and up to 60 more per line while an index or a
        list is compared. A damaged file takes up to 80 per record while its frames are searched. Images take a quarter
        of the memory of the machine at most, or one image.

    Raises
    ------
    NotFoundError
        The .rec file does not exist.
    FormatError
        `path` is a file of another format.
    PlanError
        `path` is a list.
    OSError
        The .rec file cannot be read.
    """
    if not isinstance(path, str | os.PathLike):
        raise PlanError(argument="path", expected="one dataset at a time", got=repr(path))
    options = _Options(decode, count_threads(threads), progress)

    def verify_set(files: Fileset, content: Fingerprint) -> VerifyReport:
        return _verify(files, content, options)

    def read(sets: list[Fileset], _: ExitStack) -> VerifyReport:
        if sets[0].listing is not None:
            return verify_shards(sets, verify_set)
        with closing(Fingerprint(sets[0].path(".rec"))) as content:
            return verify_set(sets[0], content)

    return read_sets(lambda: [path], read)


def verify_listed(listing: Listing, *, decode: bool = False, threads: int = 0) -> VerifyReport:
    """Check one shard of a dataset, and compare it with the manifest, as `verify` does with each.

    Parameters
    ----------
    listing : Listing
        The place of the shard in the manifest.
    decode, threads
        As for `verify`.
    """
    options = _Options(decode, count_threads(threads), None)
    path = listing.path.with_name(listing.shard.name)
    return verify_shard(Fileset(path, listing=listing), lambda files, content: _verify(files, content, options))


def _verify(files: Fileset, content: Fingerprint, options: _Options) -> VerifyReport:
    other = find_other_records(files)
    if other is not None and not other.has_headers:
        return _verify_other_records(files, other, options)
    report = VerifyReport(str(files.path(".rec")))
    if other is not None:
        report.notes.append(f"{report.path}: {other}")
        options = options._replace(decode=False)
    is_hashed = files.listing is not None or has_fingerprint(files)
    table, problems = _check_records(report, files.path(".rec"), options, content if is_hashed else None)
    problems.report(files, table)
    report.n_records = len(table.offsets)
    report.key_range = (int(np.min(table.keys)), int(np.max(table.keys))) if len(table.keys) else None
    report.n_decoded = report.n_records if options.decode else 0
    report.checked += ["structure", "images"] if options.decode else ["structure"]
    check_companions(report, files, table, content)
    report.notes += _advices(report, problems.n_bad_samples)
    report.notes += describe_ignored_commits(files.prefix)
    return report


def _advices(report: VerifyReport, n_bad_samples: int) -> list[str]:
    """Return what helps: repair leaves out what is damaged, and with --decode whole records that are bad samples."""
    path = quoted(report.path)
    if report.n_records == n_bad_samples:  # nothing is left
        return []
    if n_bad_samples:
        return [f"'recordkit repair {path} PREFIX --decode' writes the good records into a new set"]
    if any(problem.path == report.path and problem.offset is not None for problem in report.problems):
        return [f"'recordkit repair {path} PREFIX' writes the whole records into a new set"]
    return []


def _check_records(
    report: VerifyReport, path: Path, options: _Options, content: Fingerprint | None
) -> tuple[RecordTable, _RecordProblems]:
    """Check every record; return what the companions are compared with, and the problems without their keys.

    The SHA-256 of the content has to be computed in file order, so that one thread does it: this one, beside those that
    check the records. It reads bytes that the system has just read for them.
    """
    progress = PassProgress(options.progress, 2)
    with closing(open_record_file(path)) as file:
        if not file.size:
            report.add(path, "expected records, got an empty file")
        frames = find_frames(path, file, progress)
        table, problems = TableBuilder(frames), _RecordProblems(report, frames)
        checks = check_in_blocks(
            path, file, frames.offsets, decode=options.decode, n_threads=options.n_threads, progress=progress
        )
        with closing(checks):
            for block, checked in checks:
                table.add(block, checked)
                problems.add(block, checked)
                if content is not None and block.stop < len(frames.offsets):
                    content.read_to(int(frames.offsets[block.stop]))
    problems.add_rest(() if table.has_face_header else table.metadata_rows())
    return table.finish(), problems


def check_in_blocks(
    path: Path,
    file: RecordFile,
    offsets: NDArray[np.uint64],
    *,
    decode: bool,
    n_threads: int,
    progress: Callable[[int], None],
) -> Generator[tuple[slice, CheckedRecords], None, None]:
    """Check the records at some offsets on several threads.

    Parameters
    ----------
    path : Path
        The .rec file.
    file : RecordFile
        The same file, open.
    offsets : ndarray of uint64, shape (n,)
        In file order.
    decode : bool
        Also decode every image.
    n_threads : int
    progress : callable
        Called with the number of bytes that were checked since the last call; the numbers add up to the file's size.

    Yields
    ------
    rows : slice
        The rows of a block, which begins where the one before ends.
    checked : CheckedRecords
        Their facts.
    """
    budget = MemoryBudget(choose_memory(None), n_threads) if decode else None
    stopped = bytearray(1)
    with closing(PythonCheck(path, budget, stopped)) as reference:
        check = choose_check(file, reference, budget, stopped).check
        blocks = list(_blocks(offsets, min(_BLOCK_BYTES, max(_LEAST_BLOCK_BYTES, file.size // (8 * n_threads)))))
        with ThreadedMap(lambda block: check(offsets[block]), blocks, n_threads, stopped=stopped) as results:
            for block, checked in zip(blocks, results, strict=True):
                yield block, checked
                progress(bytes_of_rows(offsets, block.start, block.stop, file.size))


def _blocks(offsets: NDArray[np.uint64], n_bytes: int) -> Iterator[slice]:
    """Yield ranges of rows: as many records as have about these bytes, at most `_BLOCK_RECORDS`, at least one."""
    begin = 0
    while begin < len(offsets):
        near = int(np.searchsorted(offsets, offsets[begin] + np.uint64(n_bytes)))
        end = max(begin + 1, min(begin + _BLOCK_RECORDS, near))
        yield slice(begin, end)
        begin = end


class _RecordProblems:
    """Lost bytes and faults of records, in file order. Their keys are known when all records have been checked."""

    def __init__(self, report: VerifyReport, frames: WholeFrames) -> None:
        self.n_bad_samples = 0
        self._report = report
        self._offsets = frames.offsets
        self._lost = iter(frames.lost)
        self._next_lost = next(self._lost, None)
        # Offset, reason, and whether a whole record is there; those that the report has room for.
        self._problems: list[tuple[int, str, bool]] = []
        self._n_problems = 0

    def add(self, block: slice, checked: CheckedRecords) -> None:
        """Add the faults of a block, and what is lost before them."""
        self.n_bad_samples += len({fault.row for fault in checked.faults if checked.is_readable[fault.row]})
        for fault in checked.faults:
            begin = int(self._offsets[block.start + fault.row])
            self._add_lost(begin)
            is_record = bool(checked.is_readable[fault.row])
            self._add(begin if is_record else fault.offset, fault.reason, is_record=is_record)

    def add_rest(self, imageless_rows: Iterable[int]) -> None:
        """Add what is lost behind the last fault, and records without an image that are not InsightFace's."""
        self._add_lost(None)
        for row in imageless_rows:
            self.n_bad_samples += 1
            reason = "expected an image, got 0 bytes, and the file has no header of InsightFace"
            self._add(int(self._offsets[row]), reason, is_record=True)

    def report(self, files: Fileset, table: RecordTable) -> None:
        """Add the problems to the report."""
        keys = RecordKeys(files, table) if self.n_bad_samples else None
        for offset, reason, is_record in self._problems:
            if keys is not None and is_record:
                key, record_id = keys.at(offset)
                reason = reason if key == record_id else f"{reason}; the id in the record is {record_id}"
                self._report.add(self._report.path, reason, offset=offset, key=key)
            else:
                self._report.add(self._report.path, reason, offset=offset)
        self._report.n_problems += self._n_problems - len(self._problems)

    def _add(self, offset: int, reason: str, *, is_record: bool) -> None:
        self._n_problems += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append((offset, reason, is_record))

    def _add_lost(self, before: int | None) -> None:
        while self._next_lost is not None and (before is None or self._next_lost.offset < before):
            self._add(self._next_lost.fault_offset, _lost_reason(self._next_lost), is_record=False)
            self._next_lost = next(self._lost, None)


def _lost_reason(lost: LostBytes) -> str:
    return f"{lost.reason}; {plural(lost.n_bytes, 'byte is', 'bytes are')} lost"


def _verify_other_records(files: Fileset, other: OtherRecords, options: _Options) -> VerifyReport:
    """Check frames and index of a file whose records have no image header, and so no ids and labels."""
    path = files.path(".rec")
    report = VerifyReport(str(path), checked=["structure"])
    report.notes.append(f"{report.path}: {other}; recordkit.recordio.MXRecordIO reads them")
    with closing(open_record_file(path)) as file:
        frames = find_frames(path, file, PassProgress(options.progress, 1))
    for lost in frames.lost:
        report.add(lost.path, _lost_reason(lost), offset=lost.fault_offset)
    report.n_records = len(frames.offsets)
    check_index(report, files, RecordTable.of_frames(frames))
    return report
