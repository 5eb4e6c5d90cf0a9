"""Tests of recordkit.formats.images.stored_shape."""

import struct
import zlib

import pytest
from pixel_kinds import every_kind

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats.images import stored_shape


def decoded_shape(payload):
    try:
        return codec.decode(payload, channels="keep").shape
    except ImageError:
        return None


def test_the_header_tells_the_shape_that_decoding_gives():
    files = [(kind, payload) for kind, payloads in every_kind().items() for payload in payloads]
    shapes = [
        (kind, stored_shape.read(payload, codec.sniff(payload)), decoded_shape(payload)) for kind, payload in files
    ]
    assert [each for each in shapes if each[1] is not None and each[2] is not None and each[1] != each[2]] == []
    assert sum(read is not None for _, read, _ in shapes) > 200


@pytest.mark.parametrize("payload", [b"", b"hello", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR"])
def test_no_shape_without_a_header(payload):
    assert stored_shape.read(payload, codec.sniff(payload)) is None


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def ihdr(width=3, height=2, bit_depth=8, color_type=2):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bit_depth, color_type, 0, 0, 0))


IDAT = chunk(b"IDAT", zlib.compress(bytes(2 * (1 + 3 * 3))))
TRANSPARENT = chunk(b"tRNS", bytes(6))
TEXT = chunk(b"tEXt", b"Comment\0IDAT tRNS")


@pytest.mark.parametrize(
    ("chunks", "shape"),
    [
        ((ihdr(), IDAT), (2, 3, 3)),
        ((ihdr(), TEXT, IDAT), (2, 3, 3)),
        ((ihdr(), TEXT, TRANSPARENT, IDAT), None),
        ((ihdr(), IDAT, TRANSPARENT), None),
        ((ihdr(), ihdr(width=1), IDAT), None),
        ((ihdr(bit_depth=7), IDAT), None),
        ((ihdr(bit_depth=4), IDAT), None),
        ((ihdr(color_type=7), IDAT), None),
        ((ihdr(width=2**31 - 1, height=2**31 - 1), IDAT), None),
    ],
)
@pytest.mark.parametrize("view", [bytes, memoryview])
def test_the_chunks_of_a_png_decide_whether_its_header_tells_the_shape(chunks, shape, view):
    payload = b"\x89PNG\r\n\x1a\n" + b"".join((*chunks, chunk(b"IEND", b"")))
    assert stored_shape.read(view(payload), "png") == shape
    if shape:
        assert decoded_shape(payload) == shape


def test_a_png_that_ends_in_its_header_has_no_shape():
    assert stored_shape.read(b"\x89PNG\r\n\x1a\n" + ihdr()[:16], "png") is None
