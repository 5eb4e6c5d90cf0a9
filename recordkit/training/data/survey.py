"""Look a .rec file through before it is learnt from.

MXNet's iterator ends the whole process on a truncated file and on a bad index, shuffles badly without an index,
and reports the rest as C++ stack traces. So each record is read once first (about 0.2 s for 60,000 images): the
frames must be whole, the labels must be whole numbers, as many for each image, the images must be of a kind that
MXNet's wheel decodes. The offsets found on the way become the index that MXNet is given, so an index beside the file
cannot be missing, stale or of another file.

The images themselves are not decoded, except the first few, for their size and colour.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.errors import FormatError, ImageError, TrainError
from recordkit.formats.fileset import Fileset
from recordkit.formats.frame import RecordReader
from recordkit.formats.irheader import unpack

_MXNET_DECODES = ("jpg", "png", "bmp")
# So many images from the start of the file tell whether it is gray, and the colour of the border.
_N_LOOKED_AT = 16


@dataclass(frozen=True, slots=True)
class Survey:
    """What is in a .rec file, as far as training needs it.

    Attributes
    ----------
    path : Path
        The .rec file.
    offsets : ndarray of int64, shape (n,)
        Of each record, in bytes.
    max_labels : tuple of int
        The highest of each of an image's labels.
    classes : dict of str to int, or None
        Numbers of the classes by name, from PREFIX.json.
    n_channels : int
        3 if one of the first images has colour, else 1.
    sizes : tuple of (int, int)
        (H, W) of the first images, each once, in order.
    border : int, 0 to 255
        The usual gray level at the edge of the first images: what lies outside a shifted image.
    """

    path: Path
    offsets: NDArray[np.int64]
    max_labels: tuple[int, ...]
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
        """The short side of the first images in pixels, if all have the same: what they were resized to, probably."""
        sides = {min(size) for size in self.sizes}
        return sides.pop() if len(sides) == 1 else None


def survey(path: str | Path, *, iterator: str, labelled: bool = True) -> Survey:
    """Read a .rec file through.

    Parameters
    ----------
    path : str or Path
        The .rec file, or its prefix.
    iterator : {"recordkit", "mxnet", "gluon"}
        What is to decode it.
    labelled : bool
        Look at the labels; else they may be anything.

    Returns
    -------
    survey : Survey

    Raises
    ------
    OSError
        The file cannot be opened.
    FormatError
        A frame or a header is damaged, or the file is cut short.
    TrainError
        The file is empty; a label is not a whole number from 0, or images have different numbers of labels; an image is
        of a kind that the iterator cannot decode.
    """
    file = Fileset(path).path(".rec")
    if not file.exists() and Path(path).is_dir():
        raise TrainError(f"{path}: expected a .rec file, got a folder; make one of it with recordkit pack")
    offsets: list[int] = []
    firsts: list[memoryview] = []
    max_labels: tuple[int, ...] = ()
    with RecordReader(file) as reader:
        for offset, record in reader.scan():
            where = f"{file}: record {len(offsets)} (byte {offset})"
            labels, payload = _checked(record, where, iterator, labelled=labelled)
            if max_labels and len(labels) != len(max_labels):
                raise TrainError(
                    f"{where}: expected {len(max_labels)} labels as in the first record, got {len(labels)}"
                )
            max_labels = tuple(map(max, max_labels or labels, labels))
            offsets.append(offset)
            if len(firsts) < _N_LOOKED_AT:
                firsts.append(payload)
    if not offsets:
        raise TrainError(f"{file}: expected images, got an empty file; pack it again")
    n_channels, sizes, border = _look(firsts, file)
    return Survey(file, np.array(offsets, np.int64), max_labels, Fileset(file).classes(), n_channels, sizes, border)


def _checked(record: bytes, where: str, iterator: str, *, labelled: bool) -> tuple[tuple[int, ...], memoryview]:
    try:
        header, payload = unpack(record)
    except FormatError as error:
        raise FormatError(f"{where}: {error}") from None
    labels = header.labels if labelled else (0.0,) * len(header.labels)
    for label in labels:
        if not (label >= 0 and label.is_integer()):
            raise TrainError(f"{where}: expected a class number as label, got {label:g}; number the classes from 0")
    kind = codec.sniff(payload)
    if iterator != "recordkit" and kind not in _MXNET_DECODES:
        raise TrainError(
            f"{where}: MXNet decodes {', '.join(_MXNET_DECODES)}, got {kind}; "
            "give --iterator recordkit, or pack the images with --encoding png"
        )
    if kind in ("empty", "unknown"):
        raise TrainError(f"{where}: expected an image, got {kind} bytes; run 'recordkit verify'")
    return tuple(map(int, labels)), payload


def _look(payloads: list[memoryview], file: Path) -> tuple[int, tuple[tuple[int, int], ...], int]:
    try:
        images = [codec.decode(payload, channels="keep") for payload in payloads]
    except ImageError as error:
        raise TrainError(f"{file}: {error}; run 'recordkit verify {file}'") from None
    n_channels = 3 if any(image.shape[2] > 1 for image in images) else 1
    sizes = tuple(dict.fromkeys((image.shape[0], image.shape[1]) for image in images))
    edges = [np.concatenate([image[[0, -1]].ravel(), image[:, [0, -1]].ravel()]) for image in images]
    return n_channels, sizes, int(np.median(np.concatenate(edges)))
