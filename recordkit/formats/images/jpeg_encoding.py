"""How a JPEG was encoded: its components, the sampling of its chroma, and the quality that made its tables.

libjpeg, and with it Pillow, OpenCV and ImageMagick, multiplies the example tables of the standard by a factor that
depends on the quality, 1 to 100. The luma table of a file therefore tells the quality. Cameras and Photoshop have
tables of their own, which no quality makes.

Source: ITU-T T.81, B.2.2, B.2.4.1 and table K.1; ``jpeg_set_quality`` of libjpeg.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import NamedTuple

from recordkit.formats.images.image_header import JPEG_FRAMES, PROGRESSIVE, jpeg_segments

_QUANTISATION_TABLES = 0xDB
_TABLE_SIZE = 64
# The luma table of the standard in zigzag order: that of quality 50.
_LUMA = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40, 26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61,
    60, 57, 51, 56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87, 95, 98, 103, 104, 103, 62, 77, 113,
    121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
# Sampling of chroma by the factors of three components, each two hexadecimal digits, horizontal first.
_SAMPLINGS: dict[tuple[int, ...], int] = {
    (0x11, 0x11, 0x11): 444,
    (0x12, 0x11, 0x11): 440,
    (0x21, 0x11, 0x11): 422,
    (0x22, 0x11, 0x11): 420,
    (0x41, 0x11, 0x11): 411,
    (0x42, 0x11, 0x11): 410,
}


class JpegEncoding(NamedTuple):
    """Facts in the header of a JPEG.

    Attributes
    ----------
    n_components : int
        1 gray, 3 colour, 4 CMYK; 0 if the header is damaged.
    progressive : bool
    sampling : int
        Of the chroma: 444, 440, 422, 420, 411 or 410; 0 for any other, and for gray and CMYK.
    quality : int
        1 to 100; 0 if libjpeg makes the luma table at no quality.
    """

    n_components: int
    progressive: bool
    sampling: int
    quality: int


def read(payload: bytes) -> JpegEncoding:
    """Read the header of a JPEG, up to its first scan.

    Parameters
    ----------
    payload : bytes

    Examples
    --------
    >>> read(b"")
    JpegEncoding(n_components=0, progressive=False, sampling=0, quality=0)
    """
    tables: dict[int, tuple[int, ...]] = {}
    n_components, progressive, luma = 0, False, 0
    factors: tuple[int, ...] = ()
    try:
        for segment in jpeg_segments(payload):
            content = payload[segment.content : segment.end]
            if segment.marker == _QUANTISATION_TABLES:
                tables |= _read_tables(content)
            elif segment.marker in JPEG_FRAMES and len(content) >= 6 + 3 * content[5] > 6:
                n_components, progressive = content[5], segment.marker in PROGRESSIVE
                factors, luma = tuple(content[7 : 6 + 3 * n_components : 3]), content[8] & 3
    except (struct.error, IndexError):
        pass  # the file ends inside its header, which the decoder reports
    return JpegEncoding(
        n_components, progressive, _SAMPLINGS.get(factors, 0), _qualities().get(tables.get(luma, ()), 0)
    )


def _read_tables(content: bytes) -> dict[int, tuple[int, ...]]:
    """Return the tables of a segment by number."""
    tables: dict[int, tuple[int, ...]] = {}
    offset = 0
    while offset < len(content):
        entry, number = (">64H" if content[offset] >> 4 else ">64B"), content[offset] & 15
        end = offset + 1 + struct.calcsize(entry)
        if end > len(content) or number > 3:
            break
        tables[number] = struct.unpack_from(entry, content, offset + 1)
        offset = end
    return tables


@cache
def _qualities() -> dict[tuple[int, ...], int]:
    """Return the quality for each luma table that libjpeg makes."""
    percents = {quality: 5000 // quality if quality < 50 else 200 - 2 * quality for quality in range(1, 101)}
    return {
        tuple(min(max((entry * percent + 50) // 100, 1), 255) for entry in _LUMA): quality
        for quality, percent in percents.items()
    }
