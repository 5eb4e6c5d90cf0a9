"""One set of images and labels in two ubyte or .npz files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recordkit.sources.arrays.source import Array, ArraySource
from recordkit.sources.mnist.files import ArrayFile


class MnistSource(ArraySource):
    """One set: an array of images and an array of labels, each in a ubyte or .npz file.

    Parameters
    ----------
    images : str, Path or Array
        uint8, rank 3 (n, H, W), or 4 (n, H, W, C) with C 1, 3 or 4.
    labels : str, Path or Array
        Whole numbers, rank 1 (n,), or 2 (n, width) for several labels per image.
    transpose : bool
        Swap rows and columns of each image.
    classes : mapping of str to int, optional
        Names of the labels.

    Raises
    ------
    FormatError
        A file is damaged, or has another type or rank.
    SourceError
        The number of labels differs from the number of images.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from recordkit.formats import ubyte
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     images, labels = Path(folder, "images"), Path(folder, "labels")
    ...     _ = images.write_bytes(ubyte.pack(np.zeros((2, 28, 28), np.uint8)))
    ...     _ = labels.write_bytes(ubyte.pack(np.array([7, 2], np.uint8)))
    ...     MnistSource(images, labels).labels([0, 1])
    [(7,), (2,)]
    """

    def __init__(
        self,
        images: str | Path | Array,
        labels: str | Path | Array,
        *,
        transpose: bool = False,
        classes: Mapping[str, int] | None = None,
    ) -> None:
        arrays = (ArrayFile(Path(file)) if isinstance(file, str | Path) else file for file in (images, labels))
        super().__init__(*arrays, transpose=transpose, classes=classes)
