"""Transparency of encoded images."""

import struct
import zlib

import numpy as np
import pytest

from recordkit import codec
from recordkit.training.data.transparency import decode_with_alpha, has_transparency, may_be_transparent


def png(rows, n_bits, color_type=0, transparent=b""):
    """A PNG of two pixels a row; the rows are bytes."""
    head = struct.pack(">IIBBBBB", 2, len(rows), n_bits, color_type, 0, 0, 0)
    chunks = [(b"IHDR", head), *([(b"tRNS", transparent)] if transparent else [])]
    chunks += [(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


@pytest.mark.parametrize(
    ("n_bits", "row", "transparent", "levels"),
    [
        (1, b"\x40", 1, [0, 255]),
        (2, b"\xb0", 3, [170, 255]),
        (4, b"\x9f", 15, [153, 255]),
        (8, b"\x09\x80", 128, [9, 128]),
        (16, b"\x80\x00\x80\x01", 0x8001, [128, 128]),
    ],
)
def test_a_transparent_level_of_a_gray_png_becomes_a_fourth_channel(n_bits, row, transparent, levels):
    payload = png([row], n_bits, transparent=struct.pack(">H", transparent))
    assert may_be_transparent(payload)
    image = decode_with_alpha(payload)
    assert image[0, :, 0].tolist() == levels and image[0, :, 3].tolist() == [255, 0]
    assert has_transparency(image)


def test_the_header_of_a_png_tells_whether_it_may_be_transparent():
    assert not may_be_transparent(png([b"\x09\x80"], 8))
    assert may_be_transparent(png([b"\x09\xff\x80\x00"], 8, color_type=4))
    assert may_be_transparent(png([b"123456"], 8, color_type=2, transparent=b"\0\1\0\2\0\3"))
    assert not may_be_transparent(png([b"\x09\x80"], 8)[:20])
    assert not may_be_transparent(codec.encode(np.zeros((2, 2, 3), np.uint8), "jpg"))
    assert may_be_transparent(codec.encode(np.zeros((2, 2, 4), np.uint8), "raw"))


def test_other_images_keep_their_channels():
    for n_channels in (1, 3, 4):
        image = np.zeros((2, 2, n_channels), np.uint8)
        assert np.array_equal(decode_with_alpha(codec.encode(image, "png")), image)
