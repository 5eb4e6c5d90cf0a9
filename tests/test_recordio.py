"""The replacement for ``mxnet.recordio``: the same calls of both modules, then the intended differences."""

import inspect
import io
import itertools
import math
import multiprocessing
import os
import pickle
import signal
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from strategies import keys, records

from recordkit import recordio as rk_recordio
from recordkit.errors import FormatError, ImageError, MissingError, NotFoundError, TruncatedError
from recordkit.formats import deep_png

# MXNet calls the deprecated array.tostring.
pytestmark = pytest.mark.filterwarnings("ignore:tostring:DeprecationWarning")

M = bytes.fromhex("0a23d7ce")


def load_mx_recordio():
    """Return ``mxnet.recordio``, or skip."""
    from recordkit.interop import mxnet

    try:
        return mxnet.load().recordio
    except MissingError as error:
        pytest.skip(f"needs MXNet: {error}")


@pytest.fixture(scope="module", params=["recordkit", "mxnet"])
def recordio(request):
    """Each module: the tests with this fixture pass with both."""
    return rk_recordio if request.param == "recordkit" else load_mx_recordio()


@pytest.fixture(scope="module")
def mx_recordio():
    return load_mx_recordio()


def with_opencv(module):
    """Return the module, or skip: MXNet packs and unpacks images with OpenCV only."""
    if module is not rk_recordio and module.cv2 is None:
        pytest.skip("needs OpenCV")
    return module


@pytest.fixture
def both(mx_recordio):
    """All pairs (writer, reader) of modules."""
    return list(itertools.product((rk_recordio, mx_recordio), repeat=2))


# Equal behaviour.

GOLDEN_PACKS = [
    (
        (0, 4.0, 2574, 0),
        b"\xff\xd8IMG",
        "00000000 00008040 0e0a000000000000 0000000000000000 ffd8494d47",
        (0, 4.0),
    ),
    (
        (0, [1.0, 2.5, -3.0], 7, 0),
        b"JPEG",
        "03000000 00000000 0700000000000000 0000000000000000 0000803f 00002040 000040c0 4a504547",
        (3, [1.0, 2.5, -3.0]),
    ),
    ((7, 3, 1, 0), b"xyz", "00000000 00004040 0100000000000000 0000000000000000 78797a", (0, 3.0)),
    ((0, [5], 9, 0), b"J", "01000000 00000000 0900000000000000 0000000000000000 0000a040 4a", (1, [5.0])),
    ((0, 1.5, 2**64 - 1, 1), b"", "00000000 0000c03f ffffffffffffffff 0100000000000000", (0, 1.5)),
    (
        (0, (3, 5), 0, 1),
        b"",
        "02000000 00000000 0000000000000000 0100000000000000 00004040 0000a040",
        (2, [3.0, 5.0]),
    ),
    ((0, True, 1, 0), b"", "00000000 0000803f 0100000000000000 0000000000000000", (0, 1.0)),
    ((0, np.float64(2), np.int64(1), 0), b"", "00000000 00000040 0100000000000000 0000000000000000", (0, 2.0)),
    ((0, np.array(2.0), 1, 0), b"", "01000000 00000000 0100000000000000 0000000000000000 00000040", (1, [2.0])),
    (
        (0, np.array([[1, 2], [3, 4]]), 1, 0),
        b"",
        "04000000 00000000 0100000000000000 0000000000000000 0000803f 00000040 00004040 00008040",
        (4, [1.0, 2.0, 3.0, 4.0]),
    ),
]


def packed(module, header, payload):
    return module.pack(module.IRHeader(*header), payload)


@pytest.mark.parametrize(("header", "payload", "golden", "unpacked"), GOLDEN_PACKS)
def test_pack_and_unpack_golden_bytes(header, payload, golden, unpacked, recordio):
    record = packed(recordio, header, payload)
    assert record.hex() == golden.replace(" ", "")
    got, rest = recordio.unpack(record)
    assert (got.flag, np.asarray(got.label).tolist()) == unpacked
    assert (got.id, got.id2, rest, type(rest)) == (header[2], header[3], payload, bytes)
    assert type(got).__name__ == "HEADER" and isinstance(got, tuple)


def test_a_vector_of_labels_is_a_read_only_float32_array(recordio):
    label = recordio.unpack(packed(recordio, (0, [1, 2], 7, 0), b"x"))[0].label
    assert (label.dtype, label.shape, label.flags.writeable) == (np.float32, (2,), False)


@pytest.mark.filterwarnings("ignore:label:UserWarning")
@pytest.mark.parametrize(("label", "flag"), [(None, 1), ([], 0), ((), 0)])
def test_labels_that_are_none_or_empty_pack_to_mxnets_bytes(label, flag, recordio):
    header = recordio.unpack(packed(recordio, (3, label, 9, 0), b"J"))[0]
    assert header.flag == flag
    assert math.isnan(header.label[0]) if flag else header.label == 0.0


def test_the_first_label_in_the_header_is_ignored_if_a_vector_follows(recordio):
    record = struct.pack("<IfQQ2f", 2, 4.0, 7, 0, 4.0, 5.0) + b"J"
    assert recordio.unpack(record)[0].label.tolist() == [4.0, 5.0]


@given(
    st.one_of(st.floats(width=32), st.lists(st.floats(width=32), min_size=1, max_size=5)),
    keys,
    keys,
    st.binary(max_size=9),
)
def test_any_header_packs_to_the_same_bytes(mx_recordio, label, key, key2, payload):
    assert packed(rk_recordio, (0, label, key, key2), payload) == packed(mx_recordio, (0, label, key, key2), payload)


WHOLE_FILE = {
    0: bytes.fromhex("00000000000080400e0a0000000000000000000000000000ffd8494d47"),
    5: bytes.fromhex("0300000000000000070000000000000000000000000000000000803f00002040000040c04a504547"),
    3: bytes.fromhex("000000000000803f01000000000000000000000000000000616263640a23d7ce656667"),
    9: b"",
    10: M,
}


def write_indexed(module, folder):
    names = str(folder / "g.idx"), str(folder / "g.rec")
    writer = module.MXIndexedRecordIO(*names, "w")
    for key, record in WHOLE_FILE.items():
        writer.write_idx(key, record)
    assert writer.tell() == 160
    writer.close()
    return names


def test_the_golden_file_is_written_and_read(recordio, tmp_path):
    write_indexed(recordio, tmp_path)
    assert (tmp_path / "g.idx").read_bytes() == b"0\t0\n5\t40\n3\t88\n9\t136\n10\t144\n"
    assert (tmp_path / "g.rec").read_bytes().hex() == (
        "0a23d7ce1d00000000000000000080400e0a0000000000000000000000000000ffd8494d47000000"
        "0a23d7ce280000000300000000000000070000000000000000000000000000000000803f00002040000040c04a504547"
        "0a23d7ce1c000020000000000000803f01000000000000000000000000000000616263640a23d7ce0300006065666700"
        "0a23d7ce00000000"
        "0a23d7ce000000200a23d7ce00000060"
    )


def test_each_module_reads_the_files_of_the_other(both, tmp_path):
    for number, (writer, reader) in enumerate(both):
        (tmp_path / str(number)).mkdir()
        names = write_indexed(writer, tmp_path / str(number))
        indexed = reader.MXIndexedRecordIO(*names, "r")
        assert indexed.keys == list(WHOLE_FILE) and indexed.idx == {0: 0, 5: 40, 3: 88, 9: 136, 10: 144}
        assert {key: indexed.read_idx(key) for key in (10, 0, 9, 3, 5)} == WHOLE_FILE
        indexed.close()


@given(st.lists(records, max_size=6))
def test_any_records_make_the_same_file(mx_recordio, tmp_path_factory, payloads):
    folder = tmp_path_factory.mktemp("records")
    for module, name in ((rk_recordio, "rk_recordio.rec"), (mx_recordio, "mx_recordio.rec")):
        writer = module.MXRecordIO(str(folder / name), "w")
        for payload in payloads:
            writer.write(payload)
        writer.close()
    assert (folder / "rk_recordio.rec").read_bytes() == (folder / "mx_recordio.rec").read_bytes()
    reader = rk_recordio.MXRecordIO(folder / "mx_recordio.rec", "r")
    assert list(iter(reader.read, None)) == payloads
    reader.close()


def test_an_empty_record_is_bytes_and_the_end_is_none(recordio, tmp_path):  # A7
    names = write_indexed(recordio, tmp_path)
    reader = recordio.MXRecordIO(names[1], "r")
    assert [reader.read() for _ in range(7)] == [*WHOLE_FILE.values(), None, None]
    reader.reset()
    assert reader.read() == WHOLE_FILE[0]
    reader.close()
    reader.close()


def test_read_continues_after_a_record_that_was_read_by_key(recordio, tmp_path):
    reader = recordio.MXIndexedRecordIO(*write_indexed(recordio, tmp_path), "r")
    assert (reader.read_idx(3), reader.read()) == (WHOLE_FILE[3], WHOLE_FILE[9])
    reader.seek(5)
    assert reader.read() == WHOLE_FILE[5]
    reader.reset()
    assert reader.read() == WHOLE_FILE[0] and reader.keys == [0, 5, 3, 9, 10]
    reader.close()


def test_keys_may_be_text(recordio, tmp_path):
    names = str(tmp_path / "a.idx"), str(tmp_path / "a.rec")
    writer = recordio.MXIndexedRecordIO(*names, "w", key_type=str)
    writer.write_idx("cat", b"meow")
    writer.close()
    reader = recordio.MXIndexedRecordIO(*names, "r", str)
    assert (reader.keys, reader.read_idx("cat")) == (["cat"], b"meow")
    reader.close()


# MXNet's __del__ fails for a reader that was never opened.
@pytest.mark.filterwarnings("ignore:Exception ignored in.*MXRecordIO.__del__:pytest.PytestUnraisableExceptionWarning")
def test_misuse_raises_the_same_errors(recordio, tmp_path):
    names = write_indexed(recordio, tmp_path)
    with pytest.raises(ValueError, match="Invalid flag a"):
        recordio.MXRecordIO(names[1], "a")
    with pytest.raises(FileNotFoundError):
        recordio.MXIndexedRecordIO(str(tmp_path / "none.idx"), names[1], "r")
    reader = recordio.MXIndexedRecordIO(*names, "r")
    with pytest.raises(KeyError):
        reader.read_idx(77)
    with pytest.raises(AssertionError):
        reader.write(b"x")
    reader.close()
    with pytest.raises(RuntimeError):
        reader.read()


# Images.

PIXELS = np.random.default_rng(7).integers(0, 256, (24, 20, 4), np.uint8)
PIXELS[:, :, :3] = np.cumsum(PIXELS[:, :, :3] // 32, axis=0).astype(np.uint8)  # smooth enough for JPEG


def saved(array, form, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, form, **options)
    return file.getvalue()


def png(array):
    return saved(array, "PNG")


def record_of(payload):
    return rk_recordio.pack(rk_recordio.IRHeader(0, 1.0, 7, 0), payload)


@pytest.mark.parametrize("shape", [np.s_[:, :, :3], np.s_[:, :, 0]], ids=["colour", "gray"])
@pytest.mark.parametrize(("quality", "form"), [(95, ".jpg"), (80, ".JPEG"), (100, ".jpg")])
def test_pack_img_makes_mxnets_jpeg_bytes(shape, quality, form, mx_recordio):
    mx_recordio = with_opencv(mx_recordio)
    args = (0, 1.0, 7, 0), np.ascontiguousarray(PIXELS[shape]), quality, form
    assert rk_recordio.pack_img(rk_recordio.IRHeader(*args[0]), *args[1:]) == mx_recordio.pack_img(
        mx_recordio.IRHeader(*args[0]), *args[1:]
    )


@pytest.mark.parametrize("shape", [np.s_[:], np.s_[:, :, :3], np.s_[:, :, 0]], ids=["alpha", "colour", "gray"])
@pytest.mark.parametrize("quality", [95, 3])
def test_a_png_is_lossless(shape, quality, recordio):
    recordio = with_opencv(recordio)
    image = np.ascontiguousarray(PIXELS[shape])
    header, got = recordio.unpack_img(
        recordio.pack_img(recordio.IRHeader(0, 1.0, 7, 0), image, quality=quality, img_fmt=".png")
    )
    assert header == (0, 1.0, 7, 0)
    assert got.dtype == np.uint8 and np.array_equal(got, image)


def test_each_module_reads_the_pngs_of_the_other(both):
    for writer, reader in both:
        with_opencv(writer), with_opencv(reader)
        record = writer.pack_img(writer.IRHeader(0, 1.0, 7, 0), PIXELS, img_fmt=".PNG")
        assert np.array_equal(reader.unpack_img(record)[1], PIXELS)


def turned_jpeg():
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6  # EXIF orientation: applied for 0 and 1, not for -1
    Image.fromarray(np.ascontiguousarray(PIXELS[:, :, :3])).save(file, "JPEG", exif=exif)
    return file.getvalue()


STORED = {
    "colour": png(np.ascontiguousarray(PIXELS[:, :, :3])),
    "gray": png(PIXELS[:, :, 0].copy()),
    "alpha": png(PIXELS),
    "gray-16-bit": png(np.arange(480, dtype=np.uint16).reshape(24, 20) * 136),
    "colour-16-bit": deep_png.encode(PIXELS[:, :, :3] * np.uint16(251)),
    "alpha-16-bit": deep_png.encode(PIXELS * np.uint16(251)),
    "bmp": saved(np.ascontiguousarray(PIXELS[:, :, :3]), "BMP"),
    "webp": saved(np.ascontiguousarray(PIXELS[:, :, :3]), "WEBP", lossless=True),
    "tiff-16-bit": saved(np.arange(480, dtype=np.uint16).reshape(24, 20) * 136, "TIFF"),
    "jpeg": rk_recordio.unpack(rk_recordio.pack_img(rk_recordio.IRHeader(0, 1.0, 7, 0), PIXELS))[1],
    "jpeg-turned": turned_jpeg(),
    "jpeg-gray": rk_recordio.unpack(rk_recordio.pack_img(rk_recordio.IRHeader(0, 1.0, 7, 0), PIXELS[:, :, 1]))[1],
}


FLAGS = [*range(-1, 7), *range(128, 135)]  # OpenCV's; the modules agree about all that recordkit accepts
# OpenCV rounds a conversion of colour to gray differently, by at most one step.
CONVERTED = ("colour", "alpha", "colour-16-bit", "alpha-16-bit", "bmp", "webp", "jpeg-turned")


@pytest.mark.parametrize("iscolor", FLAGS)
@pytest.mark.parametrize("kind", STORED)
def test_unpack_img_gives_opencvs_pixels(kind, iscolor, mx_recordio):
    mx_recordio = with_opencv(mx_recordio)
    record = record_of(STORED[kind])
    want, got = mx_recordio.unpack_img(record, iscolor)[1], rk_recordio.unpack_img(record, iscolor)[1]
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    assert np.abs(got.astype(int) - want).max() <= (got.ndim == 2 and kind in CONVERTED)


def test_a_payload_that_does_not_decode_is_none(recordio):
    recordio = with_opencv(recordio)
    header, image = recordio.unpack_img(record_of(b"not an image"))
    assert header.id == 7 and image is None


def color_and_gray(dtype, low, high):
    image = np.linspace(low, high, 24 * 20 * 3).reshape(24, 20, 3).astype(dtype)
    return [image, image[:, :, 0].copy()]


ARRAYS = {
    "uint8": color_and_gray(np.uint8, 0, 255),
    "uint16": color_and_gray(np.uint16, 0, 65535),
    "int8": color_and_gray(np.int8, -100, 100),
    "int16": color_and_gray(np.int16, -300, 700),
    "int32": color_and_gray(np.int32, -300, 700),
    "int64": color_and_gray(np.int64, -300, 700),
    "uint64": color_and_gray(np.uint64, 0, 700),
    "float16": color_and_gray(np.float16, -20, 300),
    "float32": color_and_gray(np.float32, -20, 300),  # with values that end in .5
    "float64": color_and_gray(np.float64, -20, 300),
    "half": [np.array([[0.5, 1.5, 2.5, 254.5, 255.5, -0.5]])] * 2,
}
# The types that TIFF keeps, with the first of the two images of `ARRAYS`: colour is kept for uint8 only.
FIRST_IN_TIFF = {"uint8": 0, "uint16": 1, "int32": 1, "float32": 1}


@pytest.mark.filterwarnings("ignore:img:UserWarning")
@pytest.mark.parametrize("form", [".jpg", ".JPEG", ".png", ".bmp", ".webp", ".tiff", ".tif"])
@pytest.mark.parametrize("name", ARRAYS)
def test_pack_img_stores_the_pixels_that_opencv_stores(name, form, mx_recordio):
    mx_recordio = with_opencv(mx_recordio)
    for image in ARRAYS[name][FIRST_IN_TIFF.get(name, 2) :] if form.startswith(".tif") else ARRAYS[name]:
        ours, theirs = (
            each.pack_img(each.IRHeader(0, 1.0, 7, 0), image, 90, form) for each in (rk_recordio, mx_recordio)
        )
        if form in (".jpg", ".JPEG"):
            assert ours == theirs
        for module in (rk_recordio, mx_recordio):
            got, want = module.unpack_img(ours)[1], mx_recordio.unpack_img(theirs)[1]
            assert (got.shape, got.dtype) == (want.shape, want.dtype)
            assert np.array_equal(got, want)


@pytest.mark.parametrize("channels", [(), (1,), (3,), (4,)])
def test_a_16_bit_png_returns_the_same_array(channels, recordio):
    image = np.random.default_rng(1).integers(0, 65536, (24, 20, *channels), np.uint16)
    record = with_opencv(recordio).pack_img(recordio.IRHeader(0, 1.0, 7, 0), image, img_fmt=".png")
    got = recordio.unpack_img(record)[1]
    assert got.dtype == np.uint16 and np.array_equal(got, image[:, :, 0] if channels == (1,) else image)


@pytest.mark.parametrize(
    ("form", "values", "stored"),
    [
        (".png", [0.5, 1.5, 2.5, -7, 300, 254.5], [0, 2, 2, 0, 255, 254]),
        (".bmp", np.array([-7, 0, 200, 300], np.int64), [0, 0, 200, 255]),
        (".webp", [1.0, 2.0, 255.0], [1, 2, 255]),
        (".tiff", np.array([0.25, -3], np.float32), [0.25, -3]),
        (".tiff", np.array([7, 65535], np.uint16), [7, 65535]),
    ],
)
@pytest.mark.filterwarnings("ignore:img:UserWarning")
def test_values_are_rounded_half_to_even_and_clipped_unless_the_format_keeps_them(form, values, stored):
    record = rk_recordio.pack_img(rk_recordio.IRHeader(0, 0.0, 1, 0), np.array([values]), img_fmt=form)
    assert rk_recordio.unpack_img(record, -1)[1].reshape(len(stored), -1)[:, 0].tolist() == stored


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.array([[0, 0.5, 1.0]]), "all values are from 0 to 1 and are rounded to 0 or 1; multiply them by 255"),
        (np.array([[3, 40000]], np.uint16), "values up to 40000 are packed as 255; .png keeps uint16"),
        (np.array([[-1.0, 0.5]]), "all values are from -1 to 1 and are packed as 0 or 1; scale them to 0 to 255"),
        (np.array([[3.0, 40000.0]]), "values up to 40000.0 are packed as 255; .png keeps uint16"),
        (np.array([[-1, 255]]), "values down to -1 are packed as 0; scale them to 0 to 255"),
        (np.array([[-65.0, 255]]), "values down to -65.0 are packed as 0; scale them to 0 to 255"),
        (np.array([[3, np.nan]]), "values that are not finite are packed as 0 or 255"),
    ],
)
def test_an_image_whose_values_are_lost_is_warned_of(values, text):
    with pytest.warns(UserWarning, match=f"^img: {text}$") as warned:
        rk_recordio.pack_img(rk_recordio.IRHeader(0, 0.0, 1, 0), values)
    assert warned[0].filename == __file__


@pytest.mark.parametrize("quality", [-1, 0, 1, 100, 101])
@pytest.mark.parametrize("form", [".jpg", ".png"])
def test_a_quality_out_of_range_counts_as_the_nearest(quality, form):
    sizes = [
        len(rk_recordio.pack_img(rk_recordio.IRHeader(0, 0.0, 1, 0), PIXELS, value, form))
        for value in (quality, min(max(quality, 0), 100))
    ]
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("image", "form", "message"),
    [
        (np.zeros((2, 2, 2), np.uint8), ".jpg", r"shape \(H, W\), \(H, W, 3\) or \(H, W, 4\), got uint8 \(2, 2, 2\)"),
        (np.zeros(4, np.uint8), ".jpg", r"got uint8 \(4,\)"),
        (np.zeros((0, 4, 3), np.uint8), ".jpg", r"got uint8 \(0, 4, 3\)"),
        (np.zeros((2, 2), bool), ".png", "an array of integers or floats, got bool; multiply a mask by 255"),
        (Image.new("RGB", (2, 2)), ".png", r"order BGR, got an image of Pillow, which is RGB; give np.asarray\(img"),
        (None, ".png", "expected an array, got None; OpenCV's imread returns it for a file it cannot read"),
        (np.array([["x"]]), ".png", "an array of integers or floats, got <U1; convert it with astype"),
        (np.zeros((2, 2, 3), np.float32), ".tiff", r"for TIFF, got float32 \(2, 2, 3\); convert it"),
        (np.zeros((1, 17000), np.uint8), ".webp", "an image that webp can hold, got 17000 x 1"),
    ],
)
def test_pack_img_names_an_unsupported_image(image, form, message):
    with pytest.raises(ImageError, match=message):
        rk_recordio.pack_img(rk_recordio.IRHeader(0, 0.0, 1, 0), image, img_fmt=form)


@pytest.mark.parametrize("form", [".gif", "jpg", ""])
def test_pack_img_names_an_unsupported_format(form):
    with pytest.raises(ImageError, match=f"img_fmt: expected one of .jpg, .jpeg, .png, .bmp.*, got '{form}'"):
        rk_recordio.pack_img(rk_recordio.IRHeader(0, 0.0, 1, 0), PIXELS, img_fmt=form)


@pytest.mark.parametrize("iscolor", [7, 8, 16, 17, 33, 65, 256, -2, None])
def test_unpack_img_refuses_flags_that_reduce_and_unknown_ones(iscolor):
    record = rk_recordio.pack_img(rk_recordio.IRHeader(0, 1, 2, 0), PIXELS)
    with pytest.raises(ImageError, match=f"iscolor: expected -1 .*, got {iscolor}; for another size .* unpack with 1"):
        rk_recordio.unpack_img(record, iscolor)


def test_unpack_img_refuses_a_record_without_an_image():
    with pytest.raises(
        ImageError, match="key 7: expected an image, got 0 bytes; skip metadata records, whose image is empty"
    ):
        rk_recordio.unpack_img(record_of(b""))


@pytest.mark.parametrize(("record", "message"), [(None, "NoneType; `read` returns None after the last"), ("x", "str$")])
@pytest.mark.parametrize("verb", ["unpack", "unpack_img"])
def test_what_is_no_record_is_named(verb, record, message):
    with pytest.raises(TypeError, match=f"expected the bytes of a record, got {message}"):
        getattr(rk_recordio, verb)(record)


@pytest.mark.parametrize("key", ["7", None, 1.5])
def test_an_id_that_is_no_whole_number_is_named(key):
    with pytest.raises(TypeError, match=f"'{type(key).__name__}' object cannot be interpreted as an integer"):
        rk_recordio.pack(rk_recordio.IRHeader(0, 1.0, key, 0), b"")


def test_a_path_may_be_a_file_url(recordio, tmp_path):
    names = write_indexed(recordio, tmp_path)
    assert recordio.MXRecordIO(f"file://{names[1]}", "r").read() == WHOLE_FILE[0]


def test_a_remote_file_is_named():
    with pytest.raises(NotFoundError, match="hdfs://b/a.rec: .*; URLs begin with s3://"):
        rk_recordio.MXRecordIO("hdfs://b/a.rec", "r")


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
@pytest.mark.parametrize(("iscolor", "is_kept"), [(-1, True), (2, True), (6, True), (0, False), (1, False), (4, False)])
def test_a_tiff_of_32_bits_is_kept_or_not_decoded(dtype, iscolor, is_kept, recordio):
    image = np.array([[1, -2], [70000, 4]], dtype)
    record = with_opencv(recordio).pack_img(recordio.IRHeader(0, 1.0, 7, 0), image, img_fmt=".tiff")
    got = recordio.unpack_img(record, iscolor)[1]
    assert np.array_equal(got, image) and got.dtype == dtype if is_kept else got is None


# The interface.


def parameters(function):
    return [(p.name, p.default, p.kind) for p in inspect.signature(function).parameters.values()]


def test_every_public_name_of_mxnets_module_is_here_with_the_same_parameters(mx_recordio):
    names = [
        n
        for n, v in vars(mx_recordio).items()
        if getattr(v, "__module__", None) == mx_recordio.__name__ and n[0] != "_"
    ]
    assert sorted(names) == sorted(rk_recordio.__all__)
    for name in names:
        assert parameters(getattr(rk_recordio, name)) == parameters(getattr(mx_recordio, name)), name
    for name in ("MXRecordIO", "MXIndexedRecordIO"):
        for method, function in inspect.getmembers(getattr(mx_recordio, name), inspect.isfunction):
            if not method.startswith("_"):
                replacement = getattr(getattr(rk_recordio, name), method)
                assert parameters(replacement) == parameters(function), f"{name}.{method}"
    assert rk_recordio.IRHeader._fields == mx_recordio.IRHeader._fields


# MXNet's faults, with their numbers in the project's list of quirks.


@pytest.fixture
def indexed(tmp_path):
    """Paths of an .idx and a .rec with the golden records."""
    return write_indexed(rk_recordio, tmp_path)


@pytest.mark.parametrize(("cflags", "error"), [((1,), TruncatedError), ((2, 3), FormatError), ((3,), FormatError)])
def test_a_record_without_all_its_parts_is_an_error(cflags, error, tmp_path):  # A2
    path = tmp_path / "a.rec"
    path.write_bytes(b"".join(M + struct.pack("<I", cflag << 29) for cflag in cflags))
    with (
        rk_recordio.MXRecordIO(path, "r") as reader,
        pytest.raises(error, match=r"a\.rec: byte \d+: expected (a record|cflag)"),
    ):
        reader.read()


def test_records_are_found_by_key_after_the_end_was_read(indexed):  # A4
    with rk_recordio.MXIndexedRecordIO(*indexed, "r") as reader:
        assert list(iter(reader.read, None)) == list(WHOLE_FILE.values())
        assert reader.read() is None
        assert reader.read_idx(5) == WHOLE_FILE[5]
        reader.seek(0)
        assert reader.read() == WHOLE_FILE[0]


def test_a_writer_is_not_emptied_by_reset(tmp_path):  # A8
    with rk_recordio.MXRecordIO(tmp_path / "a.rec", "w") as writer:
        writer.write(b"precious")
        with pytest.raises(ValueError, match=r"a\.rec: reset would empty a file that is being written"):
            writer.reset()
        writer.write(b"more")
    with rk_recordio.MXRecordIO(tmp_path / "a.rec", "r") as reader:
        assert [reader.read(), reader.read()] == [b"precious", b"more"]


def test_a_writer_is_not_emptied_by_pickling(tmp_path):  # A8
    names = tmp_path / "a.idx", tmp_path / "a.rec"
    with rk_recordio.MXIndexedRecordIO(*names, "w") as writer:
        writer.write_idx(1, b"precious")
        with pytest.raises(TypeError, match=r"a\.rec: a file that is being written cannot be pickled"):
            pickle.dumps(writer)
    assert names[1].stat().st_size == 16


def test_a_pickled_reader_continues_and_the_original_stays_open(indexed):
    with rk_recordio.MXIndexedRecordIO(*indexed, "r") as reader:
        reader.read()
        with pickle.loads(pickle.dumps(reader)) as copy:
            assert (copy.read(), reader.read()) == (WHOLE_FILE[5], WHOLE_FILE[5])
            assert copy.read_idx(10) == M and copy.keys == reader.keys
    assert not pickle.loads(pickle.dumps(reader)).is_open


KILLED_WRITER = """
import os, signal, sys
from recordkit.recordio import MXIndexedRecordIO
writer = MXIndexedRecordIO(sys.argv[1], sys.argv[2], "w")
for key in range(10):
    writer.write_idx(key, bytes([key]) * 1000 * key)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_writer_leaves_an_index_of_complete_records(tmp_path):  # A9
    names = str(tmp_path / "a.idx"), str(tmp_path / "a.rec")
    assert subprocess.run([sys.executable, "-c", KILLED_WRITER, *names], check=False).returncode == -signal.SIGKILL
    with rk_recordio.MXIndexedRecordIO(*names, "r") as reader:
        assert reader.keys == list(range(10))
        assert all(reader.read_idx(key) == bytes([key]) * 1000 * key for key in reader.keys)


def test_a_duplicate_key_is_warned_of_and_the_last_record_found(tmp_path):  # A10
    names = tmp_path / "a.idx", tmp_path / "a.rec"
    with rk_recordio.MXIndexedRecordIO(*names, "w") as writer:
        writer.write_idx(7, b"first")
        writer.write_idx(7, b"last")
    with pytest.warns(UserWarning, match=r"a\.idx: 1 key comes twice; only the last record is found") as warned:
        reader = rk_recordio.MXIndexedRecordIO(*names, "r")
    assert warned[0].filename == __file__  # the caller's file
    assert (reader.keys, reader.read_idx(7)) == ([7, 7], b"last")
    reader.close()


@pytest.mark.parametrize(
    ("label", "shown"), [(None, r"label None of id 9 is packed as \(nan,\)"), ([], r"label \[\] of")]
)
def test_a_label_that_is_none_or_empty_is_warned_of(label, shown):  # A17
    with pytest.warns(UserWarning, match=shown):
        rk_recordio.pack(rk_recordio.IRHeader(0, label, 9, 0), b"")


@pytest.mark.parametrize("offset", [4, 44, 160, 10**6, -8])
@pytest.mark.parametrize("verb", ["read_idx", "seek"])
def test_the_index_of_another_file_is_named(offset, verb, indexed):  # A20
    with open(indexed[0], "a") as index:
        index.write(f"99\t{offset}\n")
    with rk_recordio.MXIndexedRecordIO(*indexed, "r") as reader:
        with pytest.raises(FormatError, match=rf"g\.rec: byte {offset}: expected (magic|a record)"):
            reader.read_idx(99) if verb == "read_idx" else (reader.seek(99), reader.read())
        if verb == "read_idx":
            with pytest.raises(FormatError, match=r"; is .*g\.idx the index of this file\? If not, run '"):
                reader.read_idx(99)
        assert reader.read_idx(5) == WHOLE_FILE[5]


@pytest.mark.parametrize("line", ["5", "5 40", "x\t40", "5\tx", "", "\udcff\t0"])
def test_a_bad_index_line_is_named(line, indexed):
    with open(indexed[0], "ab") as index:
        index.write(os.fsencode(line) + b"\n")
    with pytest.raises(FormatError, match=r"g\.idx: line 6: expected KEY and OFFSET with a .*; run 'recordkit reindex"):
        rk_recordio.MXIndexedRecordIO(*indexed, "r")


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "nine.rec").touch()
    with pytest.raises(NotFoundError, match=r"none\.rec: expected a \.rec file, .*; did you mean .*nine\.rec\?"):
        rk_recordio.MXRecordIO(tmp_path / "none.rec", "r")


def test_only_bytes_are_written(tmp_path):
    with rk_recordio.MXRecordIO(tmp_path / "a.rec", "w") as writer:
        for wrong in ("text", bytearray(b"x"), None):
            with pytest.raises(TypeError, match="expected bytes, got"):
                writer.write(wrong)
    assert (tmp_path / "a.rec").stat().st_size == 0


# Forks.


def read_in_child(reader, pipe):
    pipe.send((reader.read(), reader.read_idx(10), reader.read()))


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_reader_continues_from_its_position(indexed):
    fork = multiprocessing.get_context("fork")
    receiver, sender = fork.Pipe(duplex=False)
    with rk_recordio.MXIndexedRecordIO(*indexed, "r") as reader:
        reader.read()
        child = fork.Process(target=read_in_child, args=(reader, sender))
        child.start()
        assert receiver.recv() == (WHOLE_FILE[5], M, None)
        child.join()
        assert reader.read() == WHOLE_FILE[5]


FORKED_WRITER = """
import os, sys
from recordkit.recordio import MXIndexedRecordIO, MXRecordIO
indexed, plain = MXIndexedRecordIO(*sys.argv[1:3], "w"), MXRecordIO(sys.argv[3], "w")
indexed.write_idx(1, b"parent")
plain.write(b"parent")
pid = os.fork()
if pid == 0:
    for write in (plain.write, lambda record: indexed.write_idx(2, record)):
        try:
            write(b"child")
        except RuntimeError as error:
            assert "Forbidden operation in multiple processes: another process is writing it" in str(error)
    del indexed, plain, write
    sys.exit(7)  # a regular exit, which flushes and closes open files
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
indexed.write_idx(3, b"parent again")
plain.write(b"parent again")
"""


def test_a_forked_writer_refuses_and_writes_nothing_at_exit(tmp_path):
    names = [str(tmp_path / name) for name in ("a.idx", "a.rec", "plain.rec")]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", FORKED_WRITER, *names], check=True, env=environment)
    with rk_recordio.MXIndexedRecordIO(*names[:2], "r") as reader:
        assert list(iter(reader.read, None)) == [b"parent", b"parent again"]
        assert [reader.read_idx(key) for key in reader.keys] == [b"parent", b"parent again"]
    with rk_recordio.MXRecordIO(names[2], "r") as reader:
        assert list(iter(reader.read, None)) == [b"parent", b"parent again"]
