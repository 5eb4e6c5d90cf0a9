"""The shape of an image as it is stored, by its header alone.

It is that of ``recordkit.codec.decode(payload, channels="keep")``. Only JPEGs and most PNGs tell it: the colours of a
palette, and pixels with a transparent colour, may decode to three channels or to four.
"""

from __future__ import annotations

import itertools
from collections import Counter

from recordkit.formats.images import image_header, image_parts
from recordkit.sample import MAX_PIXELS

_PNG_RGB = 2
# Channels by the colour type of a PNG: gray, RGB, gray and alpha (which is decoded to RGB and alpha), RGB and alpha.
_PNG_CHANNELS = {0: 1, _PNG_RGB: 3, 4: 4, 6: 4}
_PNG_BIT_DEPTHS = {0: (1, 2, 4, 8, 16), _PNG_RGB: (8, 16), 4: (8, 16), 6: (8, 16)}
# Channels by the number of components of a JPEG: gray, colour, CMYK.
_JPEG_CHANNELS = {1: 1, 3: 3, 4: 3}


def read(payload: bytes | memoryview, kind: str) -> tuple[int, int, int] | None:
    """Read the shape of an image from its header.

    Parameters
    ----------
    payload : bytes-like
    kind : str
        Format, as `recordkit.codec.sniff` names it.

    Returns
    -------
    shape : (int, int, int) or None
        (H, W, C) as stored; None if the header does not tell it or is damaged, or the image has more than
        `recordkit.sample.MAX_PIXELS`.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit import codec
    >>> read(codec.encode(np.zeros((2, 5, 1), np.uint8), "jpg"), "jpg")
    (2, 5, 1)
    """
    header = image_header.read(payload, kind)
    if header is None or not 0 < header.n_pixels <= MAX_PIXELS:
        return None
    channels = {"jpg": _jpeg_channels, "png": _png_channels}.get(kind, lambda _: None)(payload)
    return None if channels is None else (header.height, header.width, channels)


def _jpeg_channels(payload: bytes | memoryview) -> int | None:
    """Return the channels of a JPEG whose header `image_header` has read."""
    frames = [each for each in image_header.jpeg_segments(payload) if each.marker in image_header.JPEG_FRAMES]
    return _JPEG_CHANNELS.get(payload[frames[-1].content + 5]) if frames else None


def _png_channels(payload: bytes | memoryview) -> int | None:
    """Return the channels of a PNG whose header `image_header` has read."""
    chunks = itertools.islice(image_parts.png_chunks(payload), image_header.max_parts(payload))
    kinds = Counter(kind for kind, _, _ in chunks)
    if kinds[b"IHDR"] != 1:  # it is cut, or decoders differ in the one that they take
        return None
    bit_depth, color_type = payload[24], payload[25]
    if bit_depth not in _PNG_BIT_DEPTHS.get(color_type, ()) or (color_type == _PNG_RGB and kinds[b"tRNS"]):
        return None
    return _PNG_CHANNELS[color_type]
