"""The rows of a Ray dataset as a source of samples, whose images stay in Ray's object store.

The driver has keys, labels and checksums of the images alone, 24 bytes for each row.
"""

from __future__ import annotations

import hashlib
import itertools
import zlib
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recordkit.cluster.library import import_ray
from recordkit.errors import ImageError, SourceError
from recordkit.sample import BadEntry, Entry, Image

KEY, LABEL, CLASS, IMAGE = "key", "label", "class", "image"


class BlockFacts(NamedTuple):
    """The facts about the rows of a block that the driver needs.

    Attributes
    ----------
    keys : ndarray of uint64, shape (n,), or None
        None if there is no such column.
    labels : ndarray of float64 or int64, shape (m,)
        The labels of all rows, concatenated.
    widths : ndarray of int64, shape (n,)
        Number of labels of each row.
    checksums : ndarray of uint32, shape (n,)
        CRC-32 of the image's bytes, or of its pixels.
    classes : dict of str to set of int
        Labels by class name, if there is such a column.
    pixels : bool or None
        The images are arrays; None if there are no rows.
    """

    keys: NDArray[np.uint64] | None
    labels: NDArray[Any]
    widths: NDArray[np.int64]
    checksums: NDArray[np.uint32]
    classes: dict[str, set[float]]
    pixels: bool | None


class BlockSource:
    """The rows of a Ray dataset, which is executed here, as a source that tasks can read.

    Parameters
    ----------
    dataset : ray.data.Dataset
        See `recordkit.cluster.writing.write`.
    classes : mapping of str to int, optional

    Attributes
    ----------
    content_digest : str
        SHA-256 of the checksums of all images.

    Raises
    ------
    SourceError
        A column is missing or of another type, a key is there twice, a class has two labels, or there are no rows.
    """

    order = "listed"

    def __init__(self, dataset: Any, classes: Mapping[str, int] | None = None) -> None:
        ray = import_ray()
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self._blocks = _execute(dataset)
        describe = ray.remote(describe_block)
        facts: list[BlockFacts] = _get_all(ray, [describe.remote(block) for block in self._blocks])
        sizes = [len(each.widths) for each in facts]
        if not sum(sizes):
            raise SourceError("the dataset has no rows")
        self._starts = np.array([0, *itertools.accumulate(sizes)])
        self.pixels = _only_kind(facts)
        self._keys = _join_keys(facts, sum(sizes))
        self._values = np.concatenate([each.labels for each in facts if len(each.labels)])
        self._bounds = np.array([0, *np.cumsum(np.concatenate([each.widths for each in facts])).tolist()])
        self.content_digest = hashlib.sha256(b"".join(each.checksums.tobytes() for each in facts)).hexdigest()
        self.classes = _join_classes(facts) if classes is None else dict(classes)

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``row 7`` of the rows at `indices`."""
        keys = self._keys[np.asarray(indices, np.int64)].tolist()
        return [
            Entry(key, row, f"row {index}") for key, row, index in zip(keys, self.labels(indices), indices, strict=True)
        ]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the rows at `indices`."""
        rows = np.asarray(indices, np.int64)
        bounds = zip(self._bounds[rows].tolist(), self._bounds[rows + 1].tolist(), strict=True)
        return [tuple(self._values[begin:end].tolist()) for begin, end in bounds]

    def contents(self, entries: Sequence[Entry]) -> Sequence[bytes | Image | ImageError]:
        """Return the images of some rows."""
        return self.reader([_row_of(entry) for entry in entries]).first_contents(entries, None)

    def reader(self, indices: Sequence[int]) -> BlockReader:
        """See `recordkit.sample.PortableSource`. It has references to the blocks with these rows."""
        numbers = np.unique(np.searchsorted(self._starts, np.asarray(indices, np.int64), "right") - 1)
        return BlockReader([(int(self._starts[n]), self._blocks[n]) for n in numbers.tolist()])


class BlockReader:
    """Reads the images of rows from blocks in Ray's object store.

    Parameters
    ----------
    blocks : list of (int, ObjectRef)
        For each block, in their order, the number of its first row.
    """

    def __init__(self, blocks: list[tuple[int, Any]]) -> None:
        self._starts = [start for start, _ in blocks]
        self._blocks = [block for _, block in blocks]
        self._images: tuple[int, Any] = (-1, None)  # of the block that was read last
        self._lock = Lock()

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[bytes | Image | ImageError]:
        """See `recordkit.sample.BoundedSource`."""
        contents: list[bytes | Image | ImageError] = []
        n_bytes = 0
        for row in map(_row_of, entries):
            number = int(np.searchsorted(self._starts, row, "right")) - 1
            image = _as_content(self._read(number)[row - self._starts[number]])
            n_bytes += _size(image)
            if max_bytes is not None and n_bytes > max_bytes:
                break
            contents.append(image)
        return contents

    def _read(self, number: int) -> Any:
        with self._lock:
            if self._images[0] != number:
                block = import_ray().get(self._blocks[number])
                self._images = number, _columns(block, [IMAGE])[IMAGE]
            return self._images[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"_starts": self._starts, "_blocks": self._blocks}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(list(zip(state["_starts"], state["_blocks"], strict=True)))  # type: ignore[misc]  # makes the rest


def describe_block(block: Any) -> BlockFacts:
    """Return the facts about a block. This is a task."""
    names = [name for name in (KEY, LABEL, CLASS, IMAGE) if name in block.column_names]
    for name in (LABEL, IMAGE):
        if len(block) and name not in names:
            raise SourceError(expected=f"a column {name!r}", got=", ".join(block.column_names) or "none")
    if not len(block):
        empty = np.zeros(0, np.int64)
        return BlockFacts(None, empty, empty, np.zeros(0, np.uint32), {}, None)
    columns = _columns(block, names)
    images = columns[IMAGE]
    checksums = np.array([_checksum(image) for image in images], np.uint32)
    rows = [np.atleast_1d(label) for label in columns[LABEL]]
    labels = np.concatenate(rows)
    if labels.dtype.kind not in "iufb":
        raise SourceError(expected=f"numbers as the column {LABEL!r}", got=str(labels.dtype))
    labels = labels.astype(np.int64 if labels.dtype.kind in "iub" else np.float64)
    widths = np.array([len(row) for row in rows], np.int64)
    classes: dict[str, set[float]] = {}
    for name, row in zip(columns.get(CLASS, ()), rows, strict=False):
        if name is not None:
            classes.setdefault(str(name), set()).add(float(row[0]))
    keys = None
    if KEY in columns:
        keys = columns[KEY]
        if keys.dtype.kind not in "iu" or (keys.dtype.kind == "i" and keys.min() < 0):
            raise SourceError(expected=f"whole numbers from 0 on as the column {KEY!r}", got=str(keys.dtype))
        keys = keys.astype(np.uint64)
    return BlockFacts(keys, labels, widths, checksums, classes, isinstance(images[0], np.ndarray))


def _checksum(image: Any) -> int:
    return zlib.crc32(np.ascontiguousarray(image) if isinstance(image, np.ndarray) else image or b"")


def _execute(dataset: Any) -> list[Any]:
    """Run a dataset in its order, and return references to its blocks as Arrow tables."""
    options = dataset.context.execution_options
    keeps_order, options.preserve_order = options.preserve_order, True
    try:
        blocks: list[Any] = dataset.materialize().to_arrow_refs()
    finally:
        options.preserve_order = keeps_order
    return blocks


def _get_all(ray: Any, references: list[Any]) -> list[Any]:
    """Return the results of tasks; an error of recordkit comes as itself."""
    try:
        results: list[Any] = ray.get(references)
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, SourceError):
            raise error.cause from error
        raise
    return results


def _columns(block: Any, names: list[str]) -> dict[str, NDArray[Any]]:
    """Return columns as NumPy arrays, one row each; Ray knows its tensors."""
    block_module = import_ray("ray.data.block")
    columns: dict[str, NDArray[Any]] = block_module.BlockAccessor.for_block(block.select(names)).to_numpy(names)
    return columns


def _as_content(image: Any) -> bytes | Image | ImageError:
    if isinstance(image, np.ndarray):
        pixels = image[..., None] if image.ndim == 2 else image
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
            return ImageError(expected="uint8 of shape (H, W) or (H, W, 1, 3 or 4)", got=f"{image.dtype} {image.shape}")
        return np.ascontiguousarray(pixels)
    return ImageError(expected="an image", got="null") if image is None else bytes(image)


def _size(image: bytes | Image | ImageError) -> int:
    return 0 if isinstance(image, ImageError) else image.nbytes if isinstance(image, np.ndarray) else len(image)


def _row_of(entry: Entry) -> int:
    return int(entry.name.removeprefix("row "))


def _only_kind(facts: Sequence[BlockFacts]) -> bool:
    kinds = {each.pixels for each in facts} - {None}
    if len(kinds) > 1:
        raise SourceError(expected=f"encoded images or arrays as the column {IMAGE!r}", got="both")
    return kinds == {True}


def _join_keys(facts: Sequence[BlockFacts], n: int) -> NDArray[np.uint64]:
    """Return the keys of all rows, which are different; the row numbers if there are none."""
    if all(each.keys is None for each in facts):
        return np.arange(n, dtype=np.uint64)
    keys = np.concatenate([each.keys for each in facts if each.keys is not None])
    order = np.argsort(keys, kind="stable")
    repeated = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
    if repeated.size:
        first, second = order[repeated[0]], order[repeated[0] + 1]
        raise SourceError(
            key=int(keys[first]),
            expected=f"each number once in the column {KEY!r}",
            got=f"it in the rows {first} and {second}",
            advice="drop the column, and the keys are the numbers of the rows",
        )
    return keys


def _join_classes(facts: Sequence[BlockFacts]) -> dict[str, int] | None:
    classes: dict[str, set[float]] = {}
    for each in facts:
        for name, labels in each.classes.items():
            classes.setdefault(name, set()).update(labels)
    for name, labels in classes.items():
        if len(labels) > 1 or not next(iter(labels)).is_integer():
            got = ", ".join(f"{label:g}" for label in sorted(labels))
            raise SourceError(expected=f"one whole label for the class {name!r}", got=got)
    pairs = sorted((int(next(iter(labels))), name) for name, labels in classes.items())
    return {name: label for label, name in pairs} or None
