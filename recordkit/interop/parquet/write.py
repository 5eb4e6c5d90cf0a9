"""Writing Parquet files: rows are collected into row groups, and files are numbered when their number is known."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, RecordkitError
from recordkit.interop.export import (
    ExportedSplit,
    ExportReport,
    LabelFacts,
    copying_engine,
    image_suffix,
    name_sources,
    read_samples,
    survey_labels,
)
from recordkit.interop.export.output import SHARD_BYTES, check_outputs, new_file, new_folder
from recordkit.interop.export.parts import SPLIT, PartOptions
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.interop.parquet.library import import_pyarrow
from recordkit.interop.parquet.schema import IMAGE, KEY, LABEL, class_label_names, make_schema
from recordkit.memory import choose_memory, read_size
from recordkit.sample import Source
from recordkit.threads import count_threads

SUFFIX = ".parquet"
Create = Callable[[str], BinaryIO]
_UNLIMITED = 1 << 62
_GROUP_BYTES = 100_000_000
# Rows of small images take about 1 kB each until they are written.
_GROUP_ROWS = 1 << 15
# Arrow looks at the size of a page (1 MB) only after so many rows. Readers have a whole page in memory.
_ROWS_OF_PAGE = 4
# A row group is in memory twice, as Python's bytes and as Arrow's, besides the images that threads read ahead.
_GROUP_FRACTION = 8


def write_parquet(  # noqa: PLR0913 (one keyword for each choice)
    source: RecordDataset | Source | Mapping[str, Source],
    path: str | Path,
    *,
    shard_bytes: int | str = SHARD_BYTES,
    threads: int = 0,
    memory: int | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    on_note: Notify | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the samples of a source as Parquet, with the features that Hugging Face's `datasets` reads.

    Columns: `image`, a struct of `bytes` and `path`; `label`, an int64, which is a ClassLabel if the class names are
    those of 0 to n - 1, or a float64, or a list if a sample has several labels; `key`, a uint64. Encoded images are
    copied; pixels become PNG.

    Parameters
    ----------
    source : RecordDataset, Source, or mapping of str to Source
        Each source of a mapping is a split; a single one is the split "train".
    path : str or Path
        A new or an empty folder for files such as ``train-00000-of-00003.parquet``, or, of a single source, a new file
        that ends in ``.parquet``.
    shard_bytes : int or str, default 2**29
        Size of the images of a file in a folder, as a number or a text such as "512M".
    threads, memory, overwrite, dry_run, on_note, progress
        See `recordkit.interop.folder.write_folder`.

    Returns
    -------
    report : ExportReport

    Raises
    ------
    MissingError
        pyarrow is not installed.
    PlanError
        `shard_bytes` is no size, or several sources go to one file.
    SourceError, FormatError
        The source is empty or damaged, or an image cannot be read.
    PublishError
        The output exists and `overwrite` is false, or the disk is full.
    """
    begin_s = time.monotonic()
    import_pyarrow()
    n_threads, n_bytes = count_threads(threads), choose_memory(memory)
    max_bytes = read_size(shard_bytes, "shard_bytes")
    path = Path(path)
    sources = name_sources(source)
    if is_file := path.suffix.lower() == SUFFIX:
        max_bytes = _UNLIMITED
        if list(sources) != [""]:
            raise PlanError(path=str(path), expected="a folder for several splits", got="the name of a file")
    facts = {name: survey_labels(each) for name, each in sources.items()}
    planned = tuple(
        ExportedSplit(path, len(each), None, _notes(each, facts[name]), name or SPLIT, ())
        for name, each in sources.items()
    )
    announce(planned, on_note)
    replaced = check_outputs(path, source, overwrite=overwrite, dry_run=dry_run, is_file=is_file)
    if dry_run:
        return ExportReport("parquet", planned, time.monotonic() - begin_s, dry_run=True, replaced=replaced)
    tables: list[ExportedSplit] = []
    with _new_file(path) if is_file else _new_folder(path, overwrite=overwrite) as (staged, create):
        for plan, (name, each) in zip(planned, sources.items(), strict=True):
            files = _Files(create, plan.split, make_schema(facts[name], each.classes), max_bytes, n_bytes)
            with contextlib.closing(files):
                n_image_bytes = _write_rows(each, facts[name], files, n_threads, n_bytes, progress)
                files.finish()
            names = (path.name,) if is_file else _number(staged, files.names)
            tables.append(ExportedSplit(path, len(each), n_image_bytes, plan.notes, plan.split, names))
    return ExportReport("parquet", tuple(tables), time.monotonic() - begin_s, replaced=replaced)


@contextlib.contextmanager
def _new_folder(path: Path, *, overwrite: bool) -> Iterator[tuple[Path, Create]]:
    with new_folder(path, overwrite=overwrite) as output:
        yield output.staged, lambda name: open(output.staged / name, "xb")  # noqa: SIM115 (closed by `_Files`)


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[tuple[Path, Create]]:
    with new_file(path) as staging:
        yield staging.folder, lambda _name: staging.create(path.name)


def _notes(source: Source, facts: LabelFacts) -> tuple[str, ...]:
    notes = [*source.notes]
    if not facts.has_one_whole_label:
        kind = f"lists of up to {facts.max_width} numbers" if facts.max_width > 1 else "no whole numbers of 64 bits"
        notes.append(f"labels are {kind}, and no ClassLabel")
    elif source.classes and class_label_names(source.classes, facts) is None:
        notes.append("ClassLabel needs classes 0 to n - 1, and these are others; only recordkit reads their names")
    return tuple(notes)


def _write_rows(
    source: Source, facts: LabelFacts, files: _Files, n_threads: int, memory: int, progress: Progress | None
) -> int:
    """Write all samples; return the total size of the images."""
    engine = copying_engine(source)
    convert = int if facts.are_whole else float
    n_bytes = 0
    for samples in read_samples(source, engine, n_threads=n_threads, memory=memory):
        for entry, payload in samples:
            try:
                name = f"{entry.key}{image_suffix(payload)}"
            except RecordkitError as error:
                raise error.located(path=entry.name, key=entry.key) from None
            labels = [convert(label) for label in entry.labels]
            image = {"bytes": payload, "path": name}
            files.append({IMAGE: image, LABEL: labels if facts.max_width > 1 else labels[0], KEY: entry.key})
            n_bytes += len(payload)
        if progress:
            progress(len(samples))
    return n_bytes


class _Files:
    """Parquet files of limited size, in one folder.

    Attributes
    ----------
    names : list of str
        Names of the files, without the number of files, which is not known before the last one.

    Parameters
    ----------
    create : callable
        Opens a new file by its name.
    split : str
    schema : pyarrow.Schema
    max_bytes : int
        Size of the images of a file.
    memory : int
        Bytes that images may take.
    """

    def __init__(self, create: Create, split: str, schema: Any, max_bytes: int, memory: int) -> None:
        self.names: list[str] = []
        self._create, self._split, self._schema, self._max_bytes = create, split, schema, max_bytes
        self._group_bytes = min(_GROUP_BYTES, memory // _GROUP_FRACTION)
        self._rows: list[dict[str, Any]] = []
        self._rows_bytes = self._file_bytes = 0
        self._writer: Any = None
        self._file: BinaryIO | None = None

    def append(self, row: dict[str, Any]) -> None:
        """Write a row, sooner or later."""
        size = len(row[IMAGE]["bytes"])
        is_full = self._file_bytes + size > self._max_bytes and self._file_bytes
        is_group_full = self._rows_bytes + size > self._group_bytes or len(self._rows) >= _GROUP_ROWS
        if self._rows and (is_full or is_group_full):
            self._write_group()
        if is_full:
            self._close_file()
        self._rows.append(row)
        self._rows_bytes += size
        self._file_bytes += size

    def finish(self) -> None:
        """Write the last rows."""
        if self._rows:
            self._write_group()
        self._close_file()

    def close(self) -> None:
        """Close the file of an export that has failed."""
        if self._file is not None:
            self._file.close()

    def _write_group(self) -> None:
        pyarrow, parquet = import_pyarrow()
        if self._writer is None:
            # Images are compressed already, and statistics would hold two whole ones.
            self.names.append(f"{self._split}-{len(self.names):05d}{SUFFIX}")
            self._file = self._create(self.names[-1])
            self._writer = parquet.ParquetWriter(
                self._file,
                self._schema,
                compression="none",
                use_dictionary=False,
                write_statistics=[LABEL, KEY],
                write_page_checksum=True,
                write_batch_size=_ROWS_OF_PAGE,
                store_schema=True,
            )
        rows, self._rows, self._rows_bytes = self._rows, [], 0
        self._writer.write_table(pyarrow.Table.from_pylist(rows, schema=self._schema), row_group_size=len(rows))

    def _close_file(self) -> None:
        if self._writer is not None and self._file is not None:
            self._writer.close()
            self._file.close()
        self._writer, self._file_bytes = None, 0


def _number(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Give files the names of Hugging Face, which have the number of files."""
    numbered = tuple(_numbered(name.removesuffix(SUFFIX), len(names)) for name in names)
    for name, final in zip(names, numbered, strict=True):
        (folder / name).rename(folder / final)
    return numbered


def _numbered(stem: str, n_files: int) -> str:
    return f"{stem}-of-{n_files:05d}{SUFFIX}"


def _open_new(path: Path) -> BinaryIO:
    return open(path, "xb")


class ParquetParts:
    """See `recordkit.interop.export.parts.PartWriter`."""

    file_bytes = 0

    def options(self, facts: LabelFacts, classes: dict[str, int] | None) -> PartOptions:
        """Return the facts and the schema."""
        schema = make_schema(facts, classes)
        return PartOptions(dataclasses.replace(facts, first_labels=set()), classes, schema)

    def notes(self, source: Source, facts: LabelFacts) -> tuple[str, ...]:
        """Return the notes of `write_parquet`."""
        return _notes(source, facts)

    def sizes(self, record_bytes: NDArray[np.int64], options: PartOptions) -> NDArray[np.int64]:
        """Return the bytes of the images, or a little more."""
        del options
        return record_bytes

    def file_name(self, number: int, n_files: int) -> str:
        """Return ``train-00007-of-00010.parquet``."""
        return _numbered(f"{SPLIT}-{number:05d}", n_files)

    def write(self, path: Path, source: Source, options: PartOptions, *, threads: int, memory: int) -> int:
        """Write a Parquet file."""
        files = _Files(lambda _name: _open_new(path), SPLIT, options.schema, _UNLIMITED, memory)
        with contextlib.closing(files):
            n_bytes = _write_rows(source, options.facts, files, threads, memory, None)
            files.finish()
        return n_bytes

    def index(self, lengths: Mapping[str, int], classes: dict[str, int] | None) -> None:
        """Return None: the files themselves have all."""
