"""Small files of every format that ask a decoder for much memory or time."""

import io
import struct
import zlib

import numpy as np
from images import huge_jpeg, huge_png, many_scans, picture, png_chunk, save
from PIL import Image

from recordkit.formats.images.image_parts import MAX_SCANS

_SIDE = 2_000
_ONE_IMAGE = _SIDE * _SIDE


def _png(*chunks, side=8):
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + png_chunk(b"IEND", b"")


def _data(n_bytes):
    return png_chunk(b"IDAT", zlib.compress(bytes(n_bytes)))


_ROWS = _data(8 * (1 + 3 * 8))


def _segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def _tiff(fields, data=b"", after=b""):
    """Return a TIFF whose directory has these (tag, type, count, value); data begin at byte 8."""
    directory = struct.pack("<H", len(fields)) + b"".join(struct.pack("<HHII", *field) for field in sorted(fields))
    return b"II*\0" + struct.pack("<I", 8 + len(data)) + data + directory + bytes(4) + after


def _tiff_image(data, side, *, compression, strip=True):
    tiles = [(273, 4, 1, 8), (278, 4, 1, side), (279, 4, 1, len(data))]
    if not strip:
        tiles = [(322, 4, 1, side), (323, 4, 1, side), (324, 4, 1, 8), (325, 4, 1, len(data))]
        side = 16
    sizes = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (277, 3, 1, 1)]
    return _tiff([*sizes, (259, 3, 1, compression), (262, 3, 1, 1), *tiles], data)


def _shared_fields(n):
    """Return a directory of fields that all have the same 100 kB."""
    fields = [(tag, 7, 100_000, 8) for tag in range(1_000, 1_000 + n)]
    return [(256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 64), *fields]


def _exif_bomb():
    """Return EXIF whose fields all have its 60 kB."""
    fields = [(tag, 7, 60_000, 8) for tag in range(1_000, 5_000)]
    block = _tiff(fields)
    return b"Exif\0\0" + block + bytes(65_000 - len(block))


def _bmp(width, height, compression, data):
    head = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, compression, len(data), 0, 0, 2, 0)
    body = head + bytes(8) + data
    return b"BM" + struct.pack("<IHHI", 14 + len(body), 0, 0, 14 + len(head) + 8) + body


def _gif(width, height, n_frames=1):
    frame = b"\x2c" + bytes(4) + struct.pack("<HH", 1, 1) + b"\0\x02\x02\x44\x01\0"
    screen = struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return b"GIF89a" + screen + frame * n_frames + b"\x3b"


def _webp(width, height):
    payload = bytearray(save(picture(), "WEBP", exif=b"Exif\0\0II*\0" + bytes(8)))
    payload[24:27], payload[27:30] = (width - 1).to_bytes(3, "little"), (height - 1).to_bytes(3, "little")
    return bytes(payload)


def bombs():
    """Return the files by name."""
    jpeg, gray = save(picture(), "JPEG"), Image.new("L", (_SIDE, _SIDE), 128)
    zeros = zlib.compress(bytes(50 << 20))
    large = Image.fromarray(np.zeros((_SIDE, _SIDE, 3), np.uint8))
    in_tiff = io.BytesIO()
    gray.save(in_tiff, "TIFF", compression="jpeg")
    return {
        "JPEG of 60,000 x 60,000": huge_jpeg(),
        "JPEG, progressive": save(large, "JPEG", progressive=True, subsampling=0, quality=20),
        "JPEG of 306 scans": many_scans(306, 2_400),
        "JPEG of the most scans": many_scans(MAX_SCANS, 1_600),
        "JPEG of a million segments": jpeg[:2] + _segment(0xFE, b"") * 1_000_000 + jpeg[2:],
        "JPEG of 9,000 EXIF blocks": jpeg[:2] + _segment(0xE1, b"Exif\0\0" + bytes(200)) * 9_000 + jpeg[2:],
        "JPEG, EXIF of shared bytes": jpeg[:2] + _segment(0xE1, _exif_bomb()) + jpeg[20:],
        "PNG of 60,000 x 60,000": huge_png(),
        "PNG, 50 MB after its pixels": _png(png_chunk(b"IDAT", zeros)),
        "PNG, text of 50 MB": _png(png_chunk(b"zTXt", b"Title\0\0" + zeros), _ROWS),
        "PNG, profile of 50 MB": _png(png_chunk(b"iCCP", b"sRGB\0\0" + zeros), _ROWS),
        "PNG of 100,000 data chunks": _png(*[png_chunk(b"IDAT", b"")] * 100_000, _ROWS),
        "PNG of a million chunks": _png(*[png_chunk(b"tIME", b"")] * 1_000_000, _ROWS),
        "GIF of 65,535 x 65,535": _gif(65_535, 65_535),
        "GIF of a million frames": _gif(1, 1, 1_000_000),
        "TIFF, tile of 120 MB by deflate": _tiff_image(
            zlib.compress(bytes(121_000_000)), 11_000, compression=8, strip=False),
        "TIFF, strip by deflate": _tiff_image(zlib.compress(bytes(_ONE_IMAGE)), _SIDE, compression=8),
        "TIFF, strip by LZW": save(gray, "TIFF", compression="tiff_lzw"),
        "TIFF, strip by PackBits": _tiff_image(b"\x81\0" * (_ONE_IMAGE // 128 + 1), _SIDE, compression=32773),
        "TIFF, JPEG": in_tiff.getvalue(),
        "TIFF, fields of shared bytes": _tiff(_shared_fields(6_000), bytes(100_000)),
        "WebP of 16,384 x 16,384": _webp(16_384, 16_384),
        "BMP, jumps over its end": _bmp(80_000_000, 1, 1, b"\0\2\xff\xff\0\1"),
        "BMP, rows filled in Python": _bmp(8_000, 8_000, 1, b"\0\0" * 8_000 + b"\0\1"),
        "Netpbm of 99,999 x 99,999": b"P6\n99999 99999\n255\n",
        "Netpbm of 16 bits": b"P5\n%d %d\n9999\n" % (_SIDE, _SIDE) + bytes(2 * _ONE_IMAGE),
        "Netpbm, plain text": b"P3\n1000 1000\n255\n" + b"1 " * 3_000_000,
    }  # fmt: skip
