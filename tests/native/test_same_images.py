"""Both engines decode a PNG or JPEG to the same pixels, or both refuse it, whatever its chunks and segments are."""

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from images import every_format, many_scans, picture, png_chunk, save

from recordkit import codec, native
from recordkit.errors import ImageError
from recordkit.formats import netpbm
from recordkit.packing.native import NativeEngine
from recordkit.packing.plan import PackPlan
from recordkit.packing.python import PythonEngine

pytestmark = pytest.mark.usefixtures("require_native")
FORMATS = every_format()
IMAGES = {name: payload for name, payload in FORMATS.items() if codec.sniff(payload) in ("png", "jpg")}
SIGNATURE, IEND = b"\x89PNG\r\n\x1a\n", png_chunk(b"IEND", b"")
MEGABYTES = zlib.compress(bytes(70 << 20))


def by_core(payload):
    """Return the pixels as stored, or None if the file is left to the reference engine."""
    core = native.load().Transcoder(channels=0, crop=False, filter="none", side=0, encoding="raw", quality=95)
    raw = core([payload])[0]
    return None if raw is None else netpbm.unpack(raw)


def by_reference(payload):
    try:
        return codec.decode(payload, channels="keep")
    except ImageError:
        return None


def assert_same(payload):
    pixels, expected = by_core(payload), by_reference(payload)
    if pixels is not None:
        assert expected is not None, "the reference engine refuses what the core decodes"
        assert np.array_equal(pixels, expected)


def head(width=3, height=2, depth=8, color=2, methods=(0, 0, 0)):
    return struct.pack(">IIBBBBB", width, height, depth, color, *methods)


DATA = png_chunk(b"IDAT", zlib.compress(bytes(2 * (1 + 3 * 3))))
CONTENTS = {
    "empty": b"", "zero": b"\0", "a name": b"name", "method 0": b"name\0\0", "method 1": b"name\0\x01x",
    "stored text": b"name\0\0\0\0\0text", "compressed": b"name\0\0" + zlib.compress(b"text"),
    "compressed text": b"name\0\x01\0\0\0" + zlib.compress(b"text"), "a fact": b"transparency\0\0\0\0\0\0",
    "interlace": b"interlace\0" + b"1", "exif": b"exif\0II*\0", "bbox": b"bbox\0(0, 0, 1, 1)",
    "2 bytes": b"\0\1", "3 bytes": b"abc", "4 bytes": b"\0\0\0\1", "6 bytes": bytes(6),
    "8 bytes": bytes(8), "9 bytes": bytes(9),
    "32 bytes": bytes(32), "768 bytes": bytes(768), "771 bytes": bytes(771),
    "70 MB": b"name\0\0" + MEGABYTES, "70 MB of text": b"name\0\x01\0\0\0" + MEGABYTES,
}  # fmt: skip
KINDS = [
    b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"bKGD", b"hIST", b"tIME", b"sPLT", b"sBIT",
    b"eXIf", b"acTL", b"fcTL", b"fdAT", b"tRNS", b"PLTE", b"IHDR", b"IDAT", b"IEND", b"cICP", b"zzZz",
    b"ABCD", b"a1b2", b"\0\0\0\0", b"a\x80bc",
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:Invalid APNG")
@pytest.mark.parametrize("color", [0, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_chunks_of_every_kind_and_length(kind, color):
    palette = png_chunk(b"PLTE", bytes(range(9)))
    data = png_chunk(b"IDAT", zlib.compress(bytes(2 * (1 + 3 * (3 if color == 2 else 1)))))
    before, middle = SIGNATURE + png_chunk(b"IHDR", head(color=color)), palette if color == 3 else b""
    assert by_core(before + middle + data + IEND) is not None
    for content in CONTENTS.values():
        chunk = png_chunk(kind, content)
        damaged = chunk[:-1] + bytes([chunk[-1] ^ 1])
        for other in (chunk, damaged, chunk * 2):
            for payload in (
                before + other + middle + data + IEND,
                before + middle + other + data + IEND,
                before + middle + data + other + IEND,
                before + middle + data + other + data + IEND,
                SIGNATURE + other + before[8:] + middle + data + IEND,
            ):
                assert_same(payload)


def test_many_chunks_of_text_are_read_by_both():
    texts = png_chunk(b"tEXt", b"name\0" + bytes(7 << 20)) * 10
    payload = SIGNATURE + png_chunk(b"IHDR", head()) + texts + DATA + IEND
    assert by_core(payload) is not None and by_reference(payload) is not None


@pytest.mark.parametrize("n", [9_900, 10_100, 20_000])
def test_both_refuse_too_many_chunks(n):
    payload = SIGNATURE + png_chunk(b"IHDR", head()) + png_chunk(b"tIME", b"") * n + DATA + IEND
    limit = 10_000 + len(payload) // 1024
    for decoded in (by_core(payload), by_reference(payload)):
        assert (decoded is not None) == (n + 2 <= limit)


@pytest.mark.parametrize(
    "ihdr",
    [
        head(0, 2), head(3, 0), head(2**31, 2), head()[:12], head() + b"\0", b"", head(depth=16), head(depth=4),
        head(depth=3),
        head(color=1), head(color=7), head(methods=(1, 0, 0)), head(methods=(0, 1, 0)), head(methods=(0, 0, 1)),
        head(methods=(0, 0, 2)),
    ],
)  # fmt: skip
def test_headers_of_every_kind(ihdr):
    assert_same(SIGNATURE + png_chunk(b"IHDR", ihdr) + DATA + IEND)


def segments_of(payload):
    """Return the segments of a JPEG up to its first scan, and the rest."""
    begin, segments = 2, []
    while payload[begin + 1] != 0xDA:
        end = begin + 2 + int.from_bytes(payload[begin + 2 : begin + 4], "big")
        segments.append(payload[begin:end])
        begin = end
    return segments, payload[begin:]


@pytest.mark.parametrize("name", ["jpg", "jpg progressive", "jpg gray", "jpg cmyk", "jpg exif"])
def test_segments_that_are_too_short_too_long_repeated_or_missing(name):
    segments, rest = segments_of(IMAGES[name])
    for n, segment in enumerate(segments):
        variants = [b"", segment * 2, segment + b"\0", segment + b"\xff", b"\xff" + segment]
        for length in {
            0,
            1,
            2,
            3,
            4,
            7,
            8,
            14,
            15,
            16,
            len(segment) - 3,
            len(segment) - 2,
            len(segment) - 1,
            len(segment),
            65_535,
        }:
            size = max(0, length).to_bytes(2, "big")
            variants += [segment[:2] + size + segment[4:], segment[:2] + size + segment[4 : 2 + length]]
        for variant in variants:
            assert_same(IMAGES[name][:2] + b"".join((*segments[:n], variant, *segments[n + 1 :])) + rest)


@pytest.mark.parametrize("marker", [*range(0x01, 0x04), 0xBF, *range(0xC0, 0xFF)])
def test_segments_of_every_marker(marker):
    contents = [
        b"", b"\0\0", b"JFIF\0", b"JFIF\0\1\1\0\0\1\0\1\0\0", b"JFXX\0\x10", b"Adobe", b"Adobe\0\0\0\0\0\0\1",
        b"Exif\0\0", b"Exif\0\0II*\0", b"ICC_PROFILE\0", b"ICC_PROFILE\0\1\1x", b"MPF\0",
        b"MPF\0II*\0\x08\0\0\0\0\0", b"Photoshop 3.0\0008BIM",
    ]  # fmt: skip
    for name in ("jpg", "jpg progressive", "jpg cmyk"):
        payload = IMAGES[name]
        for content in contents:
            segment = bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content
            for place in (2, payload.index(b"\xff\xda"), payload.rindex(b"\xff\xda")):
                assert_same(payload[:place] + segment + payload[place:])
                assert_same(payload[:place] + segment[:2] + payload[place:])


@pytest.mark.parametrize("n", [99, 100, 101, 400])
def test_both_have_the_same_limit_of_scans(n):
    payload = many_scans(n, 24)
    for decoded in (by_core(payload), by_reference(payload)):
        assert (decoded is not None) == (n <= 100)


@pytest.mark.parametrize("engine", ["python", "native"])
def test_a_pack_refuses_too_many_scans_and_goes_on(engine, tmp_path):
    payloads = [many_scans(101), save(picture(), "JPEG")]
    engines = {"native": NativeEngine, "python": PythonEngine}
    encoded = engines[engine](PackPlan(resize=8), pixels=False).encode(payloads, [0, 1])
    assert encoded.payloads[0] is None and encoded.payloads[1]
    assert "at most 100 scans" in encoded.remarks[0]


@settings(deadline=None)
@pytest.mark.filterwarnings("ignore")
@given(data=st.data(), name=st.sampled_from(sorted(IMAGES)))
def test_files_with_a_changed_header(data, name):
    payload = bytearray(IMAGES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(2, min(len(payload), 700) - 1))
        match data.draw(st.sampled_from(["set", "delete", "insert"])):
            case "set":
                payload[place] = data.draw(st.sampled_from([0, 1, 2, 255, 0xD9, 0xDA]) | st.integers(0, 255))
            case "delete":
                del payload[place : place + data.draw(st.integers(1, 4))]
            case "insert":
                payload[place:place] = data.draw(st.binary(min_size=1, max_size=4))
    assert_same(
        with_right_crcs(bytes(payload))
        if name.startswith(("png", "apng")) and data.draw(st.booleans())
        else bytes(payload)
    )


def with_right_crcs(payload):
    """Correct the CRC of each chunk, so that a change reaches the chunk's reader."""
    result, begin = payload[:8], 8
    while begin + 12 <= len(payload):
        end = begin + 8 + int.from_bytes(payload[begin : begin + 4], "big")
        if end + 4 > len(payload):
            break
        result += payload[begin:end] + zlib.crc32(payload[begin + 4 : end]).to_bytes(4, "big")
        begin = end + 4
    return result + payload[begin:]
