"""Which parts of a JPEG and a PNG decoders see, and the limits on their number."""

import io

import numpy as np
import pytest
from images import animation, every_format, exif, many_scans, picture, png_chunk, save
from PIL import Image, ImageCms

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.formats.images.image_parts import MAX_SCANS, split

FORMATS = every_format()
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
JPEG, PNG = FORMATS["jpg"], FORMATS["png"]


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def insert(payload, segments):
    """Put segments after the first two bytes of a JPEG, or chunks after the header of a PNG."""
    place = 2 if payload.startswith(b"\xff\xd8") else 33
    return payload[:place] + segments + payload[place:]


@pytest.mark.parametrize("name", [name for name in FORMATS if "exif" not in name])
def test_a_file_of_nothing_else_is_kept_whole(name):
    payload = FORMATS[name]
    assert split(payload, codec.sniff(payload)) == (payload, b"")


@pytest.mark.parametrize(
    "segments",
    [
        segment(0xFE, b"a comment"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"MPF\0"),
        segment(0xED, b"Photoshop 3.0\0008BIM"),
        segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"),
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b"JFXX\0\x10"),
        segment(0xEE, b"Adobe"),
        segment(0xEE, b""),
    ],
)
def test_segments_that_do_not_decide_pixels_are_left_out(segments):
    assert split(insert(JPEG, segments * 3), "jpg") == (JPEG, b"")
    assert np.array_equal(codec.decode(insert(JPEG, segments)), codec.decode(JPEG))


@pytest.mark.parametrize("kind", [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"bKGD", b"tIME", b"prVt"])
@pytest.mark.parametrize("content", [b"", b"\0", b"interlace\0\0", b"transparency\0\x01x", bytes(40)])
def test_chunks_that_do_not_decide_pixels_are_left_out(kind, content):
    chunk = png_chunk(kind, content)
    assert split(insert(PNG, chunk * 3), "png") == (PNG, b"")
    assert split(PNG[:-12] + chunk + PNG[-12:], "png") == (PNG, b"")


def test_the_exif_block_is_the_first_one():
    first, second = exif(6).tobytes(), exif(3).tobytes()
    jpeg = insert(JPEG, segment(0xE1, first) + segment(0xE1, second))
    assert split(jpeg, "jpg") == (JPEG, first[6:])
    assert codec.orientation(jpeg) == 6 and codec.decode(jpeg).shape[:2] == (11, 9)
    for encoding in ("PNG", "WEBP"):
        payload = save(picture(), encoding, exif=exif(8))
        assert split(payload, codec.sniff(payload)).exif == exif(8).tobytes()[6:]


def test_exif_after_the_data_of_a_png_counts_and_damaged_exif_does_not():
    chunk = bytearray(png_chunk(b"eXIf", exif(6).tobytes()[6:]))
    assert codec.orientation(PNG[:-12] + chunk + PNG[-12:]) == 6
    chunk[-1] ^= 1
    assert codec.orientation(PNG[:-12] + chunk + PNG[-12:]) == 1


def test_only_the_first_picture_of_several_is_opened():
    payload = save(picture(), "MPO", save_all=True, append_images=[picture()])
    with Image.open(io.BytesIO(payload)) as image:
        assert image.format == "MPO"
    with Image.open(io.BytesIO(split(payload, "jpg").pixels)) as image:
        assert image.format == "JPEG"


def test_colour_markers_are_kept():
    cmyk = save(picture(mode="CMYK"), "JPEG", icc_profile=PROFILE)
    parts = split(cmyk, "jpg").pixels
    assert b"Adobe" in parts and b"ICC_PROFILE" not in parts
    assert np.array_equal(codec.decode(cmyk), codec.decode(save(picture(mode="CMYK"), "JPEG")))


@pytest.mark.parametrize("n", [10, MAX_SCANS])
def test_a_jpeg_may_have_scans_up_to_the_limit(n):
    assert codec.decode(many_scans(n)).shape == (8, 8, 3)


def test_one_scan_more_is_refused():
    with pytest.raises(ImageError, match="expected a JPEG of at most 100 scans, got more"):
        codec.decode(many_scans(MAX_SCANS + 1))


def test_scans_behind_the_bytes_of_an_end_in_a_segment_count():
    payload = many_scans(MAX_SCANS + 50)
    last = payload.rindex(b"\xff\xda", 0, len(payload) // 2)
    with pytest.raises(ImageError, match="at most 100 scans"):
        codec.decode(payload[:last] + segment(0xFE, b"\xff\xd9") + payload[last:])


def test_markers_inside_segments_and_behind_the_end_are_no_scans():
    noise = b"\xff\xda" * 500
    payload = insert(JPEG, segment(0xFE, noise))
    assert codec.decode(payload + noise).shape == (9, 11, 3)
    payload = many_scans(MAX_SCANS)
    last = payload.rindex(b"\xff\xda")
    assert codec.decode(payload[:last] + segment(0xFE, noise) + payload[last:]).shape == (8, 8, 3)


@pytest.mark.parametrize(
    ("payload", "parts"),
    [
        (insert(JPEG, segment(0xFE, b"") * 20_000), "segments"),
        (insert(PNG, png_chunk(b"tIME", b"") * 20_000), "chunks"),
    ],
)
def test_too_many_parts_are_refused(payload, parts):
    with pytest.raises(ImageError, match=f"expected at most 1\\d{{4}} {parts} in a file of {len(payload)} bytes"):
        codec.decode(payload)


def test_many_parts_of_a_large_file_are_allowed():
    payload = insert(PNG, png_chunk(b"IDAT", b"") * 9_000)
    assert np.array_equal(codec.decode(payload), codec.decode(PNG))
    payload = insert(PNG, png_chunk(b"juNK", bytes(1012)) * 12_000)
    assert np.array_equal(codec.decode(payload), codec.decode(PNG))


@pytest.mark.parametrize("name", ["jpg", "jpg progressive", "png", "apng", "webp"])
def test_any_cut_is_split(name):
    payload = animation("PNG") if name == "apng" else FORMATS[name]
    for size in range(len(payload)):
        split(payload[:size], codec.sniff(payload))
