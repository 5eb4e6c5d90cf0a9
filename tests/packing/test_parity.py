"""The native engine gives the results of the reference engine; resized pixels may differ by 1 level."""

import itertools
import subprocess
import sys
import warnings
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from images import COLOR_TYPES, any_png, every_format, exif, noise, picture, pixels, png_chunk, save
from pixel_kinds import every_kind

from recordkit import PackPlan, codec, native
from recordkit.packing.native import NativeEngine
from recordkit.packing.python import PythonEngine

pytestmark = pytest.mark.usefixtures("require_native")


def kinds_of_png():
    for color, (_, depths) in COLOR_TYPES.items():
        for depth, interlaced in itertools.product(depths, (False, True)):
            for transparency in (False, True) if color in (0, 2, 3) else (False,):
                yield pytest.param(color, depth, interlaced, transparency)


def transcoder(channels, **options):
    settings = {"crop": False, "filter": "", "side": 0, "encoding": "raw", "quality": 0, **options}
    return native.load().Transcoder(channels=0 if channels == "keep" else channels, **settings)


def check_decoding(payload, channels):
    """Check that the core decodes to the reference engine's pixels or not at all; return True if it decodes."""
    (raw,) = transcoder(channels)([payload])
    if raw is None:
        return False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns about damaged EXIF, and pytest makes warnings errors
        expected = codec.decode(payload, channels=channels)
    assert np.array_equal(codec.decode(raw, channels="keep"), expected)
    return True


@pytest.mark.parametrize("channels", [3, 1, 4, "keep"])
@pytest.mark.parametrize(("color", "depth", "interlaced", "transparency"), [*kinds_of_png()])
def test_every_kind_of_png_decodes_to_the_same_pixels(color, depth, interlaced, transparency, channels):
    rng = np.random.default_rng(depth)
    for width, height in [(1, 1), (2, 9), (7, 5), (33, 17)]:
        options = {"width": width, "height": height, "interlaced": interlaced, "transparency": transparency}
        gamma = [png_chunk(b"gAMA", bytes(4))]
        decoded = check_decoding(any_png(rng, color, depth, extra=gamma, **options), channels)
        assert decoded or (transparency and color == 2 and channels in ("keep", 4))


JPEGS = {
    "420": {"quality": 90}, "444": {"subsampling": 0}, "422": {"subsampling": 1}, "progressive": {"progressive": True},
    "q1": {"quality": 1}, "q100": {"quality": 100, "subsampling": 0}, "optimized": {"optimize": True},
    "restarts": {"restart_marker_blocks": 2},
    **{f"exif {n}": {"exif": exif(n)} for n in range(9)},
}  # fmt: skip


@pytest.mark.parametrize("channels", [3, 1, 4, "keep"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("kind", JPEGS)
def test_every_kind_of_jpeg_decodes_to_the_same_pixels(kind, mode, channels):
    for image in (pixels(40, 33), noise(17, 50), pixels(1, 1), noise(8, 1)):
        assert check_decoding(save(picture(image, mode), "JPEG", **JPEGS[kind]), channels)


@pytest.mark.parametrize(
    "options", [{}, {"restart_marker_blocks": 7}, {"subsampling": 0, "restart_marker_rows": 9}], ids=str
)
def test_scans_of_many_kib_decode_to_the_same_pixels_also_if_they_are_damaged(options):
    payload = save(picture(noise(200, 240)), "JPEG", quality=97, **options)
    assert len(payload) > 3 << 14 and check_decoding(payload, 3)
    for place in range(len(payload) // 2, len(payload), 4999):
        check_decoding(payload[:place] + b"\xff\xd9", 3)
        check_decoding(payload[:place] + b"\xff" + payload[place + 1 :], 3)


def test_a_table_with_values_that_8_bit_images_lack_decodes_to_the_same_pixels():
    payload = save(picture(noise(40, 33)), "JPEG", quality=95)
    unused = payload.replace(b"\xf8\xf9\xfa", b"\xf8\xf9\xfb")
    used = payload.replace(b"\x01\x02\x03\0", b"\x0b\x02\x03\0")
    assert payload not in (unused, used)
    assert check_decoding(unused, 3)
    check_decoding(used, 3)


@pytest.mark.parametrize("channels", [3, 1, 4, "keep"])
@pytest.mark.parametrize("name", every_format())
def test_every_format_decodes_to_the_same_pixels_or_is_left_to_the_reference_engine(name, channels):
    decoded = check_decoding(every_format()[name], channels)
    assert decoded == name.startswith(("jpg", "png", "raw")) - (name == "png exif")


@pytest.mark.parametrize("channels", [3, 1, 4, "keep"])
@pytest.mark.parametrize("kind", every_kind(), ids=" ".join)
def test_every_kind_beside_mxnet_has_the_same_pixels_in_both_engines(kind, channels):
    for payload in every_kind()[kind]:
        check_decoding(payload, channels)


TIFF_BLOCK = bytes.fromhex("49492a00080000000100120103000100000006000000")  # orientation 6
ODD_CHUNKS = [
    (b"tEXt", b"exif\0" + TIFF_BLOCK), (b"tEXt", b"transparency\0abc"), (b"tEXt", b"interlace\0x"),
    (b"tEXt", b"bbox\0x"), (b"tEXt", b"transparency"), (b"iTXt", b"transparency\0\0\0\0\0x"),
    (b"zTXt", b"exif\0\0" + zlib.compress(TIFF_BLOCK)),
    (b"gAMA", b"123"), (b"sRGB", b""), (b"pHYs", b"12345678"), (b"cHRM", bytes(31)),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "content"), ODD_CHUNKS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_chunks_that_pillow_interprets_in_its_own_way_are_read_by_neither_engine(kind, content, mode):
    payload = save(picture(mode=mode), "PNG")
    odd = payload[:33] + png_chunk(kind, content) + payload[33:]
    assert check_decoding(odd, 3)
    assert np.array_equal(codec.decode(odd), codec.decode(payload))


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparency_that_is_cut_short_is_left_to_the_reference_engine(mode):
    payload = save(picture(mode=mode), "PNG")
    assert transcoder(3)([payload[:33] + png_chunk(b"tRNS", b"1") + payload[33:]]) == [None]


def test_the_core_reads_a_png_without_its_damaged_ancillary_chunks():
    payload = save(picture(), "PNG")
    for kind in (b"tRNS", b"tEXt", b"eXIf"):
        damaged = png_chunk(kind, b"transparency")[:-4] + bytes(4)
        assert check_decoding(payload[:33] + damaged + payload[33:], 3)
        end = len(payload) - 12
        assert not check_decoding(payload[:end] + damaged + payload[end:], 3)


@pytest.mark.parametrize("channels", [3, 1, "keep"])
def test_the_core_reads_the_first_of_several_jpegs_in_a_file(channels):
    assert check_decoding(save(picture(), "MPO", save_all=True, append_images=[picture(noise(9, 7))]), channels)


def test_pngs_with_a_chunk_between_their_data_are_left_to_the_reference_engine():
    payload = save(picture(), "PNG")
    begin = payload.index(b"IDAT") - 4
    empty, text = png_chunk(b"IDAT", b""), png_chunk(b"tEXt", b"Title\0any")
    assert transcoder(3)([payload[:begin] + 2 * empty + text + payload[begin:]]) == [None]


@pytest.mark.parametrize("keyword", [b"Title", b"date:create", b"exif:Orientation", b"Exif", b""])
def test_text_chunks_that_do_not_affect_pixels_are_decoded_by_the_core(keyword):
    payload = save(picture(), "PNG")
    assert check_decoding(payload[:33] + png_chunk(b"tEXt", keyword + b"\0" + TIFF_BLOCK) + payload[33:], 3)


def test_a_jpeg_without_a_table_does_not_use_the_table_of_the_one_before():
    whole = save(picture(), "JPEG")
    second = whole.index(b"\xff\xdb", whole.index(b"\xff\xdb") + 2)  # the chroma's quantisation table
    lacking = whole[: second + 4] + b"\0" + whole[second + 5 :]
    assert transcoder(3)([whole, lacking, whole]) == [*transcoder(3)([whole]), None, *transcoder(3)([whole])]


@hypothesis.given(st.data())
def test_a_damaged_image_is_never_decoded_to_other_pixels(data):
    name = data.draw(st.sampled_from([name for name in every_format() if name.startswith(("jpg", "png", "raw"))]))
    payload = bytearray(every_format()[name])
    offset = data.draw(st.integers(0, len(payload) - 1))
    match data.draw(st.sampled_from(["flip", "cut", "insert"])):
        case "flip":
            payload[offset] ^= 1 << data.draw(st.integers(0, 7))
        case "cut":
            del payload[offset:]
        case "insert":
            payload.insert(offset, data.draw(st.integers(0, 255)))
    check_decoding(bytes(payload), data.draw(st.sampled_from([3, 1, 4, "keep"])))


@pytest.mark.parametrize("filter_", ["antialias", "bilinear"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_resized_pixels_are_within_1_level(channels, filter_):
    for (height, width), size in itertools.product([(20, 31), (31, 20), (1, 9), (64, 64), (200, 3)], [1, 7, 16, 50]):
        for image in (pixels(height, width, channels), noise(height, width, channels)):
            plan = PackPlan(resize=size, filter=filter_, encoding="raw")
            got, want = (
                codec.decode(engine(plan, pixels=True).encode([image], [0]).payloads[0], channels="keep").astype(int)
                for engine in (NativeEngine, PythonEngine)
            )
            assert got.shape == want.shape and np.abs(got - want).max() <= 1


@pytest.mark.parametrize(
    "options",
    [
        {"center_crop": True, "encoding": "png"},
        {"channels": 1, "encoding": "raw"},
        {"channels": "keep", "encoding": "png", "quality": 9},
        {"encoding": "png", "quality": 0},
        {"encoding": "jpg"},
        {"encoding": "jpg", "quality": 40, "channels": 1},
    ],
    ids=str,
)
def test_images_that_are_not_resized_have_the_same_pixels(options):
    plan = PackPlan(**options)
    contents = [*every_format().values(), b"", b"junk", noise(5, 4, 1), noise(5, 4, 3), noise(5, 4, 4)]
    keys = range(len(contents))
    for are_pixels, inputs in ((False, contents[:-3]), (True, contents[-3:])):
        got = NativeEngine(plan, pixels=are_pixels).encode(inputs, keys[: len(inputs)])
        want = PythonEngine(plan, pixels=are_pixels).encode(inputs, keys[: len(inputs)])
        assert got.remarks == want.remarks
        for payload, expected in zip(got.payloads, want.payloads, strict=True):
            assert (payload is None) == (expected is None)
            if payload is not None:
                assert np.array_equal(codec.decode(payload, channels="keep"), codec.decode(expected, channels="keep"))


@hypothesis.given(
    st.lists(st.tuples(st.integers(0, 2**64 - 1), st.lists(st.floats(width=32), min_size=1, max_size=4), st.binary())),
    st.booleans(),
    st.lists(st.sampled_from([b"", b"\n#\xd7\xce", b"x"]), max_size=6),
)
def test_records_are_framed_to_the_same_bytes(rows, first_label, magics):
    plan = PackPlan(first_label_in_header=first_label)
    keys, labels = [key for key, _, _ in rows], [tuple(row) for _, row, _ in rows]
    payloads = [payload + b"".join(magics) for _, _, payload in rows]
    got, want = (engine(plan, pixels=False).frame(keys, labels, payloads) for engine in (NativeEngine, PythonEngine))
    assert got == want


def test_jpeg_png_and_raw_are_packed_without_pillow(monkeypatch):
    from PIL import Image

    samples = {name: every_format()[name] for name in ("jpg", "jpg cmyk", "jpg exif", "png", "png palette", "raw rgb")}
    monkeypatch.setattr(Image, "open", None)
    monkeypatch.setattr(Image, "fromarray", None)
    for encoding in ("jpg", "png", "raw"):
        engine = NativeEngine(PackPlan(resize=8, encoding=encoding), pixels=False)
        assert all(engine.encode(list(samples.values()), range(len(samples))).payloads)


def test_pixels_that_are_not_contiguous_are_packed_too():
    image = noise(9, 7)[:, ::-1]
    plan = PackPlan(encoding="raw")
    got, want = (engine(plan, pixels=True).encode([image], [0]) for engine in (NativeEngine, PythonEngine))
    assert got == want and got.payloads[0]


def test_a_strong_reduction_reads_only_rows_of_the_image():
    plan = PackPlan(resize=1, encoding="raw")
    image = noise(900, 700, 1)
    got, want = (engine(plan, pixels=True).encode([image], [0]).payloads[0] for engine in (NativeEngine, PythonEngine))
    assert np.abs(codec.decode(got).astype(int) - codec.decode(want)).max() <= 1


def test_too_many_pixels_are_refused_before_memory_is_allocated():
    from images import huge_jpeg, huge_png

    engine = NativeEngine(PackPlan(resize=8), pixels=False)
    for payload in (huge_jpeg(), huge_png(), b"P5\n60000 60000\n255\n"):
        payloads, remarks = engine.encode([payload], [0])
        assert payloads == [None] and "pixels" in remarks[0]


def test_no_memory_is_allocated_for_the_pixels_of_a_png_with_too_little_data():
    from images import huge_png

    code = "import resource, sys\nfrom recordkit import native\n"
    code += "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    code += "core = native.load().Transcoder(channels=3, crop=False, filter='', side=0, encoding='raw', quality=0)\n"
    code += "print(core([sys.stdin.buffer.read()]), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    process = subprocess.run([sys.executable, "-c", code], input=huge_png(9000, 9000), capture_output=True, check=True)
    payloads, kibibytes = process.stdout.split()
    assert payloads == b"[None]" and int(kibibytes) < 50_000


@pytest.mark.parametrize("side", [10_000, 2**40])
def test_a_length_that_no_image_has_is_an_error_of_the_image(side):
    contents = [every_format()["jpg"], noise(9, 9)]
    plan = PackPlan(resize=side, encoding="jpg")
    for engine in (NativeEngine(plan, pixels=False), PythonEngine(plan, pixels=False)):
        payloads, remarks = engine.encode(contents, [0, 1])
        assert payloads == [None, None] and f"got {side * 11 // 9} x {side}" in remarks[0]
