"""PNG images of 16 bits per sample, without loss. Pillow reads and writes them in gray only.

A file is a signature and chunks: uint32 length, 4 letters, the content, uint32 CRC-32 of letters and content, all
big-endian. The content of IHDR, 13 bytes:

    offset  type    field
    0       uint32  width
    4       uint32  height
    8       uint8   bits per sample: 16
    9       uint8   colour type: 0 gray, 2 RGB, 4 gray and alpha, 6 RGB and alpha
    10      uint8   compression: 0
    11      uint8   filter method: 0
    12      uint8   interlace: 0 none, 1 Adam7

All IDAT chunks together are one zlib stream of rows. A row is a filter type, 0 to 4, and its samples. The stream of an
interlaced file has the rows of seven smaller images, one after another.

Source: Portable Network Graphics Specification (Third Edition), W3C, sections 5, 7, 9 and 11. 8-bit PNGs, colour
profiles and gamma are left to Pillow.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recordkit.errors import ImageError, plural
from recordkit.sample import check_size

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">IIBBBBB")
_N_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}
_COLOR_TYPES = {1: 0, 3: 2, 4: 6}
# First row, first column, and the steps between rows and columns, of the seven passes of an interlaced image.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
_FILTER_UP = 2


def encode(image: NDArray[np.uint16], *, level: int = 3) -> bytes:
    """Encode an image.

    Parameters
    ----------
    image : ndarray of uint16, shape (H, W, C)
        C 1 gray, 3 RGB or 4 RGB and alpha.
    level : int, default 3
        Compression level, 0 to 9.

    Returns
    -------
    payload : bytes

    Examples
    --------
    >>> decode(encode(np.array([[[1, 2, 65535]]], np.uint16))).tolist()
    [[[1, 2, 65535]]]
    """
    height, width, channels = image.shape
    samples = image.astype(">u2").view(np.uint8).reshape(height, -1)
    rows = np.empty((height, 1 + samples.shape[1]), np.uint8)
    rows[:, 0] = _FILTER_UP
    rows[0, 1:] = samples[0]
    np.subtract(samples[1:], samples[:-1], out=rows[1:, 1:])
    head = _HEAD.pack(width, height, 16, _COLOR_TYPES[channels], 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), level)), (b"IEND", b"")
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def decode(payload: bytes) -> NDArray[np.uint16] | None:
    """Decode an image.

    Parameters
    ----------
    payload : bytes

    Returns
    -------
    image : ndarray of uint16, shape (H, W, C), or None
        C is 1 for gray, 3 for RGB, and 4 for images with alpha and for RGB with a transparent colour. None if `payload`
        is not a PNG of 16 bits per sample.

    Raises
    ------
    ImageError
        The image is damaged or has more than `recordkit.sample.MAX_PIXELS` pixels.
    """
    if payload[:8] != _SIGNATURE or payload[12:16] != b"IHDR" or payload[24:25] != b"\x10":
        return None
    chunks = list(_chunks(payload))
    kind, head = chunks[0]
    if kind != b"IHDR" or len(head) != _HEAD.size:
        raise _damage("a header of 13 bytes", plural(len(head), "byte"))
    width, height, _, color_type, *methods = _HEAD.unpack(head)
    check_size(width, height)
    if color_type not in _N_SAMPLES or methods[:2] != [0, 0] or methods[2] > 1:
        raise _damage("a colour type of 0, 2, 4 or 6 and known methods", f"{color_type} and {methods}")
    samples = np.empty((height, width, 2 * _N_SAMPLES[color_type]), np.uint8)
    passes = _PASSES if methods[2] else ((0, 0, 1, 1),)
    views = [samples[top::down, left::right] for top, left, down, right in passes]
    views = [view for view in views if view.size]
    data = _decompress([content for kind, content in chunks if kind == b"IDAT"], sum(map(_stream_size, views)))
    begin = 0
    for view in views:
        rows = np.frombuffer(data, np.uint8, _stream_size(view), begin).reshape(len(view), -1)
        view[:] = _unfilter(rows[:, 0], rows[:, 1:].reshape(view.shape))
        begin += rows.size
    transparent = next((content for kind, content in chunks if kind == b"tRNS"), b"")
    return _with_alpha(samples.view(">u2").astype(np.uint16), transparent)


def _stream_size(view: NDArray[np.uint8]) -> int:
    return view.size + len(view)


def _chunks(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and content of each chunk up to IEND."""
    begin, kind = 8, b""
    while kind != b"IEND":
        head = payload[begin : begin + 8]
        end = begin + 12 + int.from_bytes(head[:4], "big")
        if len(head) < 8 or end > len(payload):
            raise _damage("an IEND chunk", f"the end of the {plural(len(payload), 'byte')}")
        kind, content = head[4:], payload[begin + 8 : end - 4]
        if kind in (b"IHDR", b"IDAT") and zlib.crc32(kind + content) != int.from_bytes(payload[end - 4 : end], "big"):
            raise _damage(f"the checksum of the {kind.decode()} chunk", "another")
        yield kind, content
        begin = end


def _decompress(contents: list[bytes], size: int) -> bytes:
    try:
        data = zlib.decompressobj().decompress(b"".join(contents), size)
    except zlib.error as error:
        raise _damage("a zlib stream", str(error)) from None
    if len(data) < size:
        raise _damage(f"{plural(size, 'byte')} of rows", f"{len(data)}")
    return data


def _unfilter(filters: NDArray[np.uint8], rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the filters of the rows, shape (H, W, bytes of a pixel).

    A pixel depends on those to its left, above it and above left of it. So the pixels of an anti-diagonal are
    independent of each other, and are computed together.
    """
    if (largest := int(np.max(filters))) > 4:
        raise _damage("filter types of 0 to 4", str(largest))
    height, width, n_bytes = rows.shape
    pixels = np.zeros((height + 1, width + 1, n_bytes), np.int16)  # with a row above and a column left of the image
    for diagonal in range(height + width - 1):
        y = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        x = diagonal - y
        left, above, corner = pixels[y + 1, x], pixels[y, x + 1], pixels[y, x]
        to_left, to_above, to_corner = abs(above - corner), abs(left - corner), abs(left + above - 2 * corner)
        paeth = np.where(
            (to_left <= to_above) & (to_left <= to_corner), left, np.where(to_above <= to_corner, above, corner)
        )
        predictions = np.zeros_like(left), left, above, (left + above) // 2, paeth
        pixels[y + 1, x + 1] = (rows[y, x] + np.choose(filters[y, None], predictions)) & 255
    return pixels[1:, 1:].astype(np.uint8)


def _with_alpha(image: NDArray[np.uint16], transparent: bytes) -> NDArray[np.uint16]:
    """Return gray and alpha as RGB and alpha, and RGB with alpha if a colour is transparent."""
    channels = image.shape[2]
    if channels == 2:
        return image[:, :, [0, 0, 0, 1]]
    if channels == 3 and len(transparent) == 6:
        alpha = np.where((image == np.frombuffer(transparent, ">u2")).all(2), 0, 65535).astype(np.uint16)
        return np.dstack([image, alpha])
    return image


def _damage(expected: str, got: str) -> ImageError:
    return ImageError(expected=expected, got=got)
