"""Survey of a .rec file before the training.

MXNet's iterator ends the whole process on a truncated file or a bad index, shuffles badly without an index, and reports
other problems as C++ stack traces. Therefore each record is read once first (about 0.2 s for 60,000 images). The frames
must be complete, each image must have the same number of labels, and the iterator must be able to decode the kind of
image. MXNet gets an index made from the offsets that the survey read, so that a missing or stale index
beside the file does no harm.

Labels may be any numbers: what they have to be depends on the network, see `recordkit.training.compatibility`.

Only the first few images are decoded, for their size and color.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import ImageError, TrainError
from recordkit.formats.fileset import Fileset
from recordkit.formats.frame import RecordReader
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
        Offset of each record, in bytes.
    labels : tuple of LabelFacts
        Facts about each of an image's labels.
    classes : dict of str to int, or None
        Numbers of the classes by name, from PREFIX.json.
    n_channels : int
        3 if one of the first images has color, otherwise 1.
    sizes : tuple of (int, int)
        Different (H, W) of the first images, in order.
    border : int, 0 to 255
        Median gray level at the edges of the first images; it fills the pixels outside a shifted image.
    """

    path: Path
    offsets: NDArray[np.int64]
    labels: tuple[LabelFacts, ...]
    classes: dict[str, int] | None
    n_channels: int
    sizes: tuple[tuple[int, int], ...]
    border: int

    def __len__(self) -> int:
        return len(self.offsets)

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
        The file is empty, images have different numbers of labels, or the iterator cannot decode an image's format.
    """
    file = Fileset(path).path(".rec")
    if not file.exists() and Path(path).is_dir():
        raise TrainError(
            path=str(path), expected="a .rec file", got="a folder", advice="pack the folder with recordkit pack"
        )
    offsets: list[int] = []
    keys: list[int] = []
    rows: list[tuple[float, ...]] = []
    first_payloads: list[memoryview] = []
    with RecordReader(file) as reader:
        for offset, header, payload in scan(reader):
            try:
                _check_payload(payload, iterator)
                if rows and len(header.labels) != len(rows[0]):
                    raise TrainError(expected=f"{len(rows[0])} labels as in the first record", got=len(header.labels))
            except TrainError as error:
                raise error.located(path=str(file), offset=offset) from None
            rows.append(header.labels)
            offsets.append(offset)
            keys.append(header.id)
            if len(first_payloads) < _N_DECODED:
                first_payloads.append(payload)
    if not offsets:
        raise TrainError(path=str(file), expected="images", got="an empty file", advice="pack it again")
    labels = tuple(_facts(column, keys) for column in np.array(rows).T)
    n_channels, sizes, border = _decode_first(first_payloads, file)
    return Survey(file, np.array(offsets, np.int64), labels, Fileset(file).classes(), n_channels, sizes, border)


def _facts(labels: NDArray[np.float64], keys: list[int]) -> LabelFacts:
    is_finite = np.isfinite(labels)
    is_class = is_finite & (labels >= 0) & (np.floor(labels) == labels)
    finite = labels[is_finite]
    not_class, not_finite = (
        (keys[bad[0]], float(labels[bad[0]])) if len(bad) else None
        for bad in (np.flatnonzero(~is_class), np.flatnonzero(~is_finite))
    )
    return LabelFacts(float(np.max(finite)) if len(finite) else 0.0, not_class, not_finite)


def _check_payload(payload: memoryview, iterator: str) -> None:
    image_format = codec.sniff(payload)
    if iterator != "recordkit" and image_format not in _MXNET_DECODES:
        raise TrainError(
            expected=f"an image that MXNet decodes ({', '.join(_MXNET_DECODES)})",
            got=image_format,
            advice="give `iterator=recordkit`, or pack the images as png",
        )
    if image_format in ("empty", "unknown"):
        raise TrainError(expected="an image", got=f"{image_format} bytes", advice="run 'recordkit verify'")


def _decode_first(payloads: list[memoryview], file: Path) -> tuple[int, tuple[tuple[int, int], ...], int]:
    """Return channels, sizes and border level of the first images; see `Survey`."""
    try:
        images = [codec.decode(payload, channels="keep") for payload in payloads]
    except ImageError as error:
        raise TrainError(error.problem, path=str(file), advice=f"run 'recordkit verify {file}'") from None
    n_channels = 3 if any(image.shape[2] > 1 for image in images) else 1
    sizes = tuple(dict.fromkeys((image.shape[0], image.shape[1]) for image in images))
    edges = [np.concatenate([image[[0, -1]].ravel(), image[:, [0, -1]].ravel()]) for image in images]
    return n_channels, sizes, int(np.median(np.concatenate(edges)))
