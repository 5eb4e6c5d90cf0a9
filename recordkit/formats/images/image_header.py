"""The header of an encoded image: its size, the memory that decoding it takes, and its number of pictures.

Nothing is decoded: JPEG segments are walked up to the first scan, PNG, GIF, BMP and WebP have their size in the first
bytes, and TIFF in its first directory.

Sources: ITU-T T.81, annex B; PNG Specification (Third Edition), W3C, 11.2.1 and 11.3.6; GIF89a; BITMAPINFOHEADER;
TIFF 6.0, section 2; BigTIFF of libtiff; RFC 9649 (WebP).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

START_OF_SCAN = 0xDA
"""Marker of the JPEG segment after which the compressed data begin."""

# Pillow skips other bytes between segments, too.
_JPEG_MARKER = re.compile(rb"[^\xff]*\xff+([^\x00\xff])", re.DOTALL)
JPEG_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))
"""Markers of the frame header."""

PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
"""Those of them that begin a progressive frame."""

_WITHOUT_LENGTH = frozenset((*range(0x01, 0xC0), *range(0xD0, 0xDA)))
_BLOCK_BYTES = 64 * 2  # the coefficients of 8 x 8 samples
_GIF_EXTENSION, _GIF_IMAGE = 0x21, 0x2C
_BMP_RLE = frozenset((1, 2))
_BMP_MAX_JUMP = 255  # rows that one code of a run-length encoded bitmap skips
_BMP_MAX_RLE_PIXELS = 1 << 24  # Pillow fills each of them in Python
# Bytes of a value by the number of its type: BYTE to DOUBLE, IFD, and the 64-bit types of BigTIFF.
_TIFF_TYPE_BYTES = {
    1: 1,
    2: 1,
    3: 2,
    4: 4,
    5: 8,
    6: 1,
    7: 1,
    8: 2,
    9: 4,
    10: 8,
    11: 4,
    12: 8,
    13: 4,
    16: 8,
    17: 8,
    18: 8,
}
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_TILE_WIDTH, _TIFF_TILE_HEIGHT = 256, 257, 322, 323


def max_parts(payload: bytes | memoryview) -> int:
    """Return the most segments or chunks that a file may have: 10,000, and one for each KiB."""
    return 10_000 + len(payload) // 1024


class ImageHeader(NamedTuple):
    """Facts of an image that decide how much memory its decoding takes.

    Attributes
    ----------
    width, height : int
        Size in pixels, before EXIF orientation.
    n_pixels : int
        Most pixels that a decoder holds: those of the image, or more if its file is divided into larger tiles or may
        run over its end.
    coefficient_bytes : int
        Bytes of the coefficients that a JPEG decoder keeps for the whole image: of a progressive JPEG and of one whose
        components are in several scans. Otherwise 0.
    """

    width: int
    height: int
    n_pixels: int
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
        None for raw images, for an unknown format and for a damaged header.

    Examples
    --------
    >>> read(bytes.fromhex("47494638396103000200000000 2c00000000030002 0000"), "gif")
    ImageHeader(width=3, height=2, n_pixels=6, coefficient_bytes=0)
    """
    reader = _READERS.get(kind)
    try:
        return reader(payload) if reader else None
    except (struct.error, IndexError, OverflowError):  # the header is cut, or an offset in it has 64 bits
        return None


def has_several_pictures(payload: bytes | memoryview, kind: str) -> bool:
    """Tell whether a GIF, PNG, TIFF or WebP file is animated or has several pages. It is looked at up to the second.

    A damaged file has one picture.
    """
    counter = {"gif": _has_second_gif_frame, "png": _is_apng, "tiff": _has_second_page, "webp": _has_second_webp_frame}
    try:
        return kind in counter and counter[kind](payload)
    except (struct.error, IndexError, OverflowError):
        return False


class JpegSegment(NamedTuple):
    """A JPEG segment before the first scan.

    Attributes
    ----------
    marker : int
        Second byte of the marker; the first is 0xff.
    begin, content, end : int
        Offsets of the first byte that is not of the segment before, of the content, and of the next segment.
    """

    marker: int
    begin: int
    content: int
    end: int


def jpeg_segments(payload: bytes | memoryview) -> Iterator[JpegSegment]:
    """Yield the segments up to the header of the first scan, which is the last one; at most `max_parts` and one."""
    begin = 2
    for _ in range(max_parts(payload) + 1):
        match = _JPEG_MARKER.match(payload, begin)
        if match is None:
            return
        marker, content = match[1][0], match.end()
        if marker in _WITHOUT_LENGTH:
            end = content
        else:
            (size,) = struct.unpack_from(">H", payload, content)
            content, end = content + 2, content + max(size, 2)
        yield JpegSegment(marker, begin, content, end)
        if marker == START_OF_SCAN:
            return
        begin = end


def _read_jpeg(payload: bytes | memoryview) -> ImageHeader | None:
    header, n_components = None, 0
    for segment in jpeg_segments(payload):
        if segment.marker in JPEG_FRAMES:
            _, height, width, n_components = struct.unpack_from(">BHHB", payload, segment.content)
            factors = bytes(payload[segment.content + 7 : segment.content + 6 + 3 * n_components : 3])
            coefficient_bytes = _coefficient_bytes(width, height, [(factor >> 4, factor & 15) for factor in factors])
            header = ImageHeader(width, height, width * height, coefficient_bytes)
            if segment.marker in PROGRESSIVE:
                n_components += 1  # more than any scan has
        if segment.marker == START_OF_SCAN and header is not None and payload[segment.content] >= n_components:
            return header._replace(coefficient_bytes=0)
    return header


def _coefficient_bytes(width: int, height: int, factors: list[tuple[int, int]]) -> int:
    most_x, most_y = (max(1, *factors_of_axis) for factors_of_axis in zip((1, 1), *factors, strict=True))
    # A decoder rounds up to whole groups of blocks.
    n_groups: int = -(-width // (8 * most_x)) * -(-height // (8 * most_y))
    return n_groups * sum(x * y for x, y in factors) * _BLOCK_BYTES


def _read_png(payload: bytes | memoryview) -> ImageHeader | None:
    if payload[8:16] != b"\0\0\0\x0dIHDR":
        return None
    width, height = struct.unpack_from(">II", payload, 16)
    return ImageHeader(width, height, width * height)


def _is_apng(payload: bytes | memoryview) -> bool:
    offset = bytes(payload[:4096]).find(b"acTL")
    content_bytes, _, n_frames = struct.unpack_from(">III", payload, offset - 4) if offset >= 0 else (0, 0, 0)
    return bool(content_bytes >= 8 and n_frames > 1)


def _read_gif(payload: bytes | memoryview) -> ImageHeader:
    width, height = struct.unpack_from("<HH", payload, 6)
    frame = _next_gif_frame(payload, 13 + _color_table_bytes(payload[10]))
    if frame is not None:  # it may reach beyond the screen
        left, top, frame_width, frame_height = struct.unpack_from("<HHHH", payload, frame + 1)
        width, height = max(width, left + frame_width), max(height, top + frame_height)
    return ImageHeader(width, height, width * height)


def _has_second_gif_frame(payload: bytes | memoryview) -> bool:
    frame = _next_gif_frame(payload, 13 + _color_table_bytes(payload[10]))
    if frame is None:
        return False
    end = _end_of_gif_blocks(payload, frame + 11 + _color_table_bytes(payload[frame + 9]))
    return _next_gif_frame(payload, end) is not None


def _color_table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _next_gif_frame(payload: bytes | memoryview, offset: int) -> int | None:
    """Return the offset of the next image descriptor; None if there is none."""
    while payload[offset] == _GIF_EXTENSION:
        offset = _end_of_gif_blocks(payload, offset + 2)
    return offset if payload[offset] == _GIF_IMAGE else None


def _end_of_gif_blocks(payload: bytes | memoryview, offset: int) -> int:
    """Skip blocks with their length, up to one of length 0."""
    while payload[offset]:
        offset += 1 + payload[offset]
    return offset + 1


def _read_bmp(payload: bytes | memoryview) -> ImageHeader | None:
    if payload[14] == 12:
        width, height = struct.unpack_from("<HH", payload, 18)
        return ImageHeader(width, height, width * height)
    width, height, _, _, compression = struct.unpack_from("<iiHHI", payload, 18)
    is_run_length_encoded = compression in _BMP_RLE
    if is_run_length_encoded and width * abs(height) > _BMP_MAX_RLE_PIXELS:
        return None
    return ImageHeader(width, abs(height), width * (abs(height) + _BMP_MAX_JUMP * is_run_length_encoded))


class _TiffDirectory(NamedTuple):
    values: dict[int, int]  # the numbers by tag
    data_bytes: int  # of all fields together
    next_offset: int


def _read_tiff_directory(payload: bytes | memoryview) -> _TiffDirectory:
    order = "<" if payload[:2] == b"II" else ">"
    is_big = 43 in payload[2:4]
    offset_bytes, entry, count_type = (8, ">HHQ", "Q") if is_big else (4, ">HHI", "H")
    offset_type = "Q" if is_big else "I"
    entry = entry.replace(">", order)
    (directory,) = struct.unpack_from(order + offset_type, payload, 8 if is_big else 4)
    (n_fields,) = struct.unpack_from(order + count_type, payload, directory)
    begin = directory + struct.calcsize(order + count_type)
    entry_bytes = struct.calcsize(entry) + offset_bytes
    values, data_bytes = {}, 0
    for offset in range(begin, begin + n_fields * entry_bytes, entry_bytes):
        tag, kind, count = struct.unpack_from(entry, payload, offset)
        value_bytes = _TIFF_TYPE_BYTES.get(kind, 0)
        data_bytes += count * value_bytes
        if count == 1 and value_bytes <= offset_bytes:
            value = offset + entry_bytes - offset_bytes
            values[tag] = int.from_bytes(payload[value : value + value_bytes], "little" if order == "<" else "big")
    (next_offset,) = struct.unpack_from(order + offset_type, payload, begin + n_fields * entry_bytes)
    return _TiffDirectory(values, data_bytes, next_offset)


def _read_tiff(payload: bytes | memoryview) -> ImageHeader | None:
    values, data_bytes, _ = _read_tiff_directory(payload)
    # Fields that share their bytes would take many times the memory of the file.
    if data_bytes > len(payload) or not {_TIFF_WIDTH, _TIFF_HEIGHT} <= values.keys():
        return None
    width, height = values[_TIFF_WIDTH], values[_TIFF_HEIGHT]
    tile_pixels = values.get(_TIFF_TILE_WIDTH, 0) * values.get(_TIFF_TILE_HEIGHT, 0)
    return ImageHeader(width, height, max(width * height, tile_pixels))


def _has_second_page(payload: bytes | memoryview) -> bool:
    return 0 < _read_tiff_directory(payload).next_offset < len(payload)


def _read_webp(payload: bytes | memoryview) -> ImageHeader | None:
    kind = payload[12:16]
    if kind == b"VP8X":
        width, height = (int.from_bytes(payload[begin : begin + 3], "little") + 1 for begin in (24, 27))
    elif kind == b"VP8L":
        (word,) = struct.unpack_from("<I", payload, 21)
        width, height = (word & 0x3FFF) + 1, (word >> 14 & 0x3FFF) + 1
    elif kind == b"VP8 ":
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", payload, 26))
    else:
        return None
    return ImageHeader(width, height, width * height)


def _has_second_webp_frame(payload: bytes | memoryview) -> bool:
    offset, n_frames = 12, 0
    while offset + 8 <= len(payload) and n_frames < 2:
        n_frames += payload[offset : offset + 4] == b"ANMF"
        (size,) = struct.unpack_from("<I", payload, offset + 4)
        offset += 8 + size + (size & 1)
    return n_frames > 1


_READERS = {
    "jpg": _read_jpeg, "png": _read_png, "gif": _read_gif, "bmp": _read_bmp, "tiff": _read_tiff, "webp": _read_webp,
}  # fmt: skip
