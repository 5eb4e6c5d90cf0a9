"""Survey of a .rec file before the training.

MXNet's iterator ends the whole process on a truncated file or a bad index, shuffles badly without an index, and reports
other problems as C++ stack traces. Therefore each record is read once first (about 0.2 s for 60,000 images). The frames
must be complete, each image must have the same number of labels, and the iterator must be able to decode the kind of
image. MXNet gets an index made from the offsets that the survey read, so that a missing or stale index
beside the file does no harm.

Labels may be any numbers: what they have to be depends on the network, see `recordkit.training.compatibility`.

In a file of InsightFace's layout (`recordkit.formats.insightface.faces`) the images are those that `RecordDataset`
finds, and the label is the first one, the identity. MXNet's iterators read every record as an image, so they cannot
read such a file.

Only the first few images are decoded, for their size and color.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.contents import content_kind
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import ImageError, TrainError, plural, quoted
from recordkit.formats import irheader
from recordkit.formats.frame import RecordReader, verify_advice
from recordkit.formats.insightface import faces
from recordkit.storage.fileset import Fileset
from recordkit.storage.snapshot import file_state, read_manifest, read_set
from recordkit.upkeep.scan import scan

_MXNET_DECODES = ("jpg", "png", "bmp")
# Number of images from the start of the file that decide its color, its size and the level of its border.
_N_DECODED = 16


@dataclass(frozen=True, slots=True)
class LabelFacts:
    """Facts about one of the labels that each image has.

    Attributes
    ----------
    highest : float
        Highest finite value; 0 if there is none.
    not_class : (int, float), or None
        Key of the first record whose label is no class number, a whole number from 0 on, and that label.
    not_finite : (int, float), or None
        Key of the first record whose label is NaN or infinite, and that label.
    """

    highest: float
    not_class: tuple[int, float] | None
    not_finite: tuple[int, float] | None


@dataclass(frozen=True, slots=True)
class Survey:
    """Facts about a .rec file that training needs.

    Attributes
    ----------
    path : Path
        The .rec file.
    offsets : ndarray of int64, shape (n,)
        Offset of each image's record, in bytes.
    keys : ndarray of uint64, shape (n,)
        Key of each image.
    labels : tuple of LabelFacts
        Facts about each of an image's labels.
    label_width : int
        Number of labels in a record, more than `labels` in a file of InsightFace with vectors of labels.
    classes : dict of str to int, or None
        Numbers of the classes by name, from PREFIX.json.
    n_channels : int
        3 if one of the first images has color, otherwise 1.
    sizes : tuple of (int, int)
        Different (H, W) of the first images, in order.
    border : int, 0 to 255
        Median gray level at the edges of the first images; it fills the pixels outside a shifted image.
    file_state : tuple of int
        State of the file, by `recordkit.storage.snapshot.file_state`.
    """

    path: Path
    offsets: NDArray[np.int64]
    keys: NDArray[np.uint64]
    labels: tuple[LabelFacts, ...]
    label_width: int
    classes: dict[str, int] | None
    n_channels: int
    sizes: tuple[tuple[int, int], ...]
    border: int
    file_state: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.offsets)

    def describes_file(self) -> bool:
        """Tell whether the file is still the one that was surveyed, and not one that a pack put in its place."""
        try:
            return file_state(self.path) == self.file_state
        except FileNotFoundError:
            return False

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the first image."""
        return self.n_channels, *self.sizes[0]

    @property
    def side(self) -> int | None:
        """Short side of the first images in pixels, probably from a resize; None if they differ."""
        sides = {min(size) for size in self.sizes}
        return sides.pop() if len(sides) == 1 else None


def survey(path: str | Path, *, iterator: str) -> Survey:
    """Read a whole .rec file and check its records.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix.
    iterator : {"recordkit", "mxnet", "gluon"}
        Iterator that will decode the images.

    Returns
    -------
    survey : Survey

    Raises
    ------
    OSError
        The file cannot be opened.
    FormatError
        A frame or a header is damaged, or the file is truncated.
    TrainError
        The file is empty, images have different numbers of labels, the iterator cannot decode an image's format, or the
        path is that of a manifest.
    """
    _, manifest = read_manifest(path)
    if manifest is not None:
        raise TrainError(
            path=str(path),
            expected="one .rec file",
            got=f"a dataset of {plural(len(manifest.shards), 'shard')}",
            advice=f"run 'recordkit merge {quoted(path)} PREFIX', then give PREFIX.rec",
        )
    return read_set(path, lambda files, _: _survey(files, path, iterator))


def _survey(files: Fileset, path: str | Path, iterator: str) -> Survey:
    file = files.path(".rec")
    if not file.exists() and Path(path).is_dir():
        advice = f"run 'recordkit pack {quoted(path)} PREFIX', then give PREFIX.rec"
        raise TrainError(path=str(path), expected="a .rec file", got="a folder", advice=advice)
    records = _Records()
    first_images: list[tuple[int, memoryview]] = []  # keys and payloads
    metadata: list[int] = []  # offsets
    with RecordReader(file) as reader:
        state = file_state(file)
        for offset, header, payload in scan(reader):
            if faces.is_metadata(header, payload):
                metadata.append(offset)
                continue
            _check_payload(payload, iterator, file, offset)
            records.add(offset, header)
            if len(first_images) < _N_DECODED:
                first_images.append((header.id, payload))
    if metadata:
        _check_metadata(metadata, records, file, iterator)
    if not records.offsets:
        raise TrainError(path=str(file), expected="images", got="an empty file", advice="pack images into it")
    width = records.label_width(file)
    table = np.array(records.labels)[:, :1] if metadata else np.array(records.labels)
    labels = tuple(_facts(column, records.keys) for column in table.T)
    n_channels, sizes, border = _decode_first(first_images, file)
    offsets = np.array(records.offsets, np.int64)
    keys = np.array(records.keys, np.uint64)
    return Survey(file, offsets, keys, labels, width, files.classes(), n_channels, sizes, border, state)


class _Records:
    """Offset, key and labels of each image."""

    def __init__(self) -> None:
        self.offsets: list[int] = []
        self.keys: list[int] = []
        self.labels: list[tuple[float, ...]] = []

    def add(self, offset: int, header: irheader.IRHeader) -> None:
        self.offsets.append(offset)
        self.keys.append(header.id)
        self.labels.append(header.labels)

    def keep(self, offsets: NDArray[np.int64]) -> None:
        """Leave out the records at other offsets."""
        rows = np.flatnonzero(np.isin(self.offsets, offsets)).tolist()
        self.offsets = [self.offsets[row] for row in rows]
        self.keys = [self.keys[row] for row in rows]
        self.labels = [self.labels[row] for row in rows]

    def label_width(self, file: Path) -> int:
        """Return the number of labels of an image; raise TrainError if images have different numbers."""
        width = len(self.labels[0])
        for key, labels in zip(self.keys, self.labels, strict=True):
            if len(labels) != width:
                expected = f"{plural(width, 'label')} as in the first record"
                raise TrainError(path=str(file), key=key, expected=expected, got=len(labels))
        return width


def _check_metadata(metadata: list[int], records: _Records, file: Path, iterator: str) -> None:
    """Keep the images that `RecordDataset` finds; refuse records without an image that are not InsightFace's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the iterator warns of the index
        with RecordDataset(file) as dataset:
            samples = dataset.offsets.astype(np.int64)
    if (without_image := np.intersect1d(metadata, samples)).size:
        raise _no_image(file, int(without_image[0]), "no image, and no header of InsightFace in the file")
    records.keep(samples)
    if iterator != "recordkit":
        raise TrainError(
            path=str(file),
            offset=metadata[0],
            expected="an image in every record, as MXNet's iterators do",
            got="InsightFace's header or identity",
            advice="give `iterator=recordkit`",
        )


def _facts(labels: NDArray[np.float64], keys: list[int]) -> LabelFacts:
    is_finite = np.isfinite(labels)
    is_class = is_finite & (labels >= 0) & (np.floor(labels) == labels)
    finite = labels[is_finite]
    not_class, not_finite = (
        (keys[bad[0]], float(labels[bad[0]])) if len(bad) else None
        for bad in (np.flatnonzero(~is_class), np.flatnonzero(~is_finite))
    )
    return LabelFacts(float(np.max(finite)) if len(finite) else 0.0, not_class, not_finite)


def _check_payload(payload: memoryview, iterator: str, file: Path, offset: int) -> None:
    image_format = codec.sniff(payload)
    if image_format in ("empty", "unknown"):
        kind = content_kind(payload)
        raise _no_image(file, offset, f"{kind} bytes" if kind == image_format else kind)
    if iterator != "recordkit" and image_format not in _MXNET_DECODES:
        raise TrainError(
            path=str(file),
            offset=offset,
            expected=f"an image that MXNet decodes ({', '.join(_MXNET_DECODES)})",
            got=image_format,
            advice="give `iterator=recordkit`, or pack the images as png",
        )


def _no_image(file: Path, offset: int, got: str) -> TrainError:
    return TrainError(
        path=str(file), offset=offset, expected="an image", got=got, advice=verify_advice(file, decode=True)
    )


def _decode_first(first: list[tuple[int, memoryview]], file: Path) -> tuple[int, tuple[tuple[int, int], ...], int]:
    """Return channels, sizes and border level of the first images; see `Survey`."""
    images = []
    for key, payload in first:
        try:
            images.append(codec.decode(payload, channels="keep"))
        except ImageError as error:
            advice = verify_advice(file, decode=True)
            raise TrainError(error.problem, path=str(file), key=key, advice=advice) from None
    n_channels = 3 if any(image.shape[2] > 1 for image in images) else 1
    sizes = tuple(dict.fromkeys((image.shape[0], image.shape[1]) for image in images))
    edges = [np.concatenate([image[[0, -1]].ravel(), image[:, [0, -1]].ravel()]) for image in images]
    return n_channels, sizes, int(np.median(np.concatenate(edges)))
