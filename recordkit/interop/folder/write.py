"""Writing a folder of images: threads write the images, block by block, and the caller's thread writes the list."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, NamedTuple

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import PlanError, PublishError
from recordkit.formats import lst
from recordkit.interop.export import ExportReport, copying_engine, name_sources, payloads_of, survey_labels
from recordkit.interop.export.output import check_outputs, new_folder
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.interop.folder.metadata import NAME as METADATA
from recordkit.interop.folder.metadata import Metadata
from recordkit.interop.folder.names import ImageNames
from recordkit.interop.folder.report import ExportedFolder
from recordkit.memory import choose_memory
from recordkit.packing.engine import Engine, Limits
from recordkit.packing.piece import IndexBlocks, Piece, encode_alone, encode_piece, make_limits
from recordkit.sample import Source
from recordkit.sources.classes import format_classes
from recordkit.threads import ThreadedMap, count_threads


def write_folder(  # noqa: PLR0913 (one keyword for each choice)
    source: RecordDataset | Source | Mapping[str, Source],
    folder: str | Path,
    *,
    name: str | None = None,
    metadata: bool = False,
    threads: int = 0,
    memory: int | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    on_note: Notify | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the images of a source into a new folder, with a list and a class map beside it.

    Bytes of encoded images are copied. Pixels of ubyte files become PNG files, or Netpbm files if `name` ends in .pgm,
    .ppm or .pam. The folder, the list and the class map appear together when they are complete, or not at all.

    Parameters
    ----------
    source : RecordDataset, Source, or mapping of str to Source
        Each source of a mapping is written to its own folder, with its list there: FOLDER/train and FOLDER/train.lst.
    folder : str or Path
        A new or an empty folder. Missing folders above it are created.
    name : str, optional
        Template of the names, such as ``{key:06d}_{label}.png``; see `recordkit.formats.name_template`. Images get the
        suffix of their format if it has none. By default ``{class}/{key:06d}`` if the source has class names, otherwise
        ``{key:06d}_{label}``, with more digits if a key needs them: a pack of the folder finds the labels in them.
    metadata : bool, default False
        Write ``metadata.csv`` into the folder too, with keys, all labels and class names; see
        `recordkit.interop.folder.metadata`.
    threads : int, default 0
        Number of threads; 0 is the number of CPUs this process may use.
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that images may take; by default a quarter of the memory of the machine or its control
        group. An image that needs more is an error.
    overwrite : bool, default False
        Replace what is there, but never an input. A folder is replaced as a whole.
    dry_run : bool, default False
        Check the source, the labels and the folder, and write nothing.
    on_note : callable, optional
        Called with each note of the report before the first image is written.
    progress : callable, optional
        Called with the number of images written since the last call.

    Returns
    -------
    report : ExportReport

    Raises
    ------
    PlanError
        `name` is no template, needs class names that the source does not have, has the suffix of another format than
        an image, or gives two images one name.
    SourceError, FormatError
        The source is empty or damaged, or an image cannot be read or named.
    PublishError
        `folder` has files, a list or class map is in the way, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> from recordkit.sources import open_source
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     mnist, digits = Path(parent, "mnist"), Path(parent, "digits")
    ...     mnist.mkdir()
    ...     _ = (mnist / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((2, 28, 28), np.uint8)))
    ...     _ = (mnist / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.array([5, 0], np.uint8)))
    ...     report = write_folder(open_source(mnist), digits)
    ...     report.n_images, sorted(path.relative_to(digits).as_posix() for path in digits.rglob("*.*"))
    (2, ['train.lst', 'train/000000_5.png', 'train/000001_0.png'])
    """
    begin_s = time.monotonic()
    n_threads, n_bytes = count_threads(threads), choose_memory(memory)
    folder = Path(folder)
    if not folder.name:  # "." or "/", beside which there is no list
        raise PublishError(path=str(folder), expected="a new folder", got="one without a name", advice="add a name")
    exports = {
        part: _plan_export(each, name, folder / part, metadata=metadata) for part, each in name_sources(source).items()
    }
    beside = [folder.with_name(folder.name + suffix) for suffix in (".lst", ".classes.json")] if "" in exports else []
    replaced = check_outputs(folder, source, overwrite=overwrite, dry_run=dry_run, beside=beside)
    planned = tuple(export.report(None) for export in exports.values())
    announce(planned, on_note)
    if dry_run:
        return ExportReport("folder", planned, time.monotonic() - begin_s, dry_run=True, replaced=replaced)
    reports = []
    with new_folder(folder, overwrite=overwrite, remove=beside) as output:
        for part, export in exports.items():
            create = _creator(output.staged) if part else output.staging.create
            staged = _Output(output.staged / part, create)
            reports.append(_write_export(export, staged, n_threads, n_bytes, progress))
    return ExportReport("folder", tuple(reports), time.monotonic() - begin_s, replaced=replaced)


@dataclass(frozen=True)
class _Export:
    """The content of one folder: the samples of a source, their names, and the engine that encodes pixels."""

    source: Source
    names: ImageNames
    engine: Engine
    folder: Path
    notes: tuple[str, ...]
    metadata: Metadata | None

    @property
    def list_path(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}.lst")

    @property
    def classes_path(self) -> Path | None:
        return self.folder.with_name(f"{self.folder.name}.classes.json") if self.source.classes else None

    def report(self, n_bytes: int | None) -> ExportedFolder:
        """Return the report about images of so many bytes."""
        return ExportedFolder(
            self.folder,
            len(self.source),
            n_bytes,
            self.notes,
            name=self.names.template.text,
            list_path=self.list_path,
            classes_path=self.classes_path,
            metadata_path=self.folder / METADATA if self.metadata else None,
        )


class _Output(NamedTuple):
    """The paths of one folder until it is published.

    Attributes
    ----------
    staged : Path
    create : callable
        Opens a new file beside the folder, by its name.
    """

    staged: Path
    create: Callable[[str], BinaryIO]


class _Block(NamedTuple):
    """Images that were written: a row of the list for each, and their total size."""

    rows: list[lst.Row]
    n_bytes: int


def _creator(folder: Path) -> Callable[[str], BinaryIO]:
    return lambda name: open(folder / name, "xb")


def _plan_export(source: Source, name: str | None, folder: Path, *, metadata: bool) -> _Export:
    """Check that a source can be exported under a name, and note what its folder will not hold."""
    names = ImageNames(source, name)
    facts = survey_labels(source)
    facts.check_finite("a list")
    notes = (*source.notes, *names.notes(facts, folder.with_name(f"{folder.name}.lst")))
    columns = Metadata(facts.max_width, source.classes) if metadata else None
    return _Export(source, names, copying_engine(source, names.encoding), folder, notes, columns)


def _write_export(
    export: _Export, output: _Output, n_threads: int, memory: int, progress: Progress | None
) -> ExportedFolder:
    output.staged.mkdir(exist_ok=True)
    index_blocks = IndexBlocks(range(len(export.source)), export.engine.block_size)
    limits = make_limits(memory, n_threads)
    n_bytes = 0
    with (
        output.create(export.list_path.name) as list_file,
        _new_metadata(export, output) as write_metadata,
        ThreadedMap(
            lambda indices: _write_block(export, output, indices, limits),
            index_blocks,
            n_threads,
            stopped=limits.stopped,
        ) as blocks,
    ):
        for block in blocks:
            index_blocks.learn(len(block.rows), block.n_bytes)
            list_file.write(lst.lines(block.rows))
            write_metadata(block.rows)
            n_bytes += block.n_bytes
            if progress:
                progress(len(block.rows))
    if export.source.classes and export.classes_path:
        with output.create(export.classes_path.name) as file:
            file.write(format_classes(export.source.classes))
    return export.report(n_bytes)


@contextlib.contextmanager
def _new_metadata(export: _Export, output: _Output) -> Iterator[Callable[[Sequence[lst.Row]], object]]:
    """Yield a function that writes lines of metadata.csv, or does nothing if the export has none."""
    if export.metadata is None:
        yield lambda _rows: None
        return
    metadata = export.metadata
    with open(output.staged / METADATA, "xb") as file:
        file.write(metadata.header())
        yield lambda rows: file.write(metadata.lines(rows))


def _write_block(export: _Export, output: _Output, indices: Sequence[int], limits: Limits) -> _Block:
    """Write the images at some positions of a source, piece by piece."""
    blocks = []
    while indices and not limits.stopped[0]:
        piece = encode_piece(export.source, indices, export.engine, limits)
        if piece.entries:
            blocks.append(_write_piece(export, output, piece))
        else:
            with encode_alone(export.source, indices[0], export.engine, limits) as piece:
                blocks.append(_write_piece(export, output, piece))
        indices = indices[len(piece.entries) :]
    return _Block([row for block in blocks for row in block.rows], sum(block.n_bytes for block in blocks))


def _write_piece(export: _Export, output: _Output, piece: Piece) -> _Block:
    rows = []
    n_bytes = 0
    for entry, payload in zip(piece.entries, payloads_of(piece), strict=True):
        name = export.names.name(entry, payload)
        try:
            _write_file(f"{output.staged}/{name}", payload)
        except FileExistsError:
            raise PlanError(
                argument="name",
                expected="a name of its own for each image",
                got=f"{name!r} twice",
                advice="add _{key} to `name`",
            ) from None
        except OSError as error:
            problem = error.strerror or str(error)
            raise PublishError(problem, path=f"{export.folder}/{name}", advice="nothing was written") from error
        rows.append(lst.Row(entry.key, entry.labels, name))
        n_bytes += len(payload)
    return _Block(rows, n_bytes)


def _write_file(path: str, content: bytes) -> None:
    """Write a new file, and make its folder if it is the first one there."""
    try:
        file = open(path, "xb", buffering=0)  # noqa: SIM115 (closed below)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "xb", buffering=0)  # noqa: SIM115 (closed below)
    with file:
        rest = memoryview(content)
        while rest:  # a disk that is almost full takes a part
            rest = rest[file.write(rest) :]
