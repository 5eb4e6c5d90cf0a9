"""Writing a lost or wrong .idx file anew from the records of a .rec file, and the checksums of a set without them.

The keys are the ids in the headers of the records, as im2rec writes them, so the index is the lost one to the byte. If
all records have the same id, it is no key, and the keys are the positions 0 to n - 1; `recordkit.dataset` chooses the
same keys when it scans a file (`recordkit.dataset.keys`). Records without an image header have no ids, so their keys
are the positions too. MXNet's rec2idx.py always writes positions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recordkit.arguments import one_or_more
from recordkit.dataset.contents import find_other_records
from recordkit.dataset.copied_records import index_lines
from recordkit.dataset.frame_chain import Spans
from recordkit.dataset.keys import keys_of_ids
from recordkit.dataset.records import RecordFile, open_record_file
from recordkit.dataset.whole_records import compute_checksums
from recordkit.errors import FormatError, PublishError, plural
from recordkit.formats import idx
from recordkit.formats.files import open_file
from recordkit.formats.frame import verify_advice
from recordkit.storage.checksums import check_number, read_checksums
from recordkit.storage.checksums import pack as pack_checksums
from recordkit.storage.fileset import Fileset, fingerprint
from recordkit.storage.locks import lock_folder
from recordkit.storage.names import SUFFIXES
from recordkit.storage.replacement import write_atomically
from recordkit.storage.search import find_rec_files
from recordkit.storage.snapshot import file_state
from recordkit.upkeep.byte_progress import PassProgress, bytes_of_rows

# Records whose headers are read, or whose lines are formatted, at a time.
_BLOCK_SIZE = 1 << 14


@dataclass(frozen=True)
class ReindexReport:
    """The result of `reindex` for a .rec file.

    Attributes
    ----------
    path : str
        The .rec file.
    idx_path : str
        The .idx file.
    crc_path : str or None
        The .crc file that was written.
    n_records : int
        Number of records, which is the number of lines.
    keys : {"ids", "positions"}
        "ids": the keys are the ids in the headers. "positions": all records have one id, or none because they have no
        image header, and the keys are 0 to n - 1.
    outcome : {"written", "replaced", "unchanged"}
        "written": there was no .idx file. "unchanged": it had these bytes already.
    notes : tuple of str
        Facts about the keys, and the difference from a replaced index.
    """

    path: str
    idx_path: str
    crc_path: str | None
    n_records: int
    keys: Literal["ids", "positions"]
    outcome: Literal["written", "replaced", "unchanged"]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Return the fields as values that JSON can hold."""
        return asdict(self)


def reindex(
    path: str | Path | Sequence[str | Path], *, checksums: bool = False, progress: Callable[[int], None] | None = None
) -> list[ReindexReport]:
    r"""Write the .idx file of each .rec file from its records. Readers see the old index or the new one, never a part.

    Parameters
    ----------
    path : str, Path, or sequence of them
        Each a .rec file, a manifest and so all its shards, the prefix of either, a pattern, or a folder with one
        dataset (`recordkit.storage.search.find_rec_files`).
    checksums : bool, default False
        Also write PREFIX.crc for a set that has none (`recordkit.storage.checksums`). It protects the records as they
        are now, so a file that is not the one in PREFIX.json is refused.
    progress : callable, optional
        Called with the number of bytes passed since the last call; the numbers add up to the size of the files.

    Returns
    -------
    reports : list of ReindexReport
        One for each .rec file. Making it takes up to 48 bytes of memory per record.

    Raises
    ------
    NotFoundError
        A .rec file does not exist.
    PlanError
        The folder has several datasets.
    FormatError
        A .rec file is damaged, or is not the one in PREFIX.json and gets no checksums, or there are checksums of
        another file. Its .idx file and those of the files behind it are as they were.
    PublishError
        A file cannot be written, there are checksums already, or the .rec file was replaced while it was read.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXRecordIO, pack
    >>> prefix = Path(tempfile.mkdtemp(), "train")
    >>> with MXRecordIO(f"{prefix}.rec", "w") as writer:
    ...     for key in (7, 5):
    ...         writer.write(pack(IRHeader(0, 1.0, key, 0), b"jpeg"))
    >>> (report,) = reindex(prefix)
    >>> report.outcome, report.keys, prefix.with_suffix(".idx").read_text()
    ('written', 'ids', '7\t0\n5\t36\n')
    """
    found = [rec for each in one_or_more(path) for rec in find_rec_files(each)]
    return [_reindex(rec, checksums=checksums, progress=progress) for rec in found]


def _reindex(path: Path, *, checksums: bool, progress: Callable[[int], None] | None) -> ReindexReport:
    files = Fileset(path)
    files.refuse_remote()
    rec_path, idx_path = files.path(".rec"), files.path(".idx")
    files.rec_size()  # raises NotFoundError
    state = file_state(rec_path)
    passed = PassProgress(progress, 2)
    with closing(open_record_file(rec_path)) as file:
        offsets = file.scan(progress=passed)
        if checksums:
            _refuse_checksums(files, len(offsets))
        try:
            ids = _read_ids(file, offsets, passed)
        except FormatError:
            other = find_other_records(files)
            if other is None:
                raise
            ids = None
        crc_content = _checksums(file, offsets) if checksums else b""
    keys = np.arange(len(offsets), dtype=np.uint64) if ids is None else keys_of_ids(ids)
    notes = [f"{other}, so the keys are their positions"] if ids is None else _describe_keys(ids, keys)
    if not idx_path.exists():
        outcome: Literal["written", "replaced", "unchanged"] = "written"
    elif _holds(idx_path, _lines(keys, offsets)):
        outcome = "unchanged"
    else:
        outcome = "replaced"
        notes.append(_describe_difference(idx_path, keys, offsets, idx.limit_bytes(files.rec_size())))
    if outcome != "unchanged" or checksums:
        with _without_packs(files.prefix.parent):
            if not _is_unchanged(files, Fileset(path), state):
                raise PublishError(
                    path=str(rec_path), expected="the file that was read", got="another one", advice="run this again"
                )
            if checksums:
                write_atomically(files.path(".crc"), lambda file: file.write(crc_content))
            if outcome != "unchanged":
                write_atomically(idx_path, lambda file: file.writelines(_lines(keys, offsets)))
    return ReindexReport(
        path=str(rec_path),
        idx_path=str(idx_path),
        crc_path=str(files.path(".crc")) if checksums else None,
        n_records=len(offsets),
        keys="ids" if ids is not None and np.array_equal(keys, ids) else "positions",
        outcome=outcome,
        notes=tuple(notes),
    )


def _refuse_checksums(files: Fileset, n_records: int) -> None:
    """Refuse to protect records that may be damaged already."""
    path, rec_path = files.path(".crc"), files.path(".rec")
    if path.exists():
        check_number(files, read_checksums(files), n_records)  # the error of those of another file says what helps
        raise PublishError(path=str(path), expected="no checksums", got="some", advice=verify_advice(rec_path))
    rec = files.description().get("rec")
    if isinstance(rec, dict) and rec.get("sha256") != (sha256 := fingerprint(rec_path)):
        raise FormatError(
            path=str(rec_path),
            expected=f"the SHA-256 {rec.get('sha256')} of {files.path('.json')}",
            got=sha256,
            advice=verify_advice(rec_path),
        )


def _checksums(file: RecordFile, offsets: NDArray[np.uint64]) -> bytes:
    begins = offsets.astype(np.int64)
    return pack_checksums(compute_checksums(file, Spans(begins, np.append(begins[1:], file.size))))


def _is_unchanged(files: Fileset, now: Fileset, state: tuple[int, ...]) -> bool:
    """Tell whether a set has the same .rec file and all files are where they were, at final names or staged."""
    are_in_place = all(files.path(suffix) == now.path(suffix) for suffix in SUFFIXES)
    rec_path = files.path(".rec")
    return are_in_place and rec_path.exists() and file_state(rec_path) == state


@contextmanager
def _without_packs(folder: Path) -> Iterator[None]:
    """Hold the lock under which `recordkit.storage.staging` moves the files of a new set into a folder."""
    try:
        lock = lock_folder(folder, wait=True)
    except OSError as error:
        raise PublishError(error.strerror or str(error), path=str(folder)) from error
    try:
        yield
    finally:
        lock.release()


def _read_ids(file: RecordFile, offsets: NDArray[np.uint64], progress: Callable[[int], None]) -> NDArray[np.uint64]:
    ids = np.empty(len(offsets), np.uint64)
    for begin in range(0, len(offsets), _BLOCK_SIZE):
        end = min(begin + _BLOCK_SIZE, len(offsets))
        ids[begin:end] = file.headers(offsets[begin:end])[0]
        progress(bytes_of_rows(offsets, begin, end, file.size))
    return ids


def _lines(keys: NDArray[np.uint64], offsets: NDArray[np.uint64]) -> Iterator[bytes]:
    for begin in range(0, len(keys), _BLOCK_SIZE):
        rows = slice(begin, begin + _BLOCK_SIZE)
        yield index_lines(keys[rows], offsets[rows])


def _holds(path: Path, blocks: Iterator[bytes]) -> bool:
    """Return whether a file has exactly these bytes."""
    with open_file(path, buffering=-1) as file:
        return all(file.read(len(block)) == block for block in blocks) and not file.read(1)


def _describe_keys(ids: NDArray[np.uint64], keys: NDArray[np.uint64]) -> list[str]:
    n = len(ids)
    if not np.array_equal(keys, ids):
        return [f"all {n} records have the id {ids[0]}, so the keys are their positions, 0 to {n - 1}"]
    _, counts = np.unique(ids, return_counts=True)
    if n_repeated := int(np.count_nonzero(counts > 1)):
        return [f"{plural(n_repeated, 'key')} with several records each; MXNet's readers by key find only the last one"]
    return []


def _describe_difference(path: Path, keys: NDArray[np.uint64], offsets: NDArray[np.uint64], max_bytes: int) -> str:
    """Return a sentence on the old index that `path` still has."""
    try:
        old = idx.read(path, max_bytes=max_bytes)
    except FormatError as error:
        return f"the old index was damaged: {': '.join(filter(None, (error.where, error.problem)))}"
    order = np.argsort(old.offsets, kind="stable")
    if not np.array_equal(old.offsets[order], offsets):
        return f"the old index, of {plural(len(order), 'line')}, did not have the offsets of these records"
    changed = np.flatnonzero(old.keys[order] != keys)
    if not changed.size:
        return "the old index had the same keys and offsets in another order or form"
    row = changed[0]
    return (
        f"the keys of {plural(len(changed), 'record')} changed: the one at byte {offsets[row]} had key "
        f"{old.keys[order][row]} and has key {keys[row]}"
    )
