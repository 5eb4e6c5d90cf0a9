"""16-bit PNGs: every colour type, filter and interlacing, and damage."""

import contextlib
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import huge_png, png, png_chunk

from recordkit.errors import ImageError
from recordkit.formats.images import deep_png

IMAGE = np.random.default_rng(5).integers(0, 65536, (11, 13, 4), np.uint16)
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def filtered(samples, types):
    """Return rows with the filter types, by the specification's definitions, byte by byte."""
    rows = samples.astype(">u2").view(np.uint8).reshape(len(samples), -1).astype(int)
    n = 2 * samples.shape[2]
    stream = b""
    for y, row in enumerate(rows):
        left = np.concatenate([np.zeros(n, int), row[:-n]])
        above = rows[y - 1] if y else np.zeros_like(row)
        corner = np.concatenate([np.zeros(n, int), above[:-n]])
        distances = [abs(left + above - corner - each) for each in (left, above, corner)]
        paeth = np.choose(np.argmin(distances, 0), [left, above, corner])
        kind = types[y % len(types)]
        prediction = [0, left, above, (left + above) // 2, paeth][kind]
        stream += bytes([kind]) + ((row - prediction) % 256).astype(np.uint8).tobytes()
    return stream


def file_of(stream, width, height, color_type, interlace=0, extra=b"", depth=16):
    head = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color_type, 0, 0, interlace))
    data = zlib.compress(stream)
    parts = png_chunk(b"IDAT", data[:7]) + png_chunk(b"IDAT", data[7:])  # a stream may be cut anywhere
    return SIGNATURE + head + extra + parts + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_encode_and_decode_keep_every_bit(channels):
    image = IMAGE[:, :, :channels]
    assert np.array_equal(deep_png.decode(deep_png.encode(image)), image)


def test_golden_bytes():
    head = "89504e470d0a1a0a 0000000d49484452 00000001 00000002 10 00 00 00 00"
    payload = deep_png.encode(np.array([[[1]], [[258]]], np.uint16), level=0)
    assert payload.hex().startswith(head.replace(" ", ""))
    rows = zlib.decompress(payload[41:-16])
    assert rows.hex(" ") == "02 00 01 02 01 01"  # filter up: 0x0001, then 0x0102 less 0x0001 byte by byte


@pytest.mark.parametrize("types", [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]])
@pytest.mark.parametrize(("color_type", "channels"), [(0, 1), (2, 3), (6, 4)])
def test_every_filter_is_undone(types, color_type, channels):
    image = IMAGE[:, :, :channels]
    payload = file_of(filtered(image, types), 13, 11, color_type)
    assert np.array_equal(deep_png.decode(payload), image)


@pytest.mark.parametrize(("height", "width"), [(11, 13), (1, 1), (3, 2), (8, 8)])
def test_an_interlaced_image_is_decoded(height, width):
    image = IMAGE[:height, :width, :3]
    passes = [image[0::8, 0::8], image[0::8, 4::8], image[4::8, 0::4], image[0::4, 2::4]]
    passes += [image[2::4, 0::2], image[0::2, 1::2], image[1::2, 0::1]]
    stream = b"".join(filtered(each, [4, 1]) for each in passes if each.size)
    assert np.array_equal(deep_png.decode(file_of(stream, width, height, 2, interlace=1)), image)


def test_gray_with_alpha_and_a_transparent_colour_have_four_channels():
    both = deep_png.decode(png(IMAGE[:, :, :2], 4))
    assert np.array_equal(both, IMAGE[:, :, [0, 0, 0, 1]])
    color = IMAGE[:, :, :3].copy()
    color[2, 3] = (1, 2, 3)
    payload = file_of(filtered(color, [0]), 13, 11, 2, extra=png_chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    got = deep_png.decode(payload)
    assert np.array_equal(got[:, :, :3], color) and (got[:, :, 3] == 0).sum() == 1 and got[2, 3, 3] == 0


@pytest.mark.parametrize("payload", [b"", b"\xff\xd8\xff", file_of(b"\0\0", 1, 1, 0, depth=8)])
def test_other_images_are_none(payload):
    assert deep_png.decode(payload) is None


ONE_ROW = filtered(IMAGE[:1, :, :3], [0])


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (deep_png.encode(IMAGE)[:-13], "expected an IEND chunk, got the end"),
        (deep_png.encode(IMAGE).replace(b"IDAT", b"IDAT\x01", 1), "expected"),
        (file_of(b"", 1, 1, 3), "expected a colour type of 0, 2, 4 or 6"),
        (file_of(b"", 1, 1, 2, interlace=2), "expected a colour type .* and known methods"),
        (file_of(ONE_ROW[:-1], 13, 1, 2), "expected 79 bytes of rows, got 78"),
        (file_of(b"\x05" + ONE_ROW[1:], 13, 1, 2), "expected filter types of 0 to 4, got 5"),
        (SIGNATURE + huge_png()[8:24] + b"\x10" + huge_png()[25:], "expected"),
    ],
)
def test_damage_is_named(payload, message):
    with pytest.raises(ImageError, match=message):
        deep_png.decode(payload)


def test_a_changed_bit_is_noticed():
    payload = bytearray(deep_png.encode(IMAGE))
    payload[60] ^= 1
    with pytest.raises(ImageError, match="expected the checksum of the IDAT chunk, got another"):
        deep_png.decode(bytes(payload))


@given(st.binary(max_size=200), st.integers(8, 60))
def test_arbitrary_bytes_are_an_image_none_or_an_image_error(noise, begin):
    payload = bytearray(deep_png.encode(IMAGE[:2, :2]))
    payload[begin : begin + len(noise)] = noise
    with contextlib.suppress(ImageError):
        deep_png.decode(bytes(payload))
