"""The shape of an image as it is stored, by its header alone.

It is that of ``recordkit.codec.decode(payload, channels="keep")``. Only JPEGs and most PNGs tell it: the colours of a
palette, and pixels with a transparent colour, may decode to three channels or to four.
"""

from __future__ import annotations

from recordkit.formats.images import image_header

# Channels by the colour type of a PNG: gray, RGB, gray and alpha (which is decoded to RGB and alpha), RGB and alpha.
_PNG_CHANNELS = {0: 1, 2: 3, 4: 4, 6: 4}
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
        (H, W, C) as stored; None if the header does not tell it or is damaged.

    Examples
    --------
    >>> import numpy as np
    >>> from recordkit import codec
    >>> read(codec.encode(np.zeros((2, 5, 1), np.uint8), "jpg"), "jpg")
    (2, 5, 1)
    """
    header = image_header.read(payload, kind)
    if header is None or header.width * header.height < 1:
        return None
    channels = {"jpg": _jpeg_channels, "png": _png_channels}.get(kind, lambda _: None)(payload)
    return None if channels is None else (header.height, header.width, channels)


def _jpeg_channels(payload: bytes | memoryview) -> int | None:
    """Return the channels of a JPEG whose header `image_header` has read."""
    frames = [each for each in image_header.jpeg_segments(payload) if each.marker in image_header.JPEG_FRAMES]
    return _JPEG_CHANNELS.get(payload[frames[-1].content + 5]) if frames else None


def _png_channels(payload: bytes | memoryview) -> int | None:
    """Return the channels of a PNG whose header `image_header` has read."""
    color_type = payload[25]
    has_transparent_color = color_type == 2 and b"tRNS" in bytes(payload).partition(b"IDAT")[0]
    return None if has_transparent_color else _PNG_CHANNELS.get(color_type)
