"""Writing the result of an edit: the chosen records of some datasets, copied into new sets that appear together.

Blocks of records go this way: threads read and check them (`recordkit.dataset.copied_records`), another one hashes
them in order, and the caller's thread writes them, with the lines of the index and the list. Every byte is read and
written once.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.copied_records import Changes, CopiedRecords, copy_records
from recordkit.errors import FormatError, PlanError, PublishError, quoted
from recordkit.formats import idx
from recordkit.storage.manifest import shard_from
from recordkit.storage.names import MANIFEST_SUFFIX, SUFFIXES, belongs_to
from recordkit.storage.set_files import SetFiles, SetNames
from recordkit.storage.staging import Staging
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.edit.inputs import Inputs, Labels
from recordkit.upkeep.edit.lists import InputLists
from recordkit.upkeep.edit.new_manifest import WrittenShard, write_manifest
from recordkit.upkeep.edit.old_files import EarlierShards, OldFile
from recordkit.upkeep.edit.report import EditReport, WrittenSet

# Bytes of records per block, and more of them if the records are not in file order, so that those of a block are near
# each other in the file.
_BLOCK_BYTES = 1 << 23
_SCATTERED_BLOCK_BYTES = 1 << 26
# Largest number of records per block, and of records whose places are looked up at a time.
_MAX_BLOCK_RECORDS = 1 << 16
_MAX_SCATTERED_RECORDS = 1 << 19

Progress = Callable[[int], None]
"""Called with the number of records written since the last call."""


@dataclass(frozen=True, eq=False)
class NewSet:
    """One set that an edit writes.

    Attributes
    ----------
    prefix : Path
    rows : ndarray of int64, shape (n,)
        Rows of the inputs, in the order of the new set.
    keys : ndarray of uint64, shape (n,), or None
        New keys; None keeps the old ones.
    labels : Labels or None
        New labels, n of them; None keeps the old ones. If they are int64, they are exact labels, and the records have
        them as float32.
    classes : mapping of str to int, or None
        Class map of the set; None if it has none.
    failures : bytes
        Content of PREFIX.failed.tsv, a line for each sample that could not be packed; empty if there is no such file.
    replaces : OldFile or None
        The .rec file in whose place the set comes, which may be an input. None: no file of these names may exist.
    """

    prefix: Path
    rows: NDArray[np.int64]
    keys: NDArray[np.uint64] | None = None
    labels: Labels | None = None
    classes: Mapping[str, int] | None = None
    failures: bytes = b""
    replaces: OldFile | None = None


class _Block(NamedTuple):
    """Consecutive records of a new set."""

    set_number: int
    begin: int
    end: int


def write_sets(
    inputs: Inputs,
    sets: Sequence[NewSet],
    prefix: Path,
    *,
    edit: Mapping[str, object],
    shards: bool | EarlierShards = False,
    threads: int = 0,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> EditReport:
    r"""Copy records into new sets, which appear together when all of them are complete.

    A record that keeps its key and its labels keeps every byte. Memory: 8 bytes per record for each array of `sets`,
    and about ten blocks of 8 MiB, or of 64 MiB if the records are not in file order, or of the largest record.

    Parameters
    ----------
    inputs : Inputs
    sets : sequence of NewSet
        Their prefixes are `prefix` or begin with it and "_".
    prefix : Path
    edit : mapping
        The key "edit" of PREFIX.json: what was done to which inputs.
    shards : bool or EarlierShards, default False
        The sets are the shards of one dataset, and PREFIX.manifest.json names them, after those that it has already.
    threads : int, 0 to `recordkit.threads.MAX_THREADS`, default 0
        Threads that read; 0 means one per CPU that this process may use.
    dry_run : bool, default False
        Write nothing, and read no more than the sizes need.
    progress : callable, optional

    Returns
    -------
    report : EditReport

    Raises
    ------
    PlanError
        A set has no record, repeated keys or other numbers of keys or labels than rows.
    FormatError
        A record is damaged. The error names its file, offset and key. Or some exact labels would be lost.
    PublishError
        A file of the sets exists, or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
    >>> folder = Path(tempfile.mkdtemp())
    >>> with MXIndexedRecordIO(f"{folder}/a.idx", f"{folder}/a.rec", "w") as writer:
    ...     for key in range(5):
    ...         writer.write_idx(key, pack(IRHeader(0, 1.0, key, 0), b"jpeg"))
    >>> with Inputs([folder / "a"]) as inputs:
    ...     odd = NewSet(folder / "odd", np.array([1, 3]))
    ...     report = write_sets(inputs, [odd], folder / "odd", edit={"command": "subset"})
    >>> report.n_records, (folder / "odd.idx").read_text()
    (2, '1\t0\n3\t36\n')
    """
    begin_s = time.monotonic()
    n_threads = count_threads(threads)
    _check_sets(inputs, sets, prefix)
    lists = InputLists(inputs)
    notes = [*lists.notes, *_metadata_notes(inputs)]
    sources = [_Source(inputs, each) for each in sets]
    earlier = shards if isinstance(shards, EarlierShards) else None
    _refuse_existing_files(sets, prefix, earlier)
    manifest_path = prefix.with_name(prefix.name + MANIFEST_SUFFIX) if shards else None
    if dry_run:
        written = tuple(WrittenSet(source.new.prefix, len(source.new.rows), source.n_bytes()) for source in sources)
        return EditReport(written, tuple(notes), time.monotonic() - begin_s, dry_run=True, manifest=manifest_path)
    with Staging(prefix) as staging, contextlib.ExitStack() as stack:
        _refuse_existing_files(sets, prefix, earlier)
        for old_file in _old_files(sets, earlier):
            old_file.check()
        writer = _Writer(staging, sources, lists, edit)
        stack.callback(writer.close)
        writer.write_all(n_threads, progress)
        if shards:
            write_manifest(staging, writer.shards, earlier, edit, sets[-1].classes)
        staging.commit(remove=_existing_files([new.prefix for new in sets if new.replaces]))
    return EditReport(
        tuple(writer.written), tuple(notes), time.monotonic() - begin_s, dry_run=False, manifest=manifest_path
    )


class _Source:
    """The records of a new set, as they are in the inputs."""

    def __init__(self, inputs: Inputs, new: NewSet) -> None:
        self.inputs = inputs
        self.new = new
        self.exact_labels = _exact_labels(inputs, new)
        self._float_labels = None
        if new.labels is not None:
            self._float_labels = new.labels.values.astype(np.float32)

    def blocks(self, number: int) -> Iterator[_Block]:
        """Yield the blocks of the set, which has this number."""
        rows = self.new.rows
        is_in_order = bool(np.all(rows[1:] > rows[:-1]))
        block_bytes = _BLOCK_BYTES if is_in_order else _SCATTERED_BLOCK_BYTES
        n_at_once = _MAX_BLOCK_RECORDS if is_in_order else _MAX_SCATTERED_RECORDS
        for begin in range(0, len(rows), n_at_once):
            where = self.inputs.locations(rows[begin : begin + n_at_once])
            ends = np.cumsum(where.ends - where.offsets)
            cut = 0
            while cut < len(ends):
                done = ends[cut - 1] if cut else np.uint64(0)
                next_cut = max(cut + 1, int(np.searchsorted(ends, done + np.uint64(block_bytes), "right")))
                yield _Block(number, begin + cut, begin + next_cut)
                cut = next_cut

    def keys(self, begin: int, end: int) -> NDArray[np.uint64]:
        """Return the keys of some records of the set."""
        if self.new.keys is not None:
            return self.new.keys[begin:end]
        return self.inputs.keys[self.new.rows[begin:end]]

    def copy(self, begin: int, end: int) -> CopiedRecords:
        """Copy some records of the set.

        Raises
        ------
        FormatError
            One is damaged; the error has its key.
        """
        rows = self.new.rows[begin:end]
        where = self.inputs.locations(rows)
        keys = None if self.new.keys is None else self.new.keys[begin:end]
        labels = bounds = None
        if self.new.labels is not None and self._float_labels is not None:
            bounds = self.new.labels.bounds[begin : end + 1]
            labels = self._float_labels[int(bounds[0]) : int(bounds[-1])]
            bounds = bounds - bounds[0]
        try:
            return copy_records(self.inputs.files, self.inputs.paths, *where, Changes(keys, labels, bounds))
        except FormatError as error:
            raise _located(error, self.inputs, rows, where.file_numbers, where.offsets) from None

    def n_bytes(self) -> int:
        """Return the size of the .rec file that the set will have. A new key or label that is the magic adds to it."""
        total = 0
        new_widths = None if self.new.labels is None else self.new.labels.widths
        for block in self.blocks(0):
            rows = self.new.rows[block.begin : block.end]
            where = self.inputs.locations(rows)
            total += int(np.sum(where.ends - where.offsets))
            if new_widths is not None:
                old_widths = self.inputs.labels().at(rows).widths
                total += int(np.sum(_vector_bytes(new_widths[block.begin : block.end]) - _vector_bytes(old_widths)))
        return total


class _Writer:
    """Writes the records of all sets, one set after the other."""

    def __init__(
        self, staging: Staging, sources: Sequence[_Source], lists: InputLists, edit: Mapping[str, object]
    ) -> None:
        self.written: list[WrittenSet] = []
        self.shards: list[WrittenShard] = []
        self._staging = staging
        self._sources = sources
        self._lists = lists
        self._edit = edit
        self._open: dict[int, SetFiles] = {}
        self._n_bytes = 0
        self._width = (2**63, 0)  # smallest and largest number of labels of a record of this set

    def close(self) -> None:
        """Close the files of an edit that has failed."""
        for files in self._open.values():
            files.close()

    def write_all(self, n_threads: int, progress: Progress | None) -> None:
        """Write every set."""
        blocks = (block for number, source in enumerate(self._sources) for block in source.blocks(number))
        with (
            ThreadedMap(self._copy, blocks, n_threads, ahead=True) as copied,
            ThreadedMap(self._hash, self._with_files(copied), 1, ahead=True) as hashed,
        ):
            for block, records in hashed:
                self._write(block, records)
                if progress:
                    progress(block.end - block.begin)

    def _copy(self, block: _Block) -> tuple[_Block, CopiedRecords]:
        return block, self._sources[block.set_number].copy(block.begin, block.end)

    def _with_files(self, copied: Iterator[tuple[_Block, CopiedRecords]]) -> Iterator[tuple[_Block, CopiedRecords]]:
        """Create the files of a set before its first block goes on."""
        for block, records in copied:
            if block.begin == 0:
                files = SetFiles(self._staging, SetNames(self._sources[block.set_number].new.prefix))
                self._open[block.set_number] = files
                files.create(
                    *(suffix for suffix in (".rec", ".idx", ".lst", ".crc") if suffix != ".lst" or self._lists)
                )
            yield block, records

    def _hash(self, item: tuple[_Block, CopiedRecords]) -> tuple[_Block, CopiedRecords]:
        block, records = item
        self._open[block.set_number].hash(".rec", records.frames)
        return item

    def _write(self, block: _Block, records: CopiedRecords) -> None:
        source, files = self._sources[block.set_number], self._open[block.set_number]
        keys = source.keys(block.begin, block.end)
        ends = np.cumsum(records.sizes) + np.uint64(self._n_bytes)
        files.write(".rec", records.frames, is_hashed=True)
        files.write(".idx", idx.lines(keys.tolist(), (ends - records.sizes).tolist()))
        files.write(".crc", records.checksums.astype("<u4").view(np.uint8))
        if self._lists:
            files.write(".lst", self._lists.lines(source.new, block.begin, block.end))
        self._n_bytes = int(ends[-1])
        self._width = (
            min(self._width[0], int(np.min(records.widths))),
            max(self._width[1], int(np.max(records.widths))),
        )
        if block.end == len(source.new.rows):
            self._finish(block.set_number)

    def _finish(self, number: int) -> None:
        source, files = self._sources[number], self._open.pop(number)
        n_records = len(source.new.rows)
        if source.exact_labels is not None:
            files.write_exact_labels(source.exact_labels)
        if source.new.failures:
            files.create(".failed.tsv")
            files.write(".failed.tsv", source.new.failures)
        n_failed = source.new.failures.count(b"\n")
        description = files.finish(
            {"records": n_records, "failed": n_failed, "label_width": list(self._width)},
            {
                "classes": None if source.new.classes is None else dict(source.new.classes),
                "list": "written" if self._lists else "none",
                "edit": dict(self._edit),
            },
        )
        self.written.append(WrittenSet(source.new.prefix, n_records, self._n_bytes))
        keys = source.keys(0, n_records)
        self.shards.append(WrittenShard(shard_from(description, (int(np.min(keys)), int(np.max(keys)))), self._width))
        self._n_bytes, self._width = 0, (2**63, 0)


def _check_sets(inputs: Inputs, sets: Sequence[NewSet], prefix: Path) -> None:
    names = [new.prefix.name for new in sets]
    if not sets or len(set(names)) < len(names):
        raise PlanError(path=str(prefix), expected="sets of different names", got=", ".join(names) or "none")
    for new in sets:
        path, n = str(new.prefix), len(new.rows)
        if new.prefix.parent != prefix.parent or not belongs_to(prefix.name, f"{new.prefix.name}.rec"):
            raise PlanError(path=path, expected=f"{prefix}, alone or followed by _ and a name", got=new.prefix.name)
        if not n:
            raise PlanError(path=path, expected="at least one record", got="none")
        if int(np.min(new.rows)) < 0 or int(np.max(new.rows)) >= len(inputs):
            raise PlanError(path=path, expected=f"rows from 0 to {len(inputs) - 1}", got="others")
        for column in (new.keys, new.labels):
            if column is not None and len(column) != n:
                raise PlanError(path=path, expected=f"{n} keys and labels, one for each row", got=len(column))
        if new.labels is not None and int(np.min(new.labels.widths)) < 1:
            raise PlanError(path=path, expected="at least one label per record", got="none")


def _old_files(sets: Sequence[NewSet], earlier: EarlierShards | None) -> list[OldFile]:
    old_files = [new.replaces for new in sets if new.replaces is not None]
    return old_files if earlier is None else [*old_files, earlier.old_file]


def _refuse_existing_files(sets: Sequence[NewSet], prefix: Path, earlier: EarlierShards | None) -> None:
    new_prefixes = {new.prefix for new in sets if new.replaces is None}
    if earlier is None and all(new.replaces is None for new in sets):
        new_prefixes.add(prefix)
    for path in _existing_files(new_prefixes):
        raise PublishError(
            path=str(path), expected="a new set", got="a file of that name", advice="choose another prefix"
        )


def _existing_files(prefixes: Collection[Path]) -> list[Path]:
    suffixes = ("", *SUFFIXES)  # im2rec's OUT may be a record file without a suffix
    paths = [prefix.with_name(prefix.name + suffix) for prefix in sorted(prefixes) for suffix in suffixes]
    return [path for path in paths if os.path.lexists(path)]


def _metadata_notes(inputs: Inputs) -> list[str]:
    if not inputs.has_metadata:
        return []
    return ["the header and the identities of InsightFace's files are no samples and are left out"]


def _exact_labels(inputs: Inputs, new: NewSet) -> NDArray[np.int64] | None:
    """Return the exact labels of a set, shape (n,) or (n, w); None if it has none."""
    labels = new.labels
    if labels is None and inputs.have_exact_labels:
        labels = inputs.labels().at(new.rows)
        if not labels.is_exact:
            raise FormatError(
                path=str(new.prefix),
                expected="exact labels, or whole numbers, in all inputs",
                got="labels with a fraction beside exact ones",
                advice="edit the inputs one by one, or relabel one of them",
            )
    if labels is None or not labels.is_exact:
        return None
    widths = labels.widths
    if np.min(widths) != np.max(widths):
        raise FormatError(
            path=str(new.prefix),
            expected="the same number of exact labels for each record",
            got=f"{np.min(widths)} to {np.max(widths)}",
            advice="give all records the same number of labels",
        )
    values = labels.values.astype(np.int64)
    return values if widths[0] == 1 else values.reshape(len(labels), -1)


def _vector_bytes(widths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bytes of the labels behind the header. A label alone is in it."""
    return np.where(widths > 1, 4 * widths, 0)


def _located(
    error: FormatError,
    inputs: Inputs,
    rows: NDArray[np.int64],
    file_numbers: NDArray[np.int64],
    offsets: NDArray[np.uint64],
) -> FormatError:
    """Return the error about a damaged record with its key, and the advice to repair the file."""
    paths = np.array([str(path) == error.path for path in inputs.paths])
    candidates = np.flatnonzero(paths[file_numbers] & (offsets <= np.uint64(error.offset or 0)))
    if len(candidates):
        row = candidates[np.argmax(offsets[candidates])]
        error = error.located(key=int(inputs.keys[rows[row]]))
        error.offset = int(offsets[row])
    error.advice = f"'recordkit repair {quoted(error.path or '')} PREFIX' writes the whole records into a new set"
    return error
