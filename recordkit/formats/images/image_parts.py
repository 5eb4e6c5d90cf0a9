"""The parts of a JPEG or PNG file that decide its pixels, its EXIF block, and limits on the number of parts.

Comments, texts, colour profiles and thumbnails do not change the pixels of recordkit. Yet a decoder that reads them
may decompress megabytes, join pieces in quadratic time, or refuse the image because a text is damaged. So a decoder is
given the file without them: of a JPEG the frame, the tables and the markers of JFIF and Adobe, of a PNG the critical
chunks, transparency and animation. Parts that libjpeg or libpng ignores, because they are too short or damaged, are
left out too.

Limits bound the time by the size of the file:

- A JPEG has at most `MAX_SCANS` scans, the default limit of libtiff and GDAL. libjpeg's progressive files have 10. An
  almost empty scan takes 10 bytes, and the decoder goes over all pixels for each.
- A file has at most 10,000 segments or chunks, and one more for each KiB.

Sources: ITU-T T.81, annex B; PNG Specification (Third Edition), W3C, 5; RFC 9649 (WebP), 2.7.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from recordkit.errors import ImageError
from recordkit.formats.images.image_header import (
    JPEG_FRAMES,
    PROGRESSIVE,
    START_OF_SCAN,
    JpegSegment,
    jpeg_segments,
    max_parts,
)

MAX_SCANS = 100
"""Most scans of a JPEG."""

# Any marker in compressed data except a restart; 0xff00 is a byte of the data.
_MARKER_IN_SCAN = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")
_END_OF_IMAGE, _FIRST_WITH_LENGTH = 0xD9, 0xC0
_APP0, _APP1, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
EXIF = b"Exif\0\0"
"""Beginning of the EXIF block of a JPEG."""

# Beginning and smallest size of the application segments that decide the colours. libjpeg ignores shorter ones.
_COLOR_SEGMENTS = {_APP0: (b"JFIF\0", 14), _APP14: (b"Adobe", 12)}
# The ancillary chunks that decide pixels.
_PNG_CHUNKS = frozenset((b"tRNS", b"acTL", b"fcTL", b"fdAT"))


class ImageParts(NamedTuple):
    """The parts of an image.

    Attributes
    ----------
    pixels : bytes
        The file without the parts that do not decide its pixels.
    exif : bytes
        The EXIF block; empty if there is none.
    """

    pixels: bytes
    exif: bytes


def split(payload: bytes, kind: str) -> ImageParts:
    """Split an image into the parts that decide its pixels and its EXIF block.

    Parameters
    ----------
    payload : bytes
    kind : str
        Format, as `recordkit.codec.sniff` names it. Files of others than "jpg" and "png" are kept whole.

    Raises
    ------
    ImageError
        The image has too many parts.

    Examples
    --------
    >>> signature, end = bytes.fromhex("89504e470d0a1a0a"), bytes.fromhex("00000000 49454e44 ae426082")
    >>> text = bytes.fromhex("00000003 74455874 610062 00000000")
    >>> split(signature + text + end, "png").pixels == signature + end
    True
    """
    if kind == "jpg":
        return _split_jpeg(payload)
    if kind == "png":
        return _split_png(payload)
    return ImageParts(payload, _webp_exif(payload) if kind == "webp" else b"")


def _split_jpeg(payload: bytes) -> ImageParts:
    kept, kept_to, exif = [], 0, b""
    n_components = 0  # in one scan
    try:
        for n_segments, segment in enumerate(jpeg_segments(payload), 1):
            _check_number("segments", n_segments, payload)
            if segment.marker in JPEG_FRAMES:
                n_components = 256 if segment.marker in PROGRESSIVE else payload[segment.content + 5]
            if segment.marker == START_OF_SCAN:
                if payload[segment.content] < n_components:  # otherwise libjpeg refuses a second scan
                    _check_scans(payload, segment.end)
            elif not _decides_pixels(payload, segment):
                kept.append(payload[kept_to : segment.begin])
                kept_to = segment.end
                if segment.marker == _APP1 and not exif and payload.startswith(EXIF, segment.content, segment.end):
                    exif = payload[segment.content + len(EXIF) : segment.end]
    except (struct.error, IndexError, OverflowError):
        pass  # the file ends inside its header, which the decoder reports
    return ImageParts(b"".join((*kept, payload[kept_to:])) if kept else payload, exif)


def _decides_pixels(payload: bytes, segment: JpegSegment) -> bool:
    if not (_APP0 <= segment.marker <= _APP15 or segment.marker == _COMMENT):
        return True
    beginning, min_bytes = _COLOR_SEGMENTS.get(segment.marker, (None, 0))
    if beginning is None or segment.end - segment.content < min_bytes:
        return False
    return payload.startswith(beginning, segment.content)


def _check_scans(payload: bytes, first_scan: int) -> None:
    """Count the scans as libjpeg does: bytes inside a segment between two scans are no marker."""
    if payload.count(b"\xff\xda", first_scan) < MAX_SCANS:
        return
    n_scans, offset = 1, first_scan
    while match := _MARKER_IN_SCAN.search(payload, offset):
        marker, offset = match[0][-1], match.end()
        if marker == _END_OF_IMAGE:
            return
        n_scans += marker == START_OF_SCAN
        if n_scans > MAX_SCANS:
            raise _too_many_error(f"a JPEG of at most {MAX_SCANS} scans")
        if marker >= _FIRST_WITH_LENGTH:
            offset += int.from_bytes(payload[offset : offset + 2], "big")


def _split_png(payload: bytes) -> ImageParts:
    kept, kept_to, exif = [], 0, b""
    for n_chunks, (kind, begin, end) in enumerate(png_chunks(payload), 1):
        _check_number("chunks", n_chunks, payload)
        is_ancillary = kind[0] & 0x20 and kind.isalpha()
        if not is_ancillary or (kind in _PNG_CHUNKS and _has_right_crc(payload, begin, end)):
            continue
        kept.append(payload[kept_to:begin])
        kept_to = end
        if kind == b"eXIf" and _has_right_crc(payload, begin, end):
            exif = payload[begin + 8 : end - 4]
    return ImageParts(b"".join((*kept, payload[kept_to:])) if kept else payload, exif)


def png_chunks(payload: bytes | memoryview) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, begin and end of each chunk before IEND, or before a cut."""
    begin = 8
    while (kind := bytes(payload[begin + 4 : begin + 8])) != b"IEND":
        end = begin + 12 + int.from_bytes(payload[begin : begin + 4], "big")
        if end > len(payload):
            return
        yield kind, begin, end
        begin = end


def _has_right_crc(payload: bytes, begin: int, end: int) -> bool:
    return zlib.crc32(payload[begin + 4 : end - 4]) == int.from_bytes(payload[end - 4 : end], "big")


def _check_number(parts: str, n_parts: int, payload: bytes) -> None:
    if n_parts > max_parts(payload):
        raise _too_many_error(f"at most {max_parts(payload)} {parts} in a file of {len(payload)} bytes")


def _too_many_error(expected: str) -> ImageError:
    return ImageError(expected=expected, got="more", advice="write the image anew with another program")


def _webp_exif(payload: bytes) -> bytes:
    offset = 12
    while offset + 8 <= len(payload):
        end = offset + 8 + int.from_bytes(payload[offset + 4 : offset + 8], "little")
        if payload.startswith(b"EXIF", offset):
            return payload[offset + 8 : end].removeprefix(EXIF)
        offset = end + (end & 1)
    return b""
