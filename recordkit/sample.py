"""What flows from a source to a packed file: samples, and anything that has them by position."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError

Image = NDArray[np.uint8]
"""uint8, shape (H, W, C), C 1 (gray), 3 (RGB) or 4 (RGB and alpha)."""

# 2**30 / 4 / 3: Pillow's own limit, a quarter of a GiB of RGB. A file of a few kB can ask for far more than that.
MAX_PIXELS = 89_478_485


def check_size(width: int, height: int) -> None:
    """Refuse an image, or the result of a resize, that has too many pixels or none.

    Raises
    ------
    ImageError
        Fewer than 1 or more than `MAX_PIXELS`.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(f"expected 1 to {MAX_PIXELS} pixels, got {width} x {height}; make the image smaller")


class Sample(NamedTuple):
    """What one record holds.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    label : float, int, or ndarray of float32 or int64, shape (w,)
        One label, or an array of several; whole numbers where the set has exact labels.
    payload : memoryview of uint8, shape (n,)
        The encoded image.
    """

    key: int
    label: float | NDArray[np.float32] | NDArray[np.int64]
    payload: memoryview


class Entry(NamedTuple):  # a tuple, because a data class takes four times as long to make, and there are millions
    """A sample without its content: what a row of a .lst file says.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    labels : tuple of float or int
        At least one.
    name : str
        The path in the .lst file, and in messages.
    """

    key: int
    labels: tuple[float, ...]
    name: str


class Source(Protocol):
    """Where samples come from: a length, the entries at each position, and the content that goes with an entry.

    Threads call `entries` and `content` at the same time, in any order and more than once; both give the same
    answer each time.

    Attributes
    ----------
    order : {"walked", "published", "listed"}
        Who decided the order: nobody (a walk over folders), the makers of the dataset, or the user's list.
    classes : dict of str to int, or None
        Class name to label, where the source knows names.
    bad : sequence of (place, reason)
        Rows and files that could not become entries.
    notes : sequence of str
        Not wrong, but perhaps a surprise.
    pixels : bool
        Whether `contents` gives pixels.
    """

    @property
    def order(self) -> str: ...  # noqa: D102
    @property
    def classes(self) -> dict[str, int] | None: ...  # noqa: D102
    @property
    def bad(self) -> list[tuple[str, str]]: ...  # noqa: D102
    @property
    def notes(self) -> list[str]: ...  # noqa: D102
    @property
    def pixels(self) -> bool: ...  # noqa: D102

    def __len__(self) -> int: ...

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return the entries at some positions, each 0 to len - 1."""

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels at some positions: those of `entries`, for less where the source can."""

    def contents(self, entries: Sequence[Entry]) -> Sequence[bytes | Image | ImageError]:
        """Return the encoded images that entries of this source name, or pixels where the source holds pixels.

        What cannot be read is an error that says why, in place of the image.
        """
