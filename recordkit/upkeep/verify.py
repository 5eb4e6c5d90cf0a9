"""Checks of a .rec file against its format, its index, its list and its description.

A file passes if every byte belongs to a whole record, every record has a readable header with finite labels, and its
companions agree with it (`recordkit.upkeep.companions`). With `decode`, every image must decode. Records without an
image header that are no images (`recordkit.dataset.contents`) need whole frames and a matching index only. The check
continues at the next record after damage, so one report names all of it.

The frames are found by `recordkit.dataset.frame_search`, and `recordkit.upkeep.record_check` checks the records, in
blocks on several threads. The report is in `recordkit.upkeep.report`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.contents import OtherRecords, find_other_records
from recordkit.dataset.frame_search import LostBytes, WholeFrames, find_frames
from recordkit.dataset.records import RecordFile, open_record_file
from recordkit.errors import quoted
from recordkit.memory import MemoryBudget, choose_memory
from recordkit.storage.commit import describe_ignored_commits
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import read_sets
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.byte_progress import PassProgress
from recordkit.upkeep.companions import check_companions, check_index
from recordkit.upkeep.native import choose_check
from recordkit.upkeep.record_check import CheckedRecords, PythonCheck
from recordkit.upkeep.record_table import RecordTable, TableBuilder
from recordkit.upkeep.report import MAX_PROBLEMS, VerifyReport
from recordkit.upkeep.shards import verify_shards

# Records, and about their bytes, that a thread checks at a time.
_BLOCK_RECORDS, _BLOCK_BYTES = 1 << 14, 1 << 22

# Keys of bad samples in an advice.
_N_KEYS_TOLD = 20


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
    OSError
        The .rec file cannot be read.
    """
    options = _Options(decode, count_threads(threads), progress)

    def verify_set(files: Fileset) -> VerifyReport:
        return _verify(files, options)

    def read(sets: list[Fileset], _: ExitStack) -> VerifyReport:
        return verify_set(sets[0]) if sets[0].listing is None else verify_shards(sets, verify_set)

    return read_sets(lambda: [path], read)


def _verify(files: Fileset, options: _Options) -> VerifyReport:
    other = find_other_records(files)
    if other is not None and not other.has_headers:
        return _verify_other_records(files, other, options)
    report = VerifyReport(str(files.path(".rec")))
    if other is not None:
        report.notes.append(f"{report.path}: {other}")
        options = options._replace(decode=False)
    table, bad_samples = _check_records(report, files.path(".rec"), options)
    report.n_records = len(table.offsets)
    report.key_range = (int(np.min(table.keys)), int(np.max(table.keys))) if len(table.keys) else None
    report.n_decoded = report.n_records if options.decode else 0
    report.checked += ["structure", "images"] if options.decode else ["structure"]
    check_companions(report, files, table)
    report.notes += _advices(report, bad_samples)
    report.notes += describe_ignored_commits(files.prefix)
    return report


def _advices(report: VerifyReport, bad_samples: dict[tuple[int, str], int]) -> list[str]:
    """Return what helps: repair leaves out what is damaged, but not a whole record with an image that is none."""
    located = [
        (problem.offset, problem.reason)
        for problem in report.problems
        if problem.path == report.path and problem.offset is not None
    ]
    advices = []
    if any(problem not in bad_samples for problem in located):
        advices.append(f"'recordkit repair {quoted(report.path)} PREFIX' writes the whole records into a new set")
    if bad_samples:
        keys = ", ".join(map(str, list(dict.fromkeys(bad_samples.values()))[:_N_KEYS_TOLD]))
        advices.append(
            f"'recordkit subset {quoted(report.path)} PREFIX --where \"key not in [{keys}]\"' leaves such samples out"
        )
    return advices


def _check_records(
    report: VerifyReport, path: Path, options: _Options
) -> tuple[RecordTable, dict[tuple[int, str], int]]:
    """Check every record; return what the companions are compared with, and the keys of whole but bad samples."""
    progress = PassProgress(options.progress, 2)
    budget = MemoryBudget(choose_memory(None), options.n_threads) if options.decode else None
    stopped = bytearray(1)
    with closing(open_record_file(path)) as file, closing(PythonCheck(path, budget, stopped)) as reference:
        if not file.size:
            report.add(path, "expected records, got an empty file")
        frames = find_frames(path, file, progress)
        table = TableBuilder(frames)
        problems = _RecordProblems(report, frames)
        check = choose_check(file, reference, budget, stopped).check
        blocks = list(_blocks(frames.offsets))
        with ThreadedMap(
            lambda block: check(frames.offsets[block]), blocks, options.n_threads, stopped=stopped
        ) as results:
            for block, checked in zip(blocks, results, strict=True):
                table.add(block, checked)
                problems.add(block, checked)
                progress(_end_byte(file, frames.offsets, block.stop) - _end_byte(file, frames.offsets, block.start))
    problems.add_rest()
    for offset in () if table.has_face_header else table.metadata_offsets():
        reason = "expected an image, got 0 bytes, and the file has no header of InsightFace"
        report.add(report.path, reason, offset=offset)
    return table.finish(), problems.bad_samples


def _blocks(offsets: NDArray[np.uint64]) -> Iterator[slice]:
    """Yield ranges of rows: as many records as have about `_BLOCK_BYTES`, at most `_BLOCK_RECORDS`, at least one."""
    begin = 0
    while begin < len(offsets):
        near = int(np.searchsorted(offsets, offsets[begin] + np.uint64(_BLOCK_BYTES)))
        end = max(begin + 1, min(begin + _BLOCK_RECORDS, near))
        yield slice(begin, end)
        begin = end


def _end_byte(file: RecordFile, offsets: NDArray[np.uint64], row: int) -> int:
    """Return the offset of a row or, behind the last one, the size of the file; damage counts to what precedes it."""
    if not row:
        return 0
    return int(offsets[row]) if row < len(offsets) else file.size


class _RecordProblems:
    """Adds lost bytes and faults of records to a report, in file order."""

    def __init__(self, report: VerifyReport, frames: WholeFrames) -> None:
        self._report = report
        self._offsets = frames.offsets
        self.bad_samples: dict[tuple[int, str], int] = {}  # key by offset and reason
        self._lost = iter(frames.lost)
        self._next_lost = next(self._lost, None)

    def add(self, block: slice, checked: CheckedRecords) -> None:
        """Add the faults of a block, and what is lost before them."""
        for fault in checked.faults:
            self._add_lost(int(self._offsets[block.start + fault.row]))
            key = int(checked.ids[fault.row]) if checked.is_readable[fault.row] else None
            if key is not None and len(self.bad_samples) < MAX_PROBLEMS:
                self.bad_samples[fault.offset, fault.reason] = key
            self._report.add(self._report.path, fault.reason, offset=fault.offset, key=key)

    def add_rest(self) -> None:
        """Add what is lost behind the last fault."""
        self._add_lost(None)

    def _add_lost(self, before: int | None) -> None:
        while self._next_lost is not None and (before is None or self._next_lost.offset < before):
            _report_lost(self._report, self._next_lost)
            self._next_lost = next(self._lost, None)


def _report_lost(report: VerifyReport, lost: LostBytes) -> None:
    """Add the problem that a part of a file holds no whole record."""
    report.add(lost.path, f"{lost.reason}; {lost.n_bytes} bytes are lost", offset=lost.fault_offset)


def _verify_other_records(files: Fileset, other: OtherRecords, options: _Options) -> VerifyReport:
    """Check frames and index of a file whose records have no image header, and so no ids and labels."""
    path = files.path(".rec")
    report = VerifyReport(str(path), checked=["structure"])
    report.notes.append(f"{report.path}: {other}; recordkit.recordio.MXRecordIO reads them")
    with closing(open_record_file(path)) as file:
        frames = find_frames(path, file, PassProgress(options.progress, 1))
    for lost in frames.lost:
        _report_lost(report, lost)
    report.n_records = len(frames.offsets)
    check_index(report, files, RecordTable.of_frames(frames))
    return report
