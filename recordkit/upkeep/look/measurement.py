"""Facts of each image for statistics: a row of whole numbers, measured by the native core or by Python.

The python engine is the definition. Both decode every image as a loader does, to RGB and upright, and add up its pixels
in integers; so rows are equal bit for bit, and sums do not depend on the number of threads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from recordkit import codec
from recordkit.dataset.dataset import RecordDataset
from recordkit.errors import FormatError, ImageError
from recordkit.formats.images import jpeg_encoding
from recordkit.memory import MemoryBudget

FORMATS = ("", "jpg", "png", "raw", "bmp", "gif", "tiff", "webp")
"""Names of the numbers in the column "format"; an image that does not decode has 0."""

COLORS = ("", "gray", "gray and alpha", "colour", "colour and alpha", "palette", "CMYK")
"""Names of the numbers in the column "color"; 0 for formats whose header is not looked at: BMP, GIF, TIFF and WebP."""

COLUMNS = (
    "format", "n_bytes", "width", "height", "color", "progressive", "sampling", "quality",
    "sum_red", "sum_green", "sum_blue", "squares_red", "squares_green", "squares_blue",
)  # fmt: skip
"""Columns of a row; see `Measurement` in src/measure.hpp."""

Facts = NDArray[np.int64]
"""int64, shape (n, 14): a row of `COLUMNS` for each image."""

_GRAY, _GRAY_ALPHA, _COLOR, _COLOR_ALPHA, _PALETTE, _CMYK = range(1, 7)
_JPEG_COLORS = {1: _GRAY, 3: _COLOR, 4: _CMYK}
_PNG_COLORS = {0: _GRAY, 2: _COLOR, 3: _PALETTE, 4: _GRAY_ALPHA, 6: _COLOR_ALPHA}
# Pixels that are squared at once, so that large images need no large arrays of integers.
_GROUP = 1 << 16


class Measured(NamedTuple):
    """Facts of some images.

    Attributes
    ----------
    facts : ndarray of int64, shape (n, 14)
        See `COLUMNS`; a row of zeros for an image that does not decode.
    errors : dict of int to Exception
        The error of each image that does not decode, by row.
    """

    facts: Facts
    errors: dict[int, Exception]


class Engine(Protocol):
    """Measures images. Several threads share one engine."""

    name: ClassVar[str]

    def __init__(self, dataset: RecordDataset, budget: MemoryBudget, stopped: bytearray) -> None: ...

    def measure(self, indices: NDArray[np.int64]) -> Measured:
        """Measure the images of the samples at `indices`; the rest is left out once ``stopped[0]`` is 1."""


class PythonEngine:
    """See `Engine`."""

    name: ClassVar[str] = "python"

    def __init__(self, dataset: RecordDataset, budget: MemoryBudget, stopped: bytearray) -> None:
        self._dataset = dataset
        self._budget = budget
        self._stopped = stopped

    def measure(self, indices: NDArray[np.int64]) -> Measured:
        """Measure the images of some samples."""
        facts = np.zeros((len(indices), len(COLUMNS)), np.int64)
        return Measured(facts, self.measure_rows(range(len(indices)), indices, facts))

    def measure_rows(self, rows: Iterable[int], indices: NDArray[np.int64], facts: Facts) -> dict[int, Exception]:
        """Fill some rows of `facts`, and return the errors of those that cannot be filled."""
        errors: dict[int, Exception] = {}
        for row in rows:
            if self._stopped[0]:
                break
            try:
                payload = bytes(self._dataset[int(indices[row])].payload)
                with self._budget.hold(codec.decode_bytes(payload)):
                    facts[row] = measure_payload(payload)
            except (FormatError, ImageError) as error:
                errors[row] = error
        return errors


def measure_payload(payload: bytes) -> list[int]:
    """Decode an image and return its row of facts.

    Parameters
    ----------
    payload : bytes
        The encoded image.

    Raises
    ------
    ImageError
        The image does not decode.

    Examples
    --------
    >>> row = measure_payload(codec.encode(np.full((2, 3, 1), 10, np.uint8), "png"))
    >>> dict(zip(COLUMNS, row))["width"], row[-6:]
    (3, [60, 60, 60, 600, 600, 600])
    """
    image = codec.decode(payload, channels=3)
    pixels = image.reshape(-1, 3)
    sums, squares = np.zeros(3, np.int64), np.zeros(3, np.int64)
    for begin in range(0, len(pixels), _GROUP):
        values = pixels[begin : begin + _GROUP].astype(np.int64)
        sums += values.sum(0)
        squares += (values * values).sum(0)
    kind = codec.sniff(payload)
    height, width = image.shape[:2]
    return [
        FORMATS.index(kind),
        len(payload),
        width,
        height,
        *_encoding(payload, kind),
        *sums.tolist(),
        *squares.tolist(),
    ]


def _encoding(payload: bytes, kind: str) -> tuple[int, int, int, int]:
    """Return color, progressive, sampling and quality."""
    if kind == "jpg":
        encoding = jpeg_encoding.read(payload)
        color = _JPEG_COLORS.get(encoding.n_components, 0)
        return color, int(encoding.progressive), encoding.sampling, encoding.quality
    if kind == "png":
        return _PNG_COLORS.get(payload[25], 0), 0, 0, 0
    if kind == "raw":
        return _raw_color(payload), 0, 0, 0
    return 0, 0, 0, 0


def _raw_color(payload: bytes) -> int:
    channels = codec.decode(payload, channels="keep").shape[2]
    return {1: _GRAY, 3: _COLOR}.get(channels, _COLOR_ALPHA)
