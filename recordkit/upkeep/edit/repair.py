"""Saving the whole records of a damaged .rec file into a new set.

`recordkit.dataset.whole_records` finds them, and `write_sets` copies them, with their exact labels, classes and list.
A record whose bytes have changed is noticed only if the set has checksums. Without them a record with a readable header
is kept, also if damage follows it directly; the report counts these.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.dataset.frame_search import LostBytes
from recordkit.dataset.keys import ranks
from recordkit.dataset.records import read_index
from recordkit.errors import FormatError, PlanError, plural, quoted
from recordkit.storage.fileset import Fileset
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.snapshot import read_manifest
from recordkit.upkeep.edit.inputs import Inputs, set_ids
from recordkit.upkeep.edit.output import NewSet, write_sets
from recordkit.upkeep.edit.report import EditReport

# Size of the smallest image record in a file: its frame and its header.
_MIN_FRAME_BYTES = 32
# At least this share of the keys of neighbours must differ by 1 for a gap in the keys to name lost ones.
_CONSECUTIVE_SHARE = 0.9


@dataclass(frozen=True)
class LostRange:
    """Bytes of the damaged file that are not in the new set.

    Attributes
    ----------
    offset : int
        Offset of the first lost byte.
    n_bytes : int
    reason : str
    keys : tuple of int, or None
        Keys of the records that were there, by the index or else by the gap in keys that are consecutive; None if
        nobody knows.
    """

    offset: int
    n_bytes: int
    reason: str
    keys: tuple[int, ...] | None


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
    threads: int = 0,
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
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Number of threads that copy; 0 means one per CPU that this process may use.
    dry_run : bool, default False
        Write nothing and return the same report.
    progress : callable, optional
        Called with the number of records that were copied since the last call.

    Returns
    -------
    report : RepairReport

    Raises
    ------
    NotFoundError
        The .rec file does not exist.
    FormatError
        No record is whole, or the set has exact labels and nobody knows to which records they belong.
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
    with Inputs([files.path(".rec")], on_error="skip") as inputs:
        dataset = inputs.datasets[0]
        size = inputs.files[0].size
        if not len(inputs):
            raise FormatError(
                path=str(files.path(".rec")), expected="at least one whole record", got=f"none in {size} bytes"
            )
        lost = _lost_ranges(files, dataset, inputs.keys)
        edit = write_sets(
            inputs,
            [NewSet(Path(prefix), np.arange(len(inputs)), classes=inputs.classes[0])],
            Path(prefix),
            edit={"command": "repair", "inputs": set_ids(inputs), "lost_bytes": sum(each.n_bytes for each in lost)},
            threads=threads,
            dry_run=dry_run,
            progress=progress,
        )
    notes = (*edit.notes, *_notes(files, dataset, inputs.keys))
    return RepairReport(
        str(files.path(".rec")),
        size,
        lost,
        EditReport(edit.sets, notes, edit.duration_s, dry_run=dry_run),
    )


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
            f"{files.path('.crc')} does not exist, so no record was compared with its checksum; {n_doubtful} of them "
            "stand directly before lost bytes and may be damaged, too"
        )
    if n_repeated := len(keys) - len(np.unique(keys)):
        notes.append(f"{plural(n_repeated, 'key')} repeated: the file has several records with one key")
    return notes


def _lost_ranges(files: Fileset, dataset: RecordDataset, keys: NDArray[np.uint64]) -> tuple[LostRange, ...]:
    """Return the lost ranges with the keys of the records that were there."""
    offsets = dataset.offsets
    gaps = np.searchsorted(offsets, np.array([lost.offset for lost in dataset.lost], np.uint64))
    pieces: dict[int, list[LostBytes]] = {}
    for lost, gap in zip(dataset.lost, gaps.tolist(), strict=True):
        pieces.setdefault(gap, []).append(lost)
    by_index = None if dataset.has_metadata else _lost_keys_of_index(files, keys)
    ranges: list[LostRange] = []
    if by_index is not None:
        for gap in sorted(by_index.keys() | pieces.keys()):
            where = int(offsets[gap]) if gap < len(offsets) else files.rec_size()
            ranges += _ranges(pieces.get(gap, []), by_index.get(gap, ()), where)
        return tuple(ranges)
    is_consecutive = _are_consecutive(keys, gaps)
    for gap, gap_pieces in pieces.items():
        gap_keys = None
        if is_consecutive and 0 < gap < len(keys):
            n_bytes = sum(lost.n_bytes for lost in gap_pieces)
            n_lost = int(keys[gap]) - int(keys[gap - 1]) - 1
            if 0 <= n_lost <= n_bytes // _MIN_FRAME_BYTES:
                gap_keys = tuple(range(int(keys[gap - 1]) + 1, int(keys[gap])))
        ranges += _ranges(gap_pieces, gap_keys, 0)
    return tuple(ranges)


def _ranges(pieces: list[LostBytes], keys: tuple[int, ...] | None, where: int) -> list[LostRange]:
    """Return the ranges between two whole records. Where there are as many as keys, each has one."""
    if not pieces:
        return [LostRange(where, 0, "expected the records of the index here, got none", keys)]
    first: list[tuple[int, ...] | None] = [keys, *(None if keys is None else () for _ in pieces[1:])]
    if keys is not None and len(keys) == len(pieces):
        first = [(key,) for key in keys]
    return [
        LostRange(lost.offset, lost.n_bytes, lost.reason, lost_keys)
        for lost, lost_keys in zip(pieces, first, strict=True)
    ]


def _lost_keys_of_index(files: Fileset, keys: NDArray[np.uint64]) -> dict[int, tuple[int, ...]] | None:
    """Return the keys of the index that are lost, by the number of kept records before them.

    None if there is no index, or if most of the kept records are not in it.
    """
    try:
        index_keys, offsets = read_index(files.path(".idx"), files.rec_size())
    except (FileNotFoundError, FormatError):
        return None
    in_file = np.argsort(offsets, kind="stable")
    all_keys = in_file.astype(np.uint64) if index_keys is None else index_keys[in_file]
    order = np.argsort(all_keys, kind="stable")
    found = np.searchsorted(all_keys[order], keys) + ranks(keys)  # the n-th record of a key has its n-th line
    rows = order[np.minimum(found, len(order) - 1)] if len(order) else found
    is_there = np.zeros(len(keys), bool) if not len(order) else all_keys[rows] == keys
    if 2 * np.count_nonzero(is_there) <= len(keys):
        return None
    is_lost = np.ones(len(all_keys), bool)
    is_lost[rows[is_there]] = False
    kept = np.flatnonzero(is_there)[np.argsort(rows[is_there], kind="stable")]
    lost_rows = np.flatnonzero(is_lost)
    before = np.searchsorted(np.sort(rows[is_there]), lost_rows)
    gaps = np.where(before > 0, kept[np.maximum(before - 1, 0)] + 1, 0)
    lost: dict[int, list[int]] = {}
    for gap, key in zip(gaps.tolist(), all_keys[lost_rows].tolist(), strict=True):
        lost.setdefault(gap, []).append(key)
    return {gap: tuple(lost_keys) for gap, lost_keys in lost.items()}


def _are_consecutive(keys: NDArray[np.uint64], gaps: NDArray[np.int64]) -> bool:
    """Return whether the keys of neighbours, between which nothing is lost, differ by 1."""
    is_neighbour = np.ones(max(len(keys) - 1, 0), bool)
    is_neighbour[gaps[(gaps > 0) & (gaps < len(keys))] - 1] = False
    steps = np.diff(keys)[is_neighbour]
    return len(steps) > 0 and bool(np.mean(steps == 1) >= _CONSECUTIVE_SHARE)
