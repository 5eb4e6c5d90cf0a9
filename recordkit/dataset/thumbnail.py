"""Small pictures of encoded images, for contact sheets, pages and notebooks.

An image that does not decode is no error here: its thumbnail has no pixels and says why.
"""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass, replace

import numpy as np

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.memory import MemoryBudget
from recordkit.sample import Image

# Squares behind transparent pixels, as image editors draw them.
_SQUARE = 8
_LIGHT, _DARK = 255, 204
# Longest side of a thumbnail that is written without loss: a digit of 28 pixels is a smaller PNG than JPEG.
_MAX_PNG_SIDE = 64
_JPEG_QUALITY = 82


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A small picture of an image.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (h, w, 3), or None
        RGB, upright, over a chequered background if the image is transparent; None if there are none to show.
    width, height : int
        Size of the whole image, upright, in pixels; 0 if it does not decode.
    encoding : str
        Format, as `recordkit.codec.sniff` names it.
    n_bytes : int
        Size of the encoded image.
    problem : str
        Reason why the image does not decode; "" if it does.
    """

    pixels: Image | None
    width: int
    height: int
    encoding: str
    n_bytes: int
    problem: str = ""

    def without_pixels(self) -> Thumbnail:
        """Return the facts alone, for a caller that keeps those of many images."""
        return replace(self, pixels=None)

    def data_uri(self) -> str:
        """Return the picture as a ``data:`` address, PNG up to 64 pixels and JPEG above.

        Raises
        ------
        ValueError
            There are no pixels.
        """
        if self.pixels is None:
            raise ValueError("a thumbnail without pixels")
        kind, name = ("png", "png") if max(self.pixels.shape) <= _MAX_PNG_SIDE else ("jpg", "jpeg")
        content = codec.encode(self.pixels, kind, quality=_JPEG_QUALITY if kind == "jpg" else 9)
        return f"data:image/{name};base64,{base64.b64encode(content).decode()}"


def make_thumbnail(payload: bytes | memoryview, side: int, *, budget: MemoryBudget | None = None) -> Thumbnail:
    """Decode an image and shrink it until it fits into a square; a smaller image keeps its size.

    Parameters
    ----------
    payload : bytes-like
        The encoded image.
    side : int, at least 1
        Side of the square, in pixels.
    budget : MemoryBudget, optional
        Memory of the images that threads decode at the same time. An image that needs more does not decode.

    Examples
    --------
    >>> thumbnail = make_thumbnail(codec.encode(np.zeros((20, 200, 3), np.uint8), "png"), 50)
    >>> thumbnail.pixels.shape, thumbnail.width, thumbnail.height
    ((5, 50, 3), 200, 20)
    >>> make_thumbnail(b"", 50).problem
    'expected an image, got 0 bytes'
    """
    try:
        with contextlib.nullcontext() if budget is None else budget.hold(codec.decode_bytes(payload)):
            image = codec.decode(payload, channels=4)
            is_opaque = bool((image[:, :, 3] == 255).all())
            pixels = _shrink(image[:, :, :3] if is_opaque else image, side)
    except ImageError as error:
        return Thumbnail(None, 0, 0, codec.sniff(payload), len(payload), error.problem)
    height, width = image.shape[:2]
    pixels = np.ascontiguousarray(pixels if is_opaque else _over_squares(pixels))
    return Thumbnail(pixels, width, height, codec.sniff(payload), len(payload))


def thumbnail_of_pixels(image: Image, side: int) -> Thumbnail:
    """Return the thumbnail of a decoded image, uint8 of shape (H, W, C).

    Examples
    --------
    >>> thumbnail_of_pixels(np.zeros((20, 200, 1), np.uint8), 50).pixels.shape
    (5, 50, 3)
    """
    height, width, n_channels = image.shape
    pixels = _shrink(codec.to_channels(image, 4 if n_channels == 4 else 3), side)
    return Thumbnail(_over_squares(pixels) if n_channels == 4 else pixels, width, height, "pixels", image.nbytes)


def _shrink(image: Image, side: int) -> Image:
    height, width = image.shape[:2]
    longest = max(height, width)
    if longest <= side:
        return image
    from PIL import Image as Pillow

    size = max(1, round(width * side / longest)), max(1, round(height * side / longest))
    # RGBA is weighted with alpha, so that the colours of transparent pixels do not show at edges.
    return np.asarray(
        Pillow.fromarray(np.ascontiguousarray(image)).resize(size, Pillow.Resampling.LANCZOS, reducing_gap=3)
    )


def _over_squares(image: Image) -> Image:
    """Draw an RGBA image over light and dark squares."""
    color, alpha = image[:, :, :3], image[:, :, 3:].astype(np.uint16)
    y, x = np.indices(image.shape[:2]) // _SQUARE
    squares = np.where((x + y) % 2, _DARK, _LIGHT)[:, :, None]
    return ((color * alpha + squares * (255 - alpha) + 127) // 255).astype(np.uint8)
