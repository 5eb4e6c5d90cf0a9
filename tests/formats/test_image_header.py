"""Sizes by the header are those that Pillow reads, and damaged headers have none."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import every_format, picture, sampled_jpeg, save
from PIL import Image

from recordkit import codec
from recordkit.formats import netpbm
from recordkit.formats.images import image_header

FORMATS = every_format()
BLOCK_BYTES = 128


def header_of(payload):
    kind = codec.sniff(payload)
    return netpbm.size(payload) if kind == "raw" else image_header.read(payload, kind)


@pytest.mark.parametrize("name", FORMATS)
def test_the_size_is_the_one_that_pillow_reads(name):
    header = header_of(FORMATS[name])
    with Image.open(io.BytesIO(FORMATS[name])) as image:
        assert (header.width, header.height) == image.size


@pytest.mark.parametrize("options", [{"big_tiff": True}, {"compression": "tiff_lzw"}, {"tiffinfo": {269: "x" * 99}}])
def test_the_size_of_other_tiffs(options):
    assert header_of(save(picture(), "TIFF", **options))[:2] == (33, 24)


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}])
def test_the_size_of_each_kind_of_webp(options):
    assert header_of(save(picture(), "WEBP", **options))[:2] == (33, 24)


def test_a_gif_is_as_large_as_its_screen_and_its_first_frame():
    payload = bytes.fromhex("47494638396102000300000000 21f90400000000 00 2c0500060004000100")
    assert header_of(payload)[:2] == (9, 7)


@pytest.mark.parametrize(
    ("payload", "n_blocks"),
    [
        (save(picture(), "JPEG"), 0),
        (save(picture(), "JPEG", progressive=True, subsampling=2), 3 * 2 * 6),  # 33 x 24 pixels are 3 x 2 groups
        (save(picture(), "JPEG", progressive=True, subsampling=0), 5 * 3 * 3),
        (sampled_jpeg(2, 1, 2, 4), 0),
    ],
)
def test_coefficients_are_counted_if_a_decoder_keeps_them(payload, n_blocks):
    assert header_of(payload).coefficient_bytes == n_blocks * BLOCK_BYTES


def test_a_jpeg_with_a_scan_for_each_component_keeps_its_coefficients():
    payload = bytearray(save(picture(), "JPEG", subsampling=0))
    scan = payload.index(b"\xff\xda")
    payload[scan + 4] = 1  # components of the first scan
    assert header_of(bytes(payload)).coefficient_bytes == 5 * 3 * 3 * BLOCK_BYTES


@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)))
def test_damaged_headers_raise_nothing(data, name):
    payload = bytearray(FORMATS[name])
    for index in data.draw(st.lists(st.integers(0, min(len(payload), 200) - 1), max_size=6)):
        payload[index] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(payload)))
    for damaged in (payload, payload[:cut]):
        header_of(bytes(damaged))
        assert codec.decode_bytes(bytes(damaged)) >= 0
