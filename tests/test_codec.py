"""Decoding and encoding of all kinds of images, also damaged ones, compared with OpenCV."""

import contextlib
import io
import struct
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import (
    animation,
    every_format,
    exif,
    huge_jpeg,
    huge_png,
    noise,
    picture,
    pixels,
    png,
    png_chunk,
    save,
)
from PIL import Image

from recordkit import codec
from recordkit.errors import ImageError
from recordkit.sample import MAX_PIXELS

FORMATS = every_format()
# EXIF orientation to the transform of an upright image that it describes.
TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


def luma(image):
    """Return 0.299 R + 0.587 G + 0.114 B in float64."""
    return (image[:, :, :3] @ np.array([0.299, 0.587, 0.114]))[:, :, None]


def close(a, b, bound):
    assert a.shape == b.shape
    return np.abs(a.astype(float) - b).max() <= bound


def as_opencv(cv2, payload, flag):
    """Decode with OpenCV, to RGB(A) or gray of shape (H, W, C)."""
    image = cv2.imdecode(np.frombuffer(payload, np.uint8), flag)
    image = image[:, :, None] if image.ndim == 2 else image[:, :, [2, 1, 0, 3][: image.shape[2]]]
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


@pytest.fixture(scope="session")
def cv2():
    return pytest.importorskip("cv2", reason="OpenCV is not installed")


@pytest.mark.parametrize(("channels", "shape"), [(3, (24, 33, 3)), (1, (24, 33, 1)), ("keep", (24, 33, 3))])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"keep_rgb": True}])
def test_a_colour_jpeg_decodes_in_each_number_of_channels(options, channels, shape):
    image = codec.decode(save(picture(), "JPEG", quality=95, **options), channels=channels)
    assert image.shape == shape and image.dtype == np.uint8
    assert close(image, luma(pixels()) if channels == 1 else pixels(), 12)


def test_the_gray_of_a_jpeg_is_its_luma_plane():
    payload = save(picture(noise(16, 16)), "JPEG", quality=60)
    with Image.open(io.BytesIO(payload)) as file:
        file.draft("L", file.size)
        assert np.array_equal(codec.decode(payload, channels=1)[:, :, 0], np.asarray(file))


@pytest.mark.parametrize(("channels", "n"), [(3, 3), (1, 1), ("keep", 1)])
def test_a_gray_jpeg_stays_gray_unless_three_channels_are_requested(channels, n):
    image = codec.decode(save(picture(mode="L"), "JPEG", quality=95), channels=channels)
    assert image.shape == (24, 33, n)
    assert close(image, np.repeat(np.asarray(picture(mode="L"))[:, :, None], n, 2), 3)


@pytest.mark.parametrize("channels", [3, "keep"])
def test_cmyk_and_ycck_jpegs_become_rgb(channels):
    cmyk = picture(mode="CMYK")
    payload = save(cmyk, "JPEG", quality=95)
    assert close(codec.decode(payload, channels=channels), pixels(), 12)
    # These coefficients, marked as YCCK, mean Y, Cb and Cr of the inverted colour, and K.
    adobe = payload.index(b"Adobe\0") + 11
    ycck = payload[:adobe] + b"\x02" + payload[adobe + 1 :]
    assert codec.decode(ycck, channels=channels).shape == (24, 33, 3)


@pytest.mark.parametrize("channels", [3, 1, "keep"])
@pytest.mark.parametrize("transform", [b"\x00", b"\x02"])
def test_cmyk_and_ycck_are_within_2_levels_of_opencv(cv2, transform, channels):
    payload = save(picture(mode="CMYK"), "JPEG", quality=95)
    adobe = payload.index(b"Adobe\0") + 11
    payload = payload[:adobe] + transform + payload[adobe + 1 :]
    assert close(
        codec.decode(payload, channels=channels), as_opencv(cv2, payload, {3: 1, 1: 0, "keep": -1}[channels]), 2
    )


def test_the_gray_of_several_jpegs_in_a_file_is_the_luma_plane_of_the_first():
    others = {"save_all": True, "append_images": [picture(noise(9, 7))]}
    payload = save(picture(noise(16, 16)), "MPO", **others)
    assert np.array_equal(
        codec.decode(payload, channels=1), codec.decode(save(picture(noise(16, 16)), "JPEG"), channels=1)
    )


def test_a_png_is_read_without_its_damaged_ancillary_chunks():
    payload = FORMATS["png rgba"]
    chunk = bytearray(png_chunk(b"tRNS", b"1"))
    chunk[-1] ^= 1
    damaged = payload[:33] + bytes(chunk) + png_chunk(b"tEXt", b"Title\0any") + payload[33:]
    assert np.array_equal(codec.decode(damaged, channels="keep"), codec.decode(payload, channels="keep"))


def test_a_png_with_a_damaged_critical_chunk_is_refused():
    payload = bytearray(FORMATS["png"])
    payload[32] ^= 1  # the CRC of IHDR
    with pytest.raises(ImageError, match="bytes that do not decode"):
        codec.decode(bytes(payload))


def test_a_lab_tiff_is_read_in_each_number_of_channels():
    payload = save(Image.new("LAB", (3, 2), (128, 0, 0)), "TIFF")
    assert [codec.decode(payload, channels=channels).shape[2] for channels in (1, 3, 4, "keep")] == [1, 3, 4, 3]


def test_16_bit_gray_keeps_the_high_byte():
    payload = png(np.array([[[40_000], [255]], [[256], [65_535]]]), 0)
    assert codec.decode(payload, channels="keep")[:, :, 0].tolist() == [[156, 0], [1, 255]]
    assert codec.decode(payload)[0, 0].tolist() == [156, 156, 156]
    assert codec.decode(payload, channels=1).shape == (2, 2, 1)


@pytest.mark.parametrize(("dtype", "kind"), [(np.int32, "32 bits or signed numbers"), (np.float32, "floats")])
@pytest.mark.parametrize("channels", [1, 3, "keep"])
def test_a_tiff_whose_white_is_not_known_is_refused(dtype, kind, channels):
    payload = save(Image.fromarray(pixels(8, 9)[:, :, 0].astype(dtype)), "TIFF")
    with pytest.raises(ImageError, match=f"expected samples of 8 or 16 bits, got {kind}; convert the image to 8 bits"):
        codec.decode(payload, channels=channels)


def test_decode_deep_keeps_all_16_bits():
    samples = np.array([[[40_000], [255]], [[256], [65_535]]])
    deep = codec.decode_deep_gray(png(samples, 0))
    assert deep.dtype == np.uint16 and deep.tolist() == samples[:, :, 0].tolist()


@pytest.mark.parametrize("name", ["png", "png 1 bit", "jpg", "raw gray"])
def test_decode_deep_returns_none_for_other_images(name):
    assert codec.decode_deep_gray(FORMATS[name]) is None


def test_decode_deep_returns_none_for_16_bit_colour():
    assert codec.decode_deep_gray(png(np.full((2, 2, 3), 700), 2)) is None


def test_decode_deep_refuses_a_damaged_png():
    payload = png(np.full((60, 60, 1), 700), 0)
    with pytest.raises(ImageError, match="bytes that do not decode"):
        codec.decode_deep_gray(payload[:60])


@pytest.mark.parametrize(("color_type", "n"), [(2, 3), (6, 4)])
def test_16_bit_colour_keeps_the_high_bytes(color_type, n):
    samples = np.arange(2 * 3 * n).reshape(2, 3, n) * 2_500 + 200
    assert np.array_equal(codec.decode(png(samples, color_type), channels="keep"), samples >> 8)
    assert np.array_equal(codec.decode(png(samples, color_type)), samples[:, :, :3] >> 8)


def test_a_palette_becomes_rgb():
    palette = picture().quantize(16)
    for encoding in ("PNG", "GIF", "BMP"):
        for channels in (3, "keep"):
            image = codec.decode(save(palette, encoding), channels=channels)
            assert np.array_equal(image, np.asarray(palette.convert("RGB")))


def test_a_palette_with_transparency_is_stored_as_rgba_and_keeps_its_colours_without_alpha():
    palette = picture().quantize(4)
    payload = save(palette, "PNG", transparency=bytes([0, 85, 170, 255]))
    stored = codec.decode(payload, channels="keep")
    assert stored.shape == (24, 33, 4) and set(np.unique(stored[:, :, 3])) == {0, 85, 170, 255}
    assert np.array_equal(codec.decode(payload), np.asarray(palette.convert("RGB")))


def test_a_transparent_colour_is_alpha_too():
    image = pixels()
    payload = save(picture(), "PNG", transparency=tuple(int(v) for v in image[5, 5]))
    stored = codec.decode(payload, channels="keep")
    assert np.array_equal(stored[:, :, :3], image)
    assert stored[5, 5, 3] == 0 and stored[0, 0, 3] == 255
    assert np.array_equal(codec.decode(payload), image)


@pytest.mark.parametrize(("mode", "n_stored"), [("LA", 4), ("RGBA", 4), ("1", 1), ("L", 1), ("RGB", 3)])
def test_png_modes_are_stored_in_their_number_of_channels(mode, n_stored):
    made = picture(pixels(channels=4)).convert(mode)
    stored = codec.decode(save(made, "PNG"), channels="keep")
    expected = np.asarray(made.convert({1: "L", 3: "RGB", 4: "RGBA"}[n_stored])).reshape(24, 33, n_stored)
    assert np.array_equal(stored, expected)


def test_alpha_is_dropped_not_blended():
    image = pixels(channels=4)
    image[:, :, 3] = 0
    payload = save(picture(image), "PNG")
    assert np.array_equal(codec.decode(payload), image[:, :, :3])
    assert close(codec.decode(payload, channels=1), luma(image), 1)


@pytest.mark.parametrize("encoding", ["BMP", "TIFF", "WEBP", "GIF"])
def test_other_formats_decode(encoding):
    options = {"lossless": True} if encoding == "WEBP" else {}
    made = picture().quantize(64).convert("RGB")
    image = codec.decode(save(made, encoding, **options))
    assert close(image, np.asarray(made), 0 if encoding != "GIF" else 8)


@pytest.mark.parametrize("encoding", ["PNG", "GIF", "WEBP", "TIFF"])
def test_an_animation_decodes_to_its_first_frame(encoding):
    payload = animation(encoding)
    assert codec.has_several_pictures(payload)
    assert close(codec.decode(payload), pixels(12, 10), 0 if encoding != "GIF" else 32)


@pytest.mark.parametrize("name", ["jpg", "png", "bmp", "raw gray", "webp", "tiff"])
def test_a_still_image_has_one_picture(name):
    assert not codec.has_several_pictures(FORMATS[name])


@pytest.mark.parametrize("encoding", ["PNG", "GIF", "WEBP", "TIFF"])
def test_an_animation_of_one_frame_has_one_picture(encoding):
    assert not codec.has_several_pictures(save(picture(), encoding, save_all=True))


@pytest.mark.parametrize("payload", [huge_jpeg(), huge_png()])
def test_an_enormous_image_is_upright_and_has_one_picture(payload):
    marked = (
        payload[:-4] + b"Exif" if payload[:2] == b"\xff\xd8" else payload[:33] + png_chunk(b"acTL", b"") + payload[33:]
    )
    assert codec.orientation(marked) == 1 and not codec.has_several_pictures(marked)


@pytest.mark.parametrize("encoding", ["PNG", "GIF", "WEBP", "TIFF"])
def test_a_cut_animation_has_one_picture(encoding):
    payload = animation(encoding)
    for size in range(13):
        assert not codec.has_several_pictures(payload[:size])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP"])
def test_exif_orientation_is_applied_for_colour_and_gray_and_not_for_stored(encoding, orientation):
    upright = pixels()
    lying = TURNS[orientation](upright)
    options = {"lossless": True} if encoding == "WEBP" else {}
    payload = save(picture(np.ascontiguousarray(lying)), encoding, exif=exif(orientation), **options)
    assert close(codec.decode(payload), upright, 20)
    assert close(codec.decode(payload, channels=1), luma(upright), 8)
    assert close(codec.decode(payload, channels="keep"), lying, 20)
    assert codec.orientation(payload) == orientation


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("channels", "flag"), [(3, 1), (1, 0), ("keep", -1)])
def test_exif_orientation_is_applied_as_opencv_does(cv2, orientation, channels, flag):
    payload = save(picture(), "JPEG", exif=exif(orientation))
    assert np.array_equal(codec.decode(payload, channels=channels), as_opencv(cv2, payload, flag))


@pytest.mark.parametrize("name", ["jpg", "png", "bmp", "raw rgb"])
def test_without_exif_an_image_is_upright(name):
    assert codec.orientation(FORMATS[name]) == 1


@pytest.mark.parametrize("value", [0, 9, 600])
def test_an_orientation_that_does_not_exist_is_upright(value):
    payload = save(picture(), "JPEG", exif=exif(value))
    assert codec.orientation(payload) == 1
    assert codec.decode(payload).shape == (24, 33, 3)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")  # Pillow warns while it reads the resolution
@pytest.mark.parametrize(
    "block",
    [b"", b"junk", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\x00\x02\x01", b"II*\0\x08\0\0\0\xff\xff"],
)
def test_damaged_exif_does_not_make_an_image_bad(block):
    payload = save(picture(), "JPEG", exif=b"Exif\0\0" + block)
    assert np.array_equal(codec.decode(payload), codec.decode(save(picture(), "JPEG")))
    assert codec.orientation(payload) == 1


def test_an_orientation_in_xmp_is_not_exif():
    payload = save(picture(), "JPEG", xmp=b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>')
    assert codec.decode(payload).shape == (24, 33, 3)


def test_orientation_of_a_damaged_image_is_upright():
    assert codec.orientation(b"\xff\xd8\xff\xe1Exif") == 1


def test_an_empty_payload_is_refused():
    with pytest.raises(ImageError, match="expected an image, got 0 bytes"):
        codec.decode(b"")


@pytest.mark.parametrize("junk", [b"junk", b"\xff\xd8\xff", bytes(100)])
def test_junk_is_refused(junk):
    with pytest.raises(ImageError, match=f"expected an image, got {len(junk)} bytes that do not decode"):
        codec.decode(junk)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"%!PS-Adobe-3.0 EPSF-3.0", "EPS or PostScript"),
        (bytes.fromhex("c5d0d3c6") + bytes(28), "EPS or PostScript"),
        (b"%PDF-1.4", "PDF"),
        (b"<?xml version='1.0'?><svg></svg>", "SVG"),
        (b"8BPS\0\1", "PSD"),
        (b"P3\n1 1\n255\n0 0 0\n", r"plain-text Netpbm \(P3\)"),
        (b"P1 1 1 0", r"plain-text Netpbm \(P1\)"),
        (b"P4 8 1 x", r"Netpbm of one bit per pixel \(P4\)"),
        (b"\0\0\0\x1cftypavif" + bytes(20), "AVIF"),
    ],
)
def test_an_image_of_another_format_is_named(content, name):
    message = f"expected JPEG, PNG, BMP, GIF, TIFF, WebP or binary Netpbm, got {name}; convert the image"
    with pytest.raises(ImageError, match=message):
        codec.decode(content)


def test_an_unknown_format_is_named():
    with pytest.raises(ImageError, match=r"got 8 bytes that do not decode \(no known format\)"):
        codec.decode(b"whatever")


@pytest.mark.parametrize("channels", [3, 1, "keep"])
@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_truncated_image_is_refused(encoding, channels):
    payload = save(picture(noise(40, 40)), encoding)
    with pytest.raises(ImageError, match="bytes that do not decode"):
        codec.decode(payload[: len(payload) // 2], channels=channels)


@pytest.mark.parametrize("make", [huge_png, huge_jpeg])
@pytest.mark.parametrize("size", [(60_000, 60_000), (MAX_PIXELS // 1000 + 1, 1000)])
@pytest.mark.parametrize("channels", [3, 1])
def test_an_enormous_image_is_refused_before_memory_is_allocated(make, size, channels):
    if make is huge_jpeg and max(size) > 65_500:
        size = (9_500, 9_500)
    payload = make(*size)
    tracemalloc.start()
    try:
        with pytest.raises(ImageError, match=f"{MAX_PIXELS} pixels, got .*; make the image smaller"):
            codec.decode(payload, channels=channels)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_an_enormous_16_bit_image_is_refused_before_memory_is_allocated():
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 16, 0, 0, 0, 0)
    payload = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", head) + png_chunk(b"IDAT", b"x")
    with pytest.raises(ImageError, match="pixels"):
        codec.decode_deep_gray(payload)


LITTLE_MEMORY = """
import resource, sys
from PIL import JpegImagePlugin, PngImagePlugin
from recordkit import codec
from recordkit.errors import ImageError

codec.decode(codec.encode(codec.decode(b"P5 1 1 255 x"), "png"))  # imports Pillow and its plugins
used = resource.getpagesize() * int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), resource.RLIM_INFINITY))
for path in sys.argv[1:]:
    try:
        codec.decode(open(path, "rb").read())
    except ImageError as error:
        print(error)
"""


def test_enormous_images_are_refused_in_a_process_that_has_little_memory(tmp_path):
    for name, payload in (("png", huge_png()), ("jpg", huge_jpeg())):
        (tmp_path / name).write_bytes(payload)
    command = [sys.executable, "-c", LITTLE_MEMORY, tmp_path / "png", tmp_path / "jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.count("pixels, got 60000 x 60000; make the image smaller") == 2


@pytest.mark.filterwarnings("ignore")
@given(data=st.data(), name=st.sampled_from(sorted(FORMATS)), channels=st.sampled_from([3, 1, "keep"]))
def test_damaged_bytes_raise_nothing_but_an_image_error(data, name, channels):
    payload = bytearray(FORMATS[name])
    for index in data.draw(st.lists(st.integers(0, len(payload) - 1), max_size=4)):
        payload[index] = data.draw(st.integers(0, 255))
    payload = bytes(payload[: data.draw(st.integers(0, len(payload)) | st.just(len(payload)))])
    try:
        image = codec.decode(payload, channels=channels)
    except ImageError:
        pass
    else:
        assert (
            image.dtype == np.uint8
            and image.ndim == 3
            and image.shape[2] in ((1, 3, 4) if channels == "keep" else (channels,))
        )
    assert 1 <= codec.orientation(payload) <= 8
    codec.has_several_pictures(payload)
    with contextlib.suppress(ImageError):
        codec.decode_deep_gray(payload)


@given(
    st.binary(max_size=64),
    st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"P5\n", b"GIF89a", b"BM", b"II*\0"]),
)
@pytest.mark.filterwarnings("ignore")
def test_random_bytes_raise_nothing_but_an_image_error(tail, head):
    with contextlib.suppress(ImageError):
        codec.decode(head + tail)


def test_photographs_decode_as_opencv_decodes_them(cv2, real_data):
    paths = sorted((real_data / "imagenet-200").iterdir())[::8]
    assert paths
    for path in paths:
        for channels, flag in ((3, 1), (1, 0), ("keep", -1)):
            image = codec.decode(path.read_bytes(), channels=channels)
            assert np.array_equal(image, as_opencv(cv2, path.read_bytes(), flag)), (path.name, channels)


@pytest.mark.parametrize("name", [name for name in FORMATS if "gif" not in name and "webp" not in name])
@pytest.mark.parametrize(("channels", "flag"), [(3, 1), (1, 0), ("keep", -1)])
def test_every_format_is_within_2_levels_of_opencv(cv2, name, channels, flag):
    assert close(codec.decode(FORMATS[name], channels=channels), as_opencv(cv2, FORMATS[name], flag), 2)


@pytest.mark.parametrize("shape", [(24, 33), (1, 1), (8, 8), (17, 250)])
@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("quality", [95, 50, 100, 1])
def test_an_encoded_jpeg_has_the_bytes_of_opencv(cv2, shape, channels, quality):
    image = noise(*shape, channels)
    expected = cv2.imencode(".jpg", image[:, :, ::-1] if channels == 3 else image, [cv2.IMWRITE_JPEG_QUALITY, quality])[
        1
    ]
    assert codec.encode(image, "jpg", quality=quality) == expected.tobytes()


def test_jpeg_quality_is_95_by_default():
    assert codec.encode(pixels(), "jpg") == codec.encode(pixels(), "jpg", quality=95)
    assert codec.encode(pixels(), "jpg") != codec.encode(pixels(), "jpg", quality=94)


def test_a_jpeg_drops_the_fourth_channel():
    assert codec.encode(pixels(channels=4), "jpg") == codec.encode(pixels(channels=3), "jpg")


def test_an_image_too_long_for_jpeg_is_refused():
    with pytest.raises(ImageError, match=r"expected an image that jpg can hold, got 65501 x 1 \("):
        codec.encode(np.zeros((1, 65_501, 1), np.uint8), "jpg")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("level", [None, 0, 9, 95])
def test_png_is_lossless_at_every_level(channels, level):
    image = noise(7, 5, channels)
    assert np.array_equal(codec.decode(codec.encode(image, "png", quality=level), channels="keep"), image)


def test_png_level_is_3_by_default_and_at_most_9():
    image = pixels(100, 100)
    assert codec.encode(image, "png") == codec.encode(image, "png", quality=3)
    assert codec.encode(image, "png", quality=95) == codec.encode(image, "png", quality=9)


@pytest.mark.parametrize("encoding", ["jpg", "png", "raw"])
def test_an_image_that_is_a_view_encodes_as_its_copy(encoding):
    view = noise(20, 30)[3:17:2, ::-3]
    assert codec.encode(view, encoding) == codec.encode(view.copy(), encoding)


@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 3, 4]), st.integers(0, 99))
def test_raw_is_lossless(height, width, channels, seed):
    image = noise(height, width, channels, seed)
    assert np.array_equal(codec.decode(codec.encode(image, "raw"), channels="keep"), image)


@pytest.mark.parametrize(
    ("channels", "head"),
    [
        (1, b"P5\n3 2\n255\n"),
        (3, b"P6\n3 2\n255\n"),
        (4, b"P7\nWIDTH 3\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n"),
    ],
)
def test_a_raw_image_is_a_netpbm_header_and_the_pixels(channels, head):
    image = pixels(2, 3, channels)
    assert codec.encode(image, "raw") == head + image.tobytes()


@pytest.mark.parametrize("channels", [1, 3])
def test_pillow_opens_raw_gray_and_rgb(channels):
    image = noise(6, 9, channels)
    with Image.open(io.BytesIO(codec.encode(image, "raw"))) as file:
        assert np.array_equal(np.asarray(file).reshape(image.shape), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_opencv_opens_raw_gray_and_rgb(cv2, channels):
    image = noise(6, 9, channels)
    assert np.array_equal(as_opencv(cv2, codec.encode(image, "raw"), -1), image)


def test_opencv_opens_raw_of_four_channels_without_swapping_them(cv2):
    image = noise(6, 9, 4)
    assert np.array_equal(cv2.imdecode(np.frombuffer(codec.encode(image, "raw"), np.uint8), -1), image)


def test_raw_decodes_without_a_copy_from_any_buffer():
    payload = codec.encode(pixels(), "raw")
    assert np.array_equal(codec.decode(memoryview(payload)), pixels())
    assert codec.decode(payload, channels=1).shape == (24, 33, 1)
    assert not codec.decode(payload).flags.owndata


@pytest.mark.parametrize(
    "head",
    [
        b"P5\n4 3\n65536\n",
        b"P5\n4 3\n0\n",
        b"P5\n4 3\n",
        b"P5 -4 3 255\n",
        b"P5\n4000000000 3\n255\n",
        b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 5\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n",
        b"P7\nWIDTH 2\nHEIGHT\nDEPTH 3\nMAXVAL 255\nENDHDR\n",
        b"P7\nWIDTH 2\nHEIGHT 2\nMAXVAL 255\nENDHDR\n",
        b"P7\n",
        b"P5",
    ],
)
def test_a_damaged_raw_header_is_named(head):
    with pytest.raises(ImageError, match=r"expected a P5, P6 or P7 header with a maximum of 1 to 65535, got b'P"):
        codec.decode(head + bytes(12))


@pytest.mark.parametrize("n", [0, 11, 13])
def test_a_raw_image_with_too_few_or_too_many_bytes_is_refused(n):
    with pytest.raises(ImageError, match=f"expected 12 bytes after the raw header, got {n}"):
        codec.decode(b"P6\n2 2\n255\n" + bytes(n))


@pytest.mark.parametrize("size", [b"0 4", b"4 0", b"99999 99999"])
def test_a_raw_size_is_checked_before_the_pixels(size):
    with pytest.raises(ImageError, match=f"expected 1 to {MAX_PIXELS} pixels, got"):
        codec.decode(b"P5\n" + size + b"\n255\n")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("jpg", "jpg"), ("jpg exif", "jpg"), ("png", "png"), ("apng", "png"), ("bmp", "bmp"), ("gif", "gif"),
        ("tiff", "tiff"), ("webp", "webp"), ("raw gray", "raw"), ("raw rgb", "raw"),
    ],
)  # fmt: skip
def test_sniff_knows_every_format(name, kind):
    assert codec.sniff(FORMATS[name]) == codec.sniff(memoryview(FORMATS[name])) == kind


@pytest.mark.parametrize(
    ("payload", "kind"), [(b"", "empty"), (b"\xff\xd8", "unknown"), (b"RIFF1234WAVE", "unknown"), (b"MM\0*", "tiff")]
)
def test_sniff_of_other_bytes(payload, kind):
    assert codec.sniff(payload) == kind


@pytest.mark.parametrize(
    ("channels", "encoding", "suffix"),
    [(1, "jpg", ".jpg"), (3, "png", ".png"), (1, "raw", ".pgm"), (3, "raw", ".ppm"), (4, "raw", ".pam")],
)
def test_the_usual_suffix_of_a_format(channels, encoding, suffix):
    payload = codec.encode(np.zeros((2, 3, channels), np.uint8), encoding)
    assert codec.file_suffixes(payload)[0] == codec.file_suffixes(memoryview(payload))[0] == suffix


def test_every_format_that_is_known_has_suffixes_and_other_bytes_have_none():
    for payload in FORMATS.values():
        assert set(codec.file_suffixes(payload)) <= codec.IMAGE_SUFFIXES
        assert bool(codec.file_suffixes(payload)) == (codec.sniff(payload) not in ("unknown", "empty"))
    assert codec.file_suffixes(b"") == codec.file_suffixes(b"hello") == ()


@pytest.mark.parametrize("n", [1, 3, 4])
def test_to_channels_keep_returns_the_image(n):
    image = pixels(channels=n)
    assert codec.to_channels(image, "keep") is image


def test_to_channels_repeats_gray_and_drops_alpha():
    gray, rgba = pixels(channels=1), pixels(channels=4)
    assert np.array_equal(codec.to_channels(gray, 3), np.repeat(gray, 3, 2))
    assert np.array_equal(codec.to_channels(rgba, 3), rgba[:, :, :3])
    assert codec.to_channels(gray, 1) is gray


@pytest.mark.parametrize("n", [3, 4])
def test_to_channels_makes_gray_by_the_usual_weights(n):
    image = noise(9, 9, n)
    assert close(codec.to_channels(image, 1), luma(image), 1)
