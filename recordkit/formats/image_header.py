"""The header of an encoded image: its size, and the memory that decoding it takes.

Nothing is decoded: JPEG segments are walked up to the first scan, PNG, GIF, BMP and WebP have their size in the first
bytes, and TIFF in its first directory.

Sources: ITU-T T.81, annex B; PNG Specification (Third Edition), W3C, 11.2.1; GIF89a; BITMAPINFOHEADER; TIFF 6.0,
section 2; BigTIFF of libtiff; RFC 9649 (WebP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

_JPEG_SEGMENT = re.compile(rb"[^\xff]*\xff+([^\x00\xff])", re.DOTALL)
_JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_WITHOUT_LENGTH = frozenset((0x01, *range(0xD0, 0xD9)))
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9
_BLOCK_BYTES = 64 * 2  # the coefficients of 8 x 8 samples
_TIFF_TYPE_BYTES = {1: 1, 3: 2, 4: 4, 16: 8}
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257


class ImageHeader(NamedTuple):
    """Facts of an image that decide how much memory its decoding takes.

    Attributes
    ----------
    width, height : int
        Size in pixels, before EXIF orientation.
    coefficient_bytes : int
        Bytes of the coefficients that a JPEG decoder keeps for the whole image: of a progressive JPEG and of one whose
        components are in several scans. Otherwise 0.
    """

    width: int
    height: int
    coefficient_bytes: int = 0


def read(payload: bytes | memoryview, kind: str) -> ImageHeader | None:
    """Read the header of an image.

    Parameters
    ----------
    payload : bytes-like
    kind : str
        Format, as `recordkit.codec.sniff` names it.

    Returns
    -------
    header : ImageHeader or None
        None for an unknown format and for a damaged header.

    Examples
    --------
    >>> read(bytes.fromhex("47494638396103000200000000 2c00000000030002"), "gif")
    ImageHeader(width=3, height=2, coefficient_bytes=0)
    """
    reader = {"jpg": _read_jpeg, "png": _read_png, "gif": _read_gif, "bmp": _read_bmp, "tiff": _read_tiff}.get(kind)
    reader = _read_webp if kind == "webp" else reader
    try:
        return reader(payload) if reader else None
    except (struct.error, IndexError):  # the header is cut
        return None


def _read_png(payload: bytes | memoryview) -> ImageHeader:
    return ImageHeader(*struct.unpack_from(">II", payload, 16))


def _read_jpeg(payload: bytes | memoryview) -> ImageHeader | None:
    header, n_components = None, 0
    for marker, segment in _jpeg_segments(payload):
        if marker in _JPEG_FRAMES:
            _, height, width, n_components = struct.unpack_from(">BHHB", segment)
            factors = [(factor >> 4, factor & 15) for factor in segment[7 : 6 + 3 * n_components : 3]]
            header = ImageHeader(width, height, _coefficient_bytes(width, height, factors))
            if marker in _PROGRESSIVE:
                n_components += 1  # more than any scan has
        if marker == _START_OF_SCAN and header is not None:
            return header if segment[0] < n_components else header._replace(coefficient_bytes=0)
    return header


def _coefficient_bytes(width: int, height: int, factors: list[tuple[int, int]]) -> int:
    most_x, most_y = max((x for x, _ in factors), default=1), max((y for _, y in factors), default=1)
    n_blocks = 0
    for x, y in factors:
        # A decoder rounds up to whole groups of blocks.
        n_blocks += -(-width // (8 * max(most_x, 1))) * x * -(-height // (8 * max(most_y, 1))) * y
    return n_blocks * _BLOCK_BYTES


def _jpeg_segments(payload: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
    """Yield marker and content of each segment up to the first scan."""
    offset = 2
    while match := _JPEG_SEGMENT.match(payload, offset):
        marker, offset = match[1][0], match.end()
        if marker == _END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        (size,) = struct.unpack_from(">H", payload, offset)
        yield marker, bytes(payload[offset + 2 : offset + size])
        if marker == _START_OF_SCAN:
            return
        offset += max(size, 2)


def _read_gif(payload: bytes | memoryview) -> ImageHeader:
    width, height, flags = struct.unpack_from("<HHB", payload, 6)
    offset = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while payload[offset] == 0x21:  # an extension: its label, then blocks with their length up to one of length 0
        offset += 2
        while payload[offset]:
            offset += 1 + payload[offset]
        offset += 1
    if payload[offset] == 0x2C:  # a frame may reach beyond the screen
        left, top, frame_width, frame_height = struct.unpack_from("<HHHH", payload, offset + 1)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    return ImageHeader(width, height)


def _read_bmp(payload: bytes | memoryview) -> ImageHeader:
    is_old = payload[14] == 12
    width, height = struct.unpack_from("<HH" if is_old else "<ii", payload, 18)
    return ImageHeader(width, abs(height))


def _read_tiff(payload: bytes | memoryview) -> ImageHeader | None:
    order = "<" if payload[:2] == b"II" else ">"
    is_big = 43 in payload[2:4]
    (directory,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}I", payload, 8 if is_big else 4)
    (n_fields,) = struct.unpack_from(f"{order}Q" if is_big else f"{order}H", payload, directory)
    sizes = {}
    entry_bytes, value_offset, first = (20, 12, directory + 8) if is_big else (12, 8, directory + 2)
    for field in range(min(n_fields, (len(payload) - first) // entry_bytes)):
        entry = first + field * entry_bytes
        tag, kind = struct.unpack_from(f"{order}HH", payload, entry)
        if tag in (_TIFF_WIDTH, _TIFF_HEIGHT) and kind in _TIFF_TYPE_BYTES:
            value = payload[entry + value_offset : entry + value_offset + _TIFF_TYPE_BYTES[kind]]
            sizes[tag] = int.from_bytes(value, "little" if order == "<" else "big")
    return ImageHeader(sizes[_TIFF_WIDTH], sizes[_TIFF_HEIGHT]) if len(sizes) == 2 else None


def _read_webp(payload: bytes | memoryview) -> ImageHeader | None:
    kind = bytes(payload[12:16])
    if kind == b"VP8X":
        width, height = (int.from_bytes(payload[begin : begin + 3], "little") for begin in (24, 27))
        return ImageHeader(width + 1, height + 1)
    if kind == b"VP8L":
        (word,) = struct.unpack_from("<I", payload, 21)
        return ImageHeader((word & 0x3FFF) + 1, (word >> 14 & 0x3FFF) + 1)
    width, height = struct.unpack_from("<HH", payload, 26)
    return ImageHeader(width & 0x3FFF, height & 0x3FFF) if kind == b"VP8 " else None
