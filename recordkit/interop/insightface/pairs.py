"""InsightFace's verification sets, such as lfw.bin, as sources and written from sources.

In a .rec file image i of the set has the key i and two labels: the number of its pair, i // 2, and 1 if the pair is one
person, otherwise 0. So a set that is read and written again has the same images and answers.
"""

from __future__ import annotations

import contextlib
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import SourceError, plural
from recordkit.formats.insightface.verification_pairs import PairFile, is_pickle, open_pairs, pack_pairs
from recordkit.interop.export import ExportedSet, ExportReport, only_source, read_samples
from recordkit.interop.export.output import check_outputs, new_file
from recordkit.interop.export.report import Notify, Progress, announce
from recordkit.memory import choose_memory
from recordkit.packing.native import choose_engine
from recordkit.packing.plan import PackPlan
from recordkit.sample import BadEntry, Entry, Source
from recordkit.sources.records import RecordSource
from recordkit.threads import count_threads

FORMAT = "insightface-pairs"
SUFFIX = ".bin"
# Samples whose labels are read together.
_BLOCK_SIZE = 4096


@dataclass(frozen=True)
class ExportedPairs(ExportedSet):
    """A verification set that was written.

    Attributes
    ----------
    n_pairs : int
    n_same : int
        Pairs of one person.
    """

    n_pairs: int
    n_same: int

    @property
    def details(self) -> str:
        """The numbers of pairs."""
        return f"{plural(self.n_pairs, 'pair')}, {self.n_same} same"


class PairSource:
    """The images of a verification set.

    Parameters
    ----------
    pairs : PairFile

    Examples
    --------
    >>> import pickle, tempfile
    >>> path = Path(tempfile.mkdtemp(), "lfw.bin")
    >>> _ = path.write_bytes(pickle.dumps(([b"one", b"two"], [True])))
    >>> PairSource(open_pairs(path)).entries([1])
    [Entry(key=1, labels=(0, 1), name='lfw.bin: image 1')]
    """

    order = "listed"
    pixels = False
    classes: dict[str, int] | None = None

    def __init__(self, pairs: PairFile) -> None:
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self.files = [Path(pairs.path)]
        self._pairs = pairs
        self._name = Path(pairs.path).name

    def __len__(self) -> int:
        return len(self._pairs.images)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``lfw.bin: image 7`` of the images at `indices`."""
        rows = zip(indices, self.labels(indices), strict=True)
        return [Entry(int(index), labels, f"{self._name}: image {index}") for index, labels in rows]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the number of the pair and the answer for each image at `indices`."""
        return [(int(index) // 2, int(self._pairs.same[index // 2])) for index in indices]

    def contents(self, entries: Sequence[Entry]) -> list[bytes]:
        """Return the encoded images of some entries.

        Raises
        ------
        FormatError
            The file has changed.
        """
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes]:
        """See `recordkit.sample.BoundedSource`."""
        indices = [entry.key for entry in entries]
        if max_bytes is not None:
            totals = np.cumsum([self._pairs.images[index].size for index in indices])
            indices = indices[: int(np.searchsorted(totals, max_bytes, side="right"))]
        return self._pairs.read(indices)


def is_verification_set(path: str | Path) -> bool:
    """Tell whether a path is a file that ends in .bin and begins as a pickle does."""
    return Path(path).suffix.lower() == SUFFIX and is_pickle(path)


def read_verification_set(path: str | Path) -> PairSource:
    """Open a verification set. Nothing in the file is run.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    source : PairSource

    Raises
    ------
    FormatError
        The file is another pickle, or none, or has other numbers of images and answers.
    OSError
        The file cannot be read.
    """
    return PairSource(open_pairs(path))


def write_verification_set(
    source: RecordDataset | Source | Mapping[str, Source],
    path: str | Path,
    *,
    threads: int = 0,
    memory: int | str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
    on_note: Notify | None = None,
    progress: Progress | None = None,
) -> ExportReport:
    """Write the pairs of a source as a new verification set, which InsightFace's ``load_bin`` reads.

    Parameters
    ----------
    source : RecordDataset, Source, or mapping of str to Source
        Each image has two labels, the number of its pair and 1 or 0, and each number is that of two images, whose
        order is kept. A mapping must have one source.
    path : str or Path
        A new file.
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
        Called with each fact that may be unexpected, before the first image is written.
    progress : callable, optional
        Called with the number of images written since the last call.

    Returns
    -------
    report : ExportReport

    Raises
    ------
    SourceError, FormatError
        The source is empty or damaged, an image cannot be read, or the labels are not those of pairs.
    PublishError
        There is a file at `path` and `overwrite` is false, or the disk is full.

    Examples
    --------
    >>> import pickle, tempfile
    >>> from recordkit import codec
    >>> images = [codec.encode(np.full((2, 2, 3), level, np.uint8), "png") for level in (0, 9)]
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "a.bin").write_bytes(pickle.dumps((images, [True])))
    >>> report = write_verification_set(read_verification_set(folder / "a.bin"), folder / "b.bin")
    >>> pickle.loads((folder / "b.bin").read_bytes()) == (images, [True])
    True
    """
    begin_s = time.monotonic()
    n_threads, n_memory = count_threads(threads), choose_memory(memory)
    path = Path(path)
    pair_source = only_source(source)
    order, same = _arrange(pair_source)
    done = ExportedPairs(path, len(order), None, tuple(pair_source.notes), n_pairs=len(same), n_same=sum(same))
    announce([done], on_note)
    replaced = check_outputs(path, source, overwrite=overwrite, dry_run=dry_run, is_file=True)
    if not dry_run:
        engine = choose_engine("auto")(PackPlan(), pixels=pair_source.pixels)
        samples = read_samples(pair_source, engine, order=order, n_threads=n_threads, memory=n_memory)
        with contextlib.closing(samples):
            done = replace(done, n_bytes=_publish(path, pack_pairs(_payloads(samples, progress), same)))
    return ExportReport(FORMAT, (done,), time.monotonic() - begin_s, dry_run, replaced)


def _arrange(source: Source) -> tuple[Sequence[int], list[bool]]:
    """Return the images in the order of their pairs, and the answers.

    Raises
    ------
    SourceError
        The labels are not those of pairs.
    """
    n = len(source)
    labels = np.empty((n, 2))
    for begin in range(0, n, _BLOCK_SIZE):
        indices = range(begin, min(begin + _BLOCK_SIZE, n))
        for index, row in zip(indices, source.labels(indices), strict=True):
            if len(row) != 2 or row[1] not in (0, 1):
                raise _no_pair(source, index, f"the labels {', '.join(f'{label:g}' for label in row)}")
            labels[index] = row
    order = np.argsort(labels[:, 0], kind="stable")
    ordered = labels[order]
    _, first, counts = np.unique(ordered[:, 0], return_index=True, return_counts=True)
    for index in order[first[counts != 2]][:1].tolist():
        raise _no_pair(source, index, f"{plural(int(counts[counts != 2][0]), 'image')} of pair {labels[index, 0]:g}")
    answers = ordered[:, 1].reshape(-1, 2)
    for pair in np.flatnonzero(answers[:, 0] != answers[:, 1])[:1].tolist():
        raise _no_pair(source, int(order[2 * pair]), f"0 and 1 for pair {ordered[2 * pair, 0]:g}")
    return array("q", order.astype(np.int64).tobytes()), [bool(answer) for answer in answers[:, 0]]


def _no_pair(source: Source, index: int, got: str) -> SourceError:
    (entry,) = source.entries([index])
    return SourceError(
        path=source.place(entry) if isinstance(source, RecordSource) else entry.name,
        key=entry.key,
        expected="two labels, the number of a pair, which two images have, and 1 for one person or 0",
        got=got,
        advice="pack a list with the number of a pair and 1 or 0 before each path",
    )


def _payloads(samples: Iterable[list[tuple[Entry, bytes]]], progress: Progress | None) -> Iterator[bytes]:
    for block in samples:
        yield from (payload for _, payload in block)
        if progress:
            progress(len(block))


def _publish(path: Path, pieces: Iterable[bytes]) -> int:
    """Write a new file, and return its size."""
    with new_file(path) as staging, staging.create(path.name) as file:
        return sum(file.write(piece) for piece in pieces)
