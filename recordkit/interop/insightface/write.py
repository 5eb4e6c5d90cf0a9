"""Face datasets written in InsightFace's layout: train.rec, train.idx and property in a new folder.

Beside them are train.lst, train.crc and train.json, which recordkit's readers use and others ignore: the names of the
images, the CRC-32 of each record, and the names of the people.
"""

from __future__ import annotations

import contextlib
import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import plural
from recordkit.interop.export import ExportedSet, ExportReport, only_source, read_samples
from recordkit.interop.export.output import check_outputs, new_folder
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.interop.insightface.arrangement import Arrangement, by_identity, shuffled
from recordkit.interop.insightface.face_files import FaceFiles
from recordkit.memory import choose_memory
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan
from recordkit.sample import Source
from recordkit.sources.records import RecordSource
from recordkit.threads import count_threads

FORMAT = "insightface"
# InsightFace's networks take images of this height and width.
_USUAL_SIZE = (112, 112)


@dataclass(frozen=True)
class ExportedFaces(ExportedSet):
    """A face dataset that was written.

    Attributes
    ----------
    n_classes : int
        The largest label and 1, as in the property file.
    n_identities : int
        Number of labels that have images.
    """

    n_classes: int
    n_identities: int

    @property
    def details(self) -> str:
        """The numbers of identities."""
        identities = "1 identity" if self.n_identities == 1 else f"{self.n_identities} identities"
        return f"{identities}, {plural(self.n_classes, 'class')}"


def write_insightface(  # noqa: PLR0913 (one keyword for each choice)
    source: RecordDataset | Source | Mapping[str, Source],
    folder: str | Path,
    *,
    shuffle_seed: int | None = None,
    threads: int = 0,
    memory: int | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    on_note: Notify | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    r"""Write the images of a source into a new folder as InsightFace's training code reads them.

    The first label of an image is its identity. The images are written identity by identity, then come the records of
    the identities and of the file, as ``RecBuilder`` of InsightFace writes them. With `shuffle_seed` the images are in
    an order that it draws, and there are no other records, as readers need it that read from the beginning to the end:
    DALI and MXNet's ImageRecordIter. Bytes of encoded images are copied. The folder appears when it is complete, or not
    at all. Memory: `memory` and 40 bytes per image.

    Parameters
    ----------
    source : RecordDataset, Source, or mapping of str to Source
        A mapping must have one source.
    folder : str or Path
        A new or an empty folder. Missing folders above it are created.
    shuffle_seed : int, 0 to 2**64 - 1, optional
        Shuffle the images, and write no records of identities.
    threads : int, default 0
        Number of threads; 0 is the number of CPUs this process may use.
    memory : int or str, optional
        A number of bytes, or a text such as "512M" or "2G".
        Most memory that images may take; by default a quarter of the memory of the machine or its control
        group. An image that needs more is an error.
    overwrite : bool, default False
        Replace what is there, but never an input. A folder is replaced as a whole.
    dry_run : bool, default False
        Write nothing, and do not read the images.
    on_note : callable, optional
        Called with each fact that may be unexpected: those about the labels before the first image is written.
    progress : callable, optional
        Called with the number of images written since the last call.

    Returns
    -------
    report : ExportReport

    Raises
    ------
    SourceError, FormatError
        The source is empty, damaged or has several sets; a label is no identity; an image cannot be read, is not JPEG,
        PNG or BMP, or has another size than the first.
    PublishError
        `folder` has files and `overwrite` is false, or the disk is full.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> from recordkit.sources import open_source
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     mnist, faces = Path(parent, "mnist"), Path(parent, "faces")
    ...     mnist.mkdir()
    ...     _ = (mnist / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((3, 28, 28), np.uint8)))
    ...     _ = (mnist / "train-labels-idx1-ubyte").write_bytes(ubyte.pack(np.array([1, 0, 1], np.uint8)))
    ...     report = write_insightface(open_source(mnist), faces)
    ...     report.n_images, (faces / "property").read_text(), RecordDataset(faces / "train.rec").labels
    (3, '2,28,28\n', array([0., 1., 1.], dtype=float32))
    """
    begin_s = time.monotonic()
    n_threads, n_bytes = count_threads(threads), choose_memory(memory)
    folder = Path(folder)
    face_source = only_source(source)
    arrangement = by_identity(face_source) if shuffle_seed is None else shuffled(face_source, shuffle_seed)
    done = ExportedFaces(
        path=folder,
        n_images=len(arrangement.order),
        n_bytes=None,
        notes=arrangement.notes,
        n_classes=arrangement.n_classes,
        n_identities=arrangement.n_identities,
    )
    announce([done], on_note)
    replaced = check_outputs(folder, source, overwrite=overwrite, dry_run=dry_run)
    if not dry_run:
        with new_folder(folder, overwrite=overwrite) as output:
            files = _write(output.staged, face_source, arrangement, n_threads, n_bytes, progress)
        size_notes = _size_notes(files.size)
        announce([replace(done, notes=size_notes)], on_note)
        done = replace(done, n_bytes=files.n_bytes, notes=(*done.notes, *size_notes))
    return ExportReport(FORMAT, (done,), time.monotonic() - begin_s, dry_run, replaced)


def _write(
    folder: Path, source: Source, arrangement: Arrangement, n_threads: int, memory: int, progress: Progress | None
) -> FaceFiles:
    """Write all files into a folder."""
    is_packed = isinstance(source, RecordSource)
    # Images of a .rec file were looked at when they were packed, which costs as much as all the rest.
    engine = choose_engine("auto")(PackPlan(any_file=is_packed), pixels=source.pixels)
    order = array("q", arrangement.order.tobytes())
    samples = read_samples(source, engine, order=order, n_threads=n_threads, memory=memory)
    # Samples of a .rec file have no file names, which a list would have.
    with FaceFiles(folder, has_list=not is_packed) as files, contextlib.closing(samples):
        begin = 0
        for block in samples:
            end = begin + len(block)
            keys = range(arrangement.first_key + begin, arrangement.first_key + end)
            files.append_images(keys, arrangement.labels[begin:end].tolist(), block, engine)
            begin = end
            if progress:
                progress(len(block))
        files.append_metadata(arrangement.metadata())
        files.finish(arrangement.n_classes, source.classes)
    return files


def _size_notes(size: tuple[int, int] | None) -> tuple[str, ...]:
    if size is None or size == _USUAL_SIZE:
        return ()
    height, width = size
    return (f"images are {height} x {width}, and InsightFace's networks take 112 x 112",)
