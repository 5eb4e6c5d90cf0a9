"""One set of images and labels, each an array in memory or in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import FormatError, SourceError, plural
from recordkit.sample import BadEntry, Entry, Image


class PixelReader:
    """Images in memory.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, H, W, C)
    keys : sequence of int, optional
        Key of each image; by default its position.
    """

    def __init__(self, images: NDArray[Any], keys: Sequence[int] | None = None) -> None:
        self._images = images
        self._positions = None if keys is None else {key: position for position, key in enumerate(keys)}

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[Image]:
        """See `recordkit.sample.BoundedSource`."""
        if max_bytes is not None:
            entries = entries[: max_bytes // max(1, self._images[:1].nbytes)]
        positions = self._positions
        rows = [entry.key if positions is None else positions[entry.key] for entry in entries]
        return [cast("Image", np.ascontiguousarray(self._images[row])) for row in rows]


class Array(Protocol):
    """An array in a file or in memory, and the path for messages."""

    @property
    def path(self) -> Path: ...  # noqa: D102 (described above)

    def read(self) -> NDArray[Any]:
        """Return the array."""


class ArraySource:
    """One set: an array of images and an array of labels.

    Parameters
    ----------
    images : Array
        uint8, rank 3 (n, H, W), or 4 (n, H, W, C) with C 1, 3 or 4.
    labels : Array
        Whole numbers, rank 1 (n,), or 2 (n, width) for several labels per image.
    transpose : bool
        Swap rows and columns of each image.
    classes : mapping of str to int, optional
        Names of the labels.

    Raises
    ------
    FormatError
        An array cannot be read, or has another type or rank.
    SourceError
        The number of labels differs from the number of images.
    """

    order = "published"
    pixels = True

    def __init__(
        self, images: Array, labels: Array, *, transpose: bool = False, classes: Mapping[str, int] | None = None
    ) -> None:
        pixels, numbers = _read_images(images), _read_labels(labels)
        if len(pixels) != len(numbers):
            raise SourceError(
                path=str(images.path),
                expected="as many labels as images",
                got=f"{plural(len(numbers), 'label')} and {plural(len(pixels), 'image')}",
            )
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self.path = images.path
        self.classes = dict(classes) if classes else None
        self._name = images.path.name.removesuffix(".gz").removesuffix(".xz")
        self._images = pixels.swapaxes(1, 2) if transpose else pixels
        self._labels = numbers

    def __len__(self) -> int:
        return len(self._images)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train-images-idx3-ubyte/00007`` of the images at `indices`."""
        rows = zip(indices, self.labels(indices), strict=True)
        return [Entry(key, row, f"{self._name}/{key:05d}") for key, row in rows]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the images at `indices`."""
        return list(map(tuple, self._labels[np.asarray(indices, np.int64)].tolist()))

    def contents(self, entries: Sequence[Entry]) -> list[Image]:
        """Return the images of some entries. Unless they are transposed, they are views of the file's pixels."""
        return self.first_contents(entries, None)

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> list[Image]:
        """See `recordkit.sample.BoundedSource`."""
        return PixelReader(self._images).first_contents(entries, max_bytes)

    def reader(self, indices: Sequence[int]) -> PixelReader:
        """See `recordkit.sample.PortableSource`. It has the pixels, so the files need not be shared."""
        return PixelReader(self._images[np.asarray(indices, np.int64)], indices)


def _read_images(file: Array) -> NDArray[Any]:
    """Return the images with shape (n, H, W, C)."""
    pixels = file.read()
    if pixels.dtype != np.uint8 or not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] in (1, 3, 4))):
        raise FormatError(
            path=str(file.path),
            expected="images, uint8 of shape (n, H, W) or (n, H, W, C)",
            got=f"{pixels.dtype.name} of shape {pixels.shape}",
            advice=_advice(pixels),
        )
    return pixels if pixels.ndim == 4 else pixels[..., None]


def _advice(pixels: NDArray[Any]) -> str | None:
    """Return what makes an array one of images, if its type or its shape tells."""
    if pixels.ndim == 1:
        return "are images and labels swapped?"
    if pixels.ndim == 4 and pixels.shape[1] in (1, 3, 4) and pixels.shape[3] not in (1, 3, 4):
        return "channels come last: images.transpose(0, 2, 3, 1)"
    if pixels.dtype.kind == "f":
        return "pixels from 0 to 1 become levels by (images * 255).round().astype('uint8')"
    return None


def _read_labels(file: Array) -> NDArray[Any]:
    """Return the labels with shape (n, width)."""
    numbers = file.read()
    if numbers.dtype.kind not in "iu" or numbers.ndim not in (1, 2):
        raise FormatError(
            path=str(file.path),
            expected="labels, whole numbers of rank 1",
            got=f"{numbers.dtype} of rank {numbers.ndim}",
        )
    return numbers[:, None] if numbers.ndim == 1 else numbers
