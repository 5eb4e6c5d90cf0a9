"""Saving the whole records of a damaged .rec file into a new set.

`recordkit.dataset.whole_records` finds them, and `write_sets` copies them, with their exact labels, classes and list.
A record whose bytes have changed is noticed only if the set has checksums. Without them a record with a readable header
is kept, also if damage follows it directly; the report counts these. With `decode`, each record must also pass the
check of `recordkit.upkeep.verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, PlanError, plural, quoted
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.snapshot import read_manifest
from recordkit.threads import count_threads
from recordkit.upkeep.byte_progress import PassProgress, bytes_of_rows
from recordkit.upkeep.check.verify import check_in_blocks
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.lost_ranges import LostRange, find_lost_ranges
from recordkit.upkeep.edit.old_files import check_new_prefix
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.report import EditReport


@dataclass(frozen=True)
class RepairReport:
    """The result of `repair`.

    Attributes
    ----------
    path : str
        The damaged .rec file.
    n_bytes : int
        Its size.
    lost : tuple of LostRange
        In file order.
    edit : EditReport
        The new set.
    """

    path: str
    n_bytes: int
    lost: tuple[LostRange, ...]
    edit: EditReport

    @property
    def n_records(self) -> int:
        """Number of records of the new set."""
        return self.edit.n_records

    @property
    def n_lost_bytes(self) -> int:
        """Number of bytes of the damaged file that are not in the new set."""
        return sum(lost.n_bytes for lost in self.lost)

    @property
    def n_lost_records(self) -> int | None:
        """Number of lost records; None if nobody knows."""
        counts = [None if lost.keys is None else len(lost.keys) for lost in self.lost]
        return None if None in counts else sum(count for count in counts if count is not None)

    def as_json(self) -> dict[str, object]:
        """Return the report as values that JSON can hold."""
        return {
            "path": self.path,
            "n_bytes": self.n_bytes,
            "n_lost_bytes": self.n_lost_bytes,
            "n_lost_records": self.n_lost_records,
            "lost": [asdict(lost) for lost in self.lost],
            **self.edit.as_json(),
        }


def repair(
    path: str | Path,
    prefix: str | Path,
    *,
    decode: bool = False,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> RepairReport:
    r"""Copy every whole record of a damaged .rec file into a new set.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix. It is not changed. The damaged shards of a manifest are repaired one by one.
    prefix : str or Path
        Prefix of the new set.
    decode : bool, default False
        Leave out whole records that are bad, too: those without an image, with one that does not decode, or with a
        label that is not finite.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that decode and copy; 0 means one per CPU that this process may use.
    overwrite : bool, default False
        Replace files that exist at the names of the new set, but never an input.
    dry_run : bool, default False
        Write nothing and return the same report.
    progress : callable, optional
        Called with a number of bytes from time to time, while the file is searched, checked and copied. The numbers add
        up to about the size of the file.

    Returns
    -------
    report : RepairReport

    Raises
    ------
    NotFoundError
        The .rec file does not exist.
    FormatError
        No record is whole and, with `decode`, good; or the set has exact labels and nobody knows to which records they
        belong.
    PlanError
        `path` is a manifest.
    PublishError
        The new set exists already, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> with MXRecordIO(str(folder / "a.rec"), "w") as writer:
    ...     for key in range(4):
    ...         writer.write(pack(IRHeader(0, 1.0, key, 0), b"jpeg"))
    >>> with open(folder / "a.rec", "r+b") as file:
    ...     _ = file.seek(36)
    ...     _ = file.write(bytes(36))
    >>> report = repair(folder / "a.rec", folder / "b")
    >>> report.n_records, report.lost
    (3, (LostRange(offset=36, n_bytes=36, reason='expected a record, got zero bytes', keys=(1,)),))
    """
    files = _one_file(path)
    check_new_prefix(Path(prefix), [path], overwrite=overwrite, dry_run=dry_run)
    n_passes = 1 + files.exists(".crc") + decode + (not dry_run)
    passed = PassProgress(progress, n_passes)
    with Inputs([files.path(".rec")], on_error="skip", progress=passed) as inputs:
        dataset, size = inputs.datasets[0], inputs.files[0].size
        bad = _bad_records(inputs, count_threads(threads), passed) if decode else {}
        is_kept = np.ones(len(inputs), bool)
        is_kept[list(bad)] = False
        rows = np.flatnonzero(is_kept)
        if not len(rows):
            kind = "good" if bad else "whole"
            raise FormatError(
                path=str(files.path(".rec")),
                expected=f"at least one {kind} record",
                got=f"none in {plural(size, 'byte')}",
            )
        lost = sorted([*find_lost_ranges(files, dataset), *bad.values()], key=lambda each: each.offset)
        offsets, n_done = dataset.offsets[rows], 0

        def pass_copied(n_records: int) -> None:
            nonlocal n_done
            passed(bytes_of_rows(offsets, n_done, n_done + n_records, size))
            n_done += n_records

        edit = write_sets(
            inputs,
            [NewSet(Path(prefix), rows, classes=inputs.classes[0])],
            Path(prefix),
            edit={"command": "repair", "inputs": set_ids(inputs), "lost_bytes": sum(each.n_bytes for each in lost)},
            threads=threads,
            overwrite=overwrite,
            dry_run=dry_run,
            progress=pass_copied,
        )
        notes = (*edit.notes, *_notes(files, dataset, inputs.keys[rows]))
    return RepairReport(
        str(files.path(".rec")),
        size,
        tuple(lost),
        replace(edit, notes=notes),
    )


def _bad_records(inputs: Inputs, n_threads: int, progress: Callable[[int], None]) -> dict[int, LostRange]:
    """Check the records; return for the rows of the bad ones what is lost."""
    offsets = inputs.datasets[0].offsets
    reasons: dict[int, str] = {}
    checks = check_in_blocks(
        inputs.paths[0], inputs.files[0], offsets, decode=True, n_threads=n_threads, progress=progress
    )
    with closing(checks):
        for block, checked in checks:
            for fault in checked.faults:
                reasons.setdefault(block.start + fault.row, fault.reason)
            for row in checked.metadata_rows:  # those of a file of InsightFace are no rows of the inputs
                reasons[block.start + row] = "expected an image, got 0 bytes"
    rows = np.array(sorted(reasons), np.int64)
    ends, keys = inputs.locations(rows).ends.tolist(), inputs.keys[rows].tolist()
    return {
        row: LostRange(offset, end - offset, reasons[row], (key,))
        for row, offset, end, key in zip(rows.tolist(), offsets[rows].tolist(), ends, keys, strict=True)
    }


def _one_file(path: str | Path) -> Fileset:
    """Return the set of one .rec file; refuse a manifest, whose other shards need no repair."""
    files, manifest = read_manifest(path)
    if manifest is not None:
        manifest_path = quoted(files.path(MANIFEST_SUFFIX))
        raise PlanError(
            path=str(files.path(MANIFEST_SUFFIX)),
            expected="one .rec file",
            got=f"a manifest of {plural(len(manifest.shards), 'shard')}",
            advice=f"repair each shard that 'recordkit verify {manifest_path}' names, and merge them and the others",
        )
    files.rec_size()  # raises NotFoundError
    return files


def _notes(files: Fileset, dataset: RecordDataset, keys: NDArray[np.uint64]) -> list[str]:
    notes = []
    if dataset.lost and not dataset.is_checked:
        gaps = np.array([lost.offset for lost in dataset.lost], np.uint64)
        n_doubtful = int(np.count_nonzero(gaps > 0))
        notes.append(
            f"{files.path('.crc')} does not exist, so no record was compared with its checksum; "
            f"{plural(n_doubtful, 'record stands', 'records stand')} directly before lost bytes and may be damaged, too"
        )
    keys = np.sort(keys)
    if n_repeated := int(np.count_nonzero(keys[1:] == keys[:-1])):
        notes.append(f"{plural(n_repeated, 'key')} repeated: the file has several records with one key")
    return notes
