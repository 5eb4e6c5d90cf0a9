"""MNIST and datasets of the same format: a folder of ubyte files, plain or .gz, as one source per split.

The files are named ``train-images-idx3-ubyte`` and so on; ``t10k`` is the test split. Some archives have a dot instead
of the dash before ``idx``, which is accepted too. The format of the files is in `recordkit.formats.ubyte`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np

from recordkit.errors import FormatError, SourceError
from recordkit.formats import ubyte
from recordkit.sample import BadEntry, Entry, Image

_SPLIT_NAMES = {"train": "train", "t10k": "test"}  # by prefix of the file name


class MnistSource:
    """One split: a ubyte file of images and a ubyte file of labels.

    Parameters
    ----------
    images : str or Path
        uint8, rank 3 (n, H, W), or 4 (n, H, W, C) with C 1, 3 or 4.
    labels : str or Path
        Whole numbers, rank 1 (n,), or 2 (n, width) for several labels per image.

    Raises
    ------
    FormatError
        A file is damaged, or has another type or rank.
    SourceError
        The number of labels differs from the number of images.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images, labels = Path(folder, "images"), Path(folder, "labels")
    ...     _ = images.write_bytes(ubyte.pack(np.zeros((2, 28, 28), np.uint8)))
    ...     _ = labels.write_bytes(ubyte.pack(np.array([7, 2], np.uint8)))
    ...     MnistSource(images, labels).labels([0, 1])
    [(7,), (2,)]
    """

    order = "published"
    classes = None
    pixels = True

    def __init__(self, images: str | Path, labels: str | Path) -> None:
        pixels = ubyte.read(images)
        numbers = ubyte.read(labels)
        if pixels.dtype != np.uint8 or not (pixels.ndim == 3 or (pixels.ndim == 4 and pixels.shape[3] in (1, 3, 4))):
            raise FormatError(
                path=str(images),
                expected="images, uint8 of rank 3",
                got=f"{pixels.dtype} of rank {pixels.ndim}",
                advice="are images and labels swapped?",
            )
        if numbers.dtype.kind not in "iu" or numbers.ndim not in (1, 2):
            raise FormatError(
                path=str(labels),
                expected="labels, whole numbers of rank 1",
                got=f"{numbers.dtype} of rank {numbers.ndim}",
            )
        if len(pixels) != len(numbers):
            raise SourceError(
                path=str(images),
                expected="as many labels as images",
                got=f"{len(numbers)} labels and {len(pixels)} images",
            )
        self.bad: list[BadEntry] = []
        self.notes: list[str] = []
        self.path = Path(images)
        self._images = pixels if pixels.ndim == 4 else pixels[..., None]
        self._labels = numbers.reshape(len(numbers), -1)

    def __len__(self) -> int:
        return len(self._images)

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return keys, labels and names such as ``train-images-idx3-ubyte/00007`` of the images at `indices`."""
        name = self.path.name.removesuffix(".gz")
        return [Entry(key, row, f"{name}/{key:05d}") for key, row in zip(indices, self.labels(indices), strict=True)]

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the images at `indices`."""
        return list(map(tuple, self._labels[np.asarray(indices, np.int64)].tolist()))

    def contents(self, entries: Sequence[Entry]) -> list[Image]:
        """Return the images of some entries, as views of the file's pixels."""
        return [cast("Image", self._images[entry.key]) for entry in entries]


def open_splits(folder: str | Path) -> dict[str, MnistSource]:
    """Open the splits in a folder of ubyte files.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    splits : dict of {"train", "test"} to MnistSource
        Empty if the folder has no ubyte files.

    Raises
    ------
    SourceError
        A split has images but no labels, or labels but no images.
    """
    splits: dict[str, MnistSource] = {}
    for prefix, name in _SPLIT_NAMES.items():
        images, labels = _find_file(Path(folder), prefix, "images"), _find_file(Path(folder), prefix, "labels")
        if (images is None) != (labels is None):
            missing = "images-idx3" if images is None else "labels-idx1"
            raise SourceError(
                path=str(folder), expected=f"{prefix}-{missing}-ubyte beside {images or labels}", got="no such file"
            )
        if images is not None and labels is not None:
            splits[name] = MnistSource(images, labels)
    return splits


def has_ubyte_files(folder: str | Path) -> bool:
    """Return whether a folder has ubyte files of images or labels, even if others are missing."""
    return any(_find_file(Path(folder), prefix, kind) for prefix in _SPLIT_NAMES for kind in ("images", "labels"))


def _find_file(folder: Path, prefix: str, kind: str) -> Path | None:
    for suffix in ("", ".gz"):
        for separator in "-.":
            matches = sorted(folder.glob(f"*{prefix}-{kind}{separator}idx[0-9]-ubyte{suffix}"))
            if matches:
                return matches[0]
    return None
