"""Transparency of encoded images: whether they may have it, by their headers, and their pixels with it.

`recordkit.codec` drops the transparent level of a gray PNG, as OpenCV does. Here such an image has a fourth channel.

Source: Portable Network Graphics Specification (Third Edition), W3C, sections 11.2.1 (IHDR) and 11.3.1.1 (tRNS).
"""

from __future__ import annotations

import numpy as np

from recordkit import codec
from recordkit.formats.images import deep_png, image_parts
from recordkit.sample import Image

# Offsets in a PNG: the bits of a sample, the colour type, the first chunk behind IHDR.
_BITS, _COLOR_TYPE, _FIRST_CHUNK = 24, 25, 33
# Colour types with an alpha channel.
_WITH_ALPHA = (4, 6)
# Bytes of the transparent sample of a gray PNG, whatever its bits are.
_VALUE_BYTES = 2


def may_be_transparent(payload: bytes) -> bool:
    """Tell whether an image may have transparent pixels: a JPEG never, a PNG by its header, others always.

    Examples
    --------
    >>> [may_be_transparent(codec.encode(np.zeros((2, 2, n), np.uint8), "png")) for n in (1, 3, 4)]
    [False, False, True]
    """
    if codec.sniff(payload) != "png":
        return codec.sniff(payload) != "jpg"
    has_alpha = len(payload) > _COLOR_TYPE and payload[_COLOR_TYPE] in _WITH_ALPHA
    return has_alpha or _transparent_value(payload) is not None


def decode_with_alpha(payload: bytes) -> Image:
    """Decode an image with its stored channels, and as RGB and alpha if it is a gray PNG with a transparent level.

    Returns
    -------
    image : ndarray of uint8, shape (H, W, C)

    Raises
    ------
    ImageError
        The image cannot be decoded.
    """
    image = codec.decode(payload, channels="keep")
    value = _transparent_value(payload)
    if image.shape[2] > 1 or value is None or len(value) != _VALUE_BYTES:
        return image
    level, samples = int.from_bytes(value, "big"), deep_png.decode(payload)
    if samples is None:
        level = level * 255 // ((1 << payload[_BITS]) - 1)
    alpha = np.where((image if samples is None else samples) == level, 0, 255).astype(np.uint8)
    return np.dstack([codec.to_channels(image, 3), alpha])


def has_transparency(image: Image) -> bool:
    """Tell whether an image has a fourth channel that is not opaque everywhere."""
    return image.shape[2] == 4 and bool((image[:, :, 3] < 255).any())


def _transparent_value(payload: bytes) -> bytes | None:
    """Return the content of a PNG's tRNS chunk, of a gray image the transparent sample; None without one."""
    if codec.sniff(payload) != "png":
        return None
    chunks, begin = image_parts.split(payload, "png").pixels, _FIRST_CHUNK
    while (kind := chunks[begin + 4 : begin + 8]) not in (b"IDAT", b""):
        end = begin + 12 + int.from_bytes(chunks[begin : begin + 4], "big")
        if kind == b"tRNS":
            return chunks[begin + 8 : end - 4]
        begin = end
    return None
