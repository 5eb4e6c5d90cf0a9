"""Images, the entries of what is to be packed, and the protocol of the sources that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError

Image = NDArray[np.uint8]
"""uint8, shape (H, W, C), C 1 (gray), 3 (RGB) or 4 (RGB and alpha)."""

MAX_PIXELS = 89_478_485
"""Largest image: 2**30 / 4 / 3 pixels, a quarter of a GiB of RGB, which is Pillow's limit too. Without a limit, a file
of a few kB could claim far more memory."""


def check_size(width: int, height: int, *, advice: str = "make the image smaller") -> None:
    """Refuse an image, or the result of a resize, that has no pixels or too many.

    Parameters
    ----------
    width, height : int
        Size in pixels.
    advice : str
        What to do if there are too many pixels, for the error.

    Raises
    ------
    ImageError
        The image has fewer than 1 or more than `MAX_PIXELS` pixels.
    """
    if not 0 < width * height <= MAX_PIXELS:
        raise ImageError(expected=f"1 to {MAX_PIXELS} pixels", got=f"{width} x {height}", advice=advice)


class Entry(NamedTuple):  # a data class takes four times as long to create, and there are millions
    """A sample without its payload, as in a row of a .lst file.

    Attributes
    ----------
    key : int, 0 to 2**64 - 1
    labels : tuple of float or int
        At least one.
    name : str
        The path in the .lst file and in messages.
    """

    key: int
    labels: tuple[float, ...]
    name: str


class BadEntry(NamedTuple):
    """A row of a list or a file of a folder that could not become an entry.

    Attributes
    ----------
    name : str
        Path of the .lst file, or of the image relative to the source's root.
    reason : str
        Description of the problem, without `name` and `line`.
    line : int or None
        Line of the .lst file, counted from 1; None for an image file.
    """

    name: str
    reason: str
    line: int | None = None

    @property
    def location(self) -> str:
        """The name, followed by the line if there is one."""
        return self.name if self.line is None else f"{self.name}: line {self.line}"


class Source(Protocol):
    """A sequence of samples to be packed: a length, entries by index, and the contents of entries.

    Threads call `entries`, `labels` and `contents` concurrently, in any order and repeatedly. Equal arguments always
    give equal results.

    Attributes
    ----------
    order : {"walked", "published", "listed"}
        Origin of the order: "walked", file names in the order of a folder walk; "published", the order in which the
        dataset was released; "listed", the rows of a .lst file.
    classes : dict of str to int, or None
        Class name to label; None if the source has no class names.
    bad : list of BadEntry
        Rows and files that could not become entries.
    notes : list of str
        Facts that are not errors but may be unexpected.
    pixels : bool
        `contents` returns pixels, not encoded images.
    """

    @property
    def order(self) -> str: ...  # noqa: D102 (described above, as are the next four)
    @property
    def classes(self) -> dict[str, int] | None: ...  # noqa: D102 (above)
    @property
    def bad(self) -> list[BadEntry]: ...  # noqa: D102 (above)
    @property
    def notes(self) -> list[str]: ...  # noqa: D102 (above)
    @property
    def pixels(self) -> bool: ...  # noqa: D102 (above)

    def __len__(self) -> int: ...

    def entries(self, indices: Sequence[int]) -> list[Entry]:
        """Return the entries at `indices`, each from 0 to len - 1."""

    def labels(self, indices: Sequence[int]) -> list[tuple[float, ...]]:
        """Return the labels of the entries at `indices`. Some sources do this faster than `entries`."""

    def contents(self, entries: Sequence[Entry]) -> Sequence[bytes | Image | ImageError]:
        """Return the encoded images of some entries of this source, or their pixels if `pixels` is true.

        If an image cannot be read, its item is an ImageError with the reason.
        """


@runtime_checkable
class BoundedSource(Protocol):
    """A source that knows the sizes of its images before it reads them. A pack reads other sources one by one."""

    def first_contents(self, entries: Sequence[Entry], max_bytes: int | None) -> Sequence[bytes | Image | ImageError]:
        """Return the contents of the first entries, as many as have at most `max_bytes` together; possibly none."""


@runtime_checkable
class PortableSource(Protocol):
    """A source whose samples other processes can pack: they get entries, and a reader of the contents of these."""

    def reader(self, indices: Sequence[int]) -> BoundedSource:
        """Return an object that reads the contents of the entries at `indices`, and is small when it is pickled."""
