"""The header of a JPEG tells how it was encoded, and of no other file."""

import images
import pytest

from recordkit.formats.images import jpeg_encoding


@pytest.mark.parametrize("quality", [*range(1, 101)])
def test_the_quality_of_pillow_is_estimated_exactly(quality):
    payload = images.save(images.picture(images.pixels(8, 8)), "JPEG", quality=quality)
    assert jpeg_encoding.read(payload).quality == quality


@pytest.mark.parametrize(("name", "expected"), [("4:4:4", 444), ("4:2:2", 422), ("4:2:0", 420)])
def test_the_sampling_of_chroma_is_read(name, expected):
    payload = images.save(images.picture(), "JPEG", subsampling=name)
    assert jpeg_encoding.read(payload)[:3] == (3, False, expected)


@pytest.mark.parametrize(("factors", "expected"), [((1, 2), 440), ((4, 1), 411), ((4, 2), 410), ((3, 1), 0)])
def test_rare_sampling_is_read_and_others_are_unknown(factors, expected):
    assert jpeg_encoding.read(images.sampled_jpeg(*factors, 2, 2)).sampling == expected


def test_gray_cmyk_and_progressive_files_are_told_apart():
    picture = images.picture()
    encodings = [
        jpeg_encoding.read(images.save(picture.convert(mode), "JPEG", progressive=progressive))[:3]
        for mode, progressive in (("L", False), ("CMYK", False), ("RGB", True))
    ]
    assert encodings == [(1, False, 0), (4, False, 0), (3, True, 420)]


def test_tables_of_no_quality_are_unknown():
    payload = images.save(images.picture(), "JPEG", qtables=[[7] * 64, [9] * 64])
    assert jpeg_encoding.read(payload).quality == 0


@pytest.mark.parametrize("size", [0, 1, 3, 20, 100, 200, 400])
def test_a_truncated_header_is_no_error(size):
    assert jpeg_encoding.read(images.save(images.picture(), "JPEG")[:size]).n_components in (0, 3)
