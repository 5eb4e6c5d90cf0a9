"""Writing the result of an edit: the chosen records of some datasets, copied into new sets that appear together.

Blocks of records go this way: threads read and check them (`recordkit.dataset.copied_records`), another one hashes
them in order, and the caller's thread writes them, with the lines of the index and the list. Every byte is read and
written once.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recordkit.dataset.copied_records import CopiedRecords, index_lines
from recordkit.storage.names import MANIFEST_SUFFIX
from recordkit.storage.set_files import SetFiles, SetNames, write_manifest
from recordkit.storage.staging import Staging
from recordkit.threads import ThreadedMap, count_threads
from recordkit.upkeep.edit.inputs import Inputs
from recordkit.upkeep.edit.lists import InputLists
from recordkit.upkeep.edit.new_set import Block, NewSet, SetSource, check_sets
from recordkit.upkeep.edit.old_files import EarlierShards, check_old_files, existing_files
from recordkit.upkeep.edit.report import EditReport, WrittenSet

__all__ = ["NewSet", "Progress", "write_sets"]

Progress = Callable[[int], None]
"""Called with the number of records written since the last call."""


def write_sets(  # noqa: PLR0913 (one keyword for each choice)
    inputs: Inputs,
    sets: Sequence[NewSet],
    prefix: Path,
    *,
    edit: Mapping[str, object],
    shards: bool | EarlierShards = False,
    threads: int = 0,
    overwrite: bool = False,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> EditReport:
    r"""Copy records into new sets, which appear together when all of them are complete.

    A record that keeps its key and its labels keeps every byte. Memory: 8 bytes per record for each array of `sets`,
    and four blocks and two for each thread. A block has 4 MiB, or 64 MiB if the records are not in file order, or the
    largest record.

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
    overwrite : bool, default False
        Replace files that exist at the names of the sets, but never an input.
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
        A file of the sets exists and `overwrite` is false, is read, or cannot be written.

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
    check_sets(inputs, sets, prefix)
    earlier = shards if isinstance(shards, EarlierShards) else None
    manifest_path = prefix.with_name(prefix.name + MANIFEST_SUFFIX) if shards else None
    old_files = check_old_files(_new_prefixes(sets, prefix, earlier), inputs.paths, overwrite=overwrite)
    old_files += existing_files([new.prefix for new in sets if new.replaces])
    if earlier is not None and manifest_path is not None and os.path.lexists(manifest_path):
        old_files.append(manifest_path)
    sources = [SetSource(inputs, each) for each in sets]
    with InputLists(inputs) as lists:
        inputs.check_files()
        notes = (*lists.notes, *_metadata_notes(inputs))
        if dry_run:
            written = tuple(WrittenSet(source.new.prefix, len(source.new.rows), source.n_bytes()) for source in sources)
        else:
            writer = _Writer(inputs, sources, lists, edit, n_threads, progress)
            written = writer.publish(prefix, shards, overwrite=overwrite)
        new_names = {path for source in sources for path in source.file_paths(has_list=bool(lists))}
    return EditReport(
        written,
        notes,
        time.monotonic() - begin_s,
        dry_run=dry_run,
        manifest=manifest_path,
        replaced=tuple(path for path in old_files if path in new_names or path == manifest_path),
        removed=tuple(path for path in old_files if path not in new_names and path != manifest_path),
    )


def _new_prefixes(sets: Sequence[NewSet], prefix: Path, earlier: EarlierShards | None) -> set[Path]:
    """Return the prefixes at which no set may be before: those of sets that replace none, and that of all sets."""
    new_prefixes = {new.prefix for new in sets if new.replaces is None}
    if earlier is None and all(new.replaces is None for new in sets):
        new_prefixes.add(prefix)
    return new_prefixes


class _Writer:
    """Writes the records of all sets, one set after the other."""

    def __init__(
        self,
        inputs: Inputs,
        sources: Sequence[SetSource],
        lists: InputLists,
        edit: Mapping[str, object],
        n_threads: int,
        progress: Progress | None,
    ) -> None:
        self._inputs = inputs
        self._sources = sources
        self._lists = lists
        self._edit = edit
        self._n_threads = n_threads
        self._progress = progress
        self._written: list[WrittenSet] = []
        self._shards: list[tuple[dict[str, Any], tuple[int, int]]] = []  # description and range of keys of each set
        self._open: dict[int, SetFiles] = {}
        self._n_bytes = 0
        self._width = (2**63, 0)  # smallest and largest number of labels of a record of this set

    def publish(
        self,
        prefix: Path,
        shards: bool | EarlierShards,  # noqa: FBT001 (as write_sets)
        *,
        overwrite: bool,
    ) -> tuple[WrittenSet, ...]:
        """Write every set, and let all appear together."""
        earlier = shards if isinstance(shards, EarlierShards) else None
        sets = [source.new for source in self._sources]
        with Staging(prefix) as staging, contextlib.ExitStack() as stack:
            new_prefixes = _new_prefixes(sets, prefix, earlier)
            replaced = check_old_files(new_prefixes, self._inputs.paths, overwrite=overwrite)
            old_files = [new.replaces for new in sets if new.replaces is not None]
            for old_file in old_files if earlier is None else [*old_files, earlier.old_file]:
                old_file.check()
            stack.callback(self._close)
            self._write_all(staging)
            if shards:
                write_manifest(staging, prefix, self._shards, earlier=earlier.manifest if earlier else None)
            replaced += existing_files([new.prefix for new in sets if new.replaces])
            staging.commit(remove=replaced)
        return tuple(self._written)

    def _close(self) -> None:
        """Close the files of an edit that has failed."""
        for files in self._open.values():
            files.close()

    def _write_all(self, staging: Staging) -> None:
        blocks = (block for number, source in enumerate(self._sources) for block in source.blocks(number))
        with (
            ThreadedMap(self._copy, blocks, self._n_threads, ahead=True, n_ahead=self._n_threads + 1) as copied,
            ThreadedMap(self._hash, self._with_files(staging, copied), 1, ahead=True) as hashed,
        ):
            for block, records in hashed:
                self._write(block, records)
                if self._progress:
                    self._progress(block.end - block.begin)

    def _copy(self, block: Block) -> tuple[Block, CopiedRecords]:
        return block, self._sources[block.set_number].copy(block.begin, block.end)

    def _with_files(
        self, staging: Staging, copied: Iterator[tuple[Block, CopiedRecords]]
    ) -> Iterator[tuple[Block, CopiedRecords]]:
        """Create the files of a set before its first block goes on."""
        for block, records in copied:
            if block.begin == 0:
                files = SetFiles(staging, SetNames(self._sources[block.set_number].new.prefix))
                self._open[block.set_number] = files
                files.create(
                    *(suffix for suffix in (".rec", ".idx", ".lst", ".crc") if suffix != ".lst" or self._lists)
                )
            yield block, records

    def _hash(self, item: tuple[Block, CopiedRecords]) -> tuple[Block, CopiedRecords]:
        block, records = item
        self._open[block.set_number].hash(".rec", records.frames)
        return item

    def _write(self, block: Block, records: CopiedRecords) -> None:
        source, files = self._sources[block.set_number], self._open[block.set_number]
        keys = source.keys(block.begin, block.end)
        ends = np.cumsum(records.sizes) + np.uint64(self._n_bytes)
        files.write(".rec", records.frames, is_hashed=True)
        files.write(".idx", index_lines(keys, ends - records.sizes))
        files.write(".crc", records.checksums.astype("<u4").view(np.uint8))
        if self._lists:
            files.write(".lst", source.list_lines(self._lists, block.begin, block.end))
        self._n_bytes = int(ends[-1])
        smallest, largest = int(np.min(records.widths)), int(np.max(records.widths))
        self._width = min(self._width[0], smallest), max(self._width[1], largest)
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
        description = files.finish(
            {"records": n_records, "failed": source.new.failures.count(b"\n"), "label_width": list(self._width)},
            {
                "classes": None if source.new.classes is None else dict(source.new.classes),
                "list": "written" if self._lists else "none",
                "edit": dict(self._edit),
            },
        )
        keys = source.keys(0, n_records)
        self._shards.append((description, (int(np.min(keys)), int(np.max(keys)))))
        self._written.append(WrittenSet(source.new.prefix, n_records, self._n_bytes))
        self._n_bytes, self._width = 0, (2**63, 0)


def _metadata_notes(inputs: Inputs) -> list[str]:
    if not inputs.has_metadata:
        return []
    return ["the header and the identities of InsightFace's files are no samples and are left out"]
