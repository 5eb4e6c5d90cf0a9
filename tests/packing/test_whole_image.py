"""Each image that a pack copies or encodes can be read: kinds that codecs write, whole, truncated and with a tail."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import every_format, exif, huge_jpeg, huge_png, noise, picture, sampled_jpeg, save
from PIL import Image

from recordkit import PackPlan, codec, pack, upkeep
from recordkit.errors import ImageError
from recordkit.packing.native import choose_engine
from recordkit.packing.whole_image import looks_whole
from recordkit.sources import ListSource

# Options of Pillow's writers by format and mode; a combination that a writer refuses is left out.
WRITERS = {
    "JPEG": [
        {}, {"quality": 1}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"optimize": True},
        {"restart_marker_blocks": 1}, {"keep_rgb": True}, {"exif": exif(6)}, {"comment": "\xff\xd9" * 9},
        {"icc_profile": bytes(70_000)},
    ],
    "MPO": [{}, {"save_all": True, "append_images": [picture(noise(9, 7))]}],
    "PNG": [{}, {"compress_level": 0}, {"bits": 1}, {"bits": 4}, {"exif": exif(3)}, {"dpi": (72, 72)},
            {"save_all": True, "append_images": [picture(noise(12, 10))]}],
    "BMP": [{}],
    "GIF": [{}, {"interlace": False}, {"save_all": True, "append_images": [picture(noise(12, 10))]}],
    "TIFF": [{}, *({"compression": name} for name in (
        "tiff_lzw", "packbits", "tiff_adobe_deflate", "jpeg", "group3", "group4", "lzma", "zstd", "webp"))],
    "WEBP": [{}, {"lossless": True}, {"exif": exif(8)}, {"save_all": True, "append_images": [picture(noise(12, 10))]}],
    "PPM": [{}],
}  # fmt: skip
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I", "I;16", "F")


def written(encoding, mode, options, height, width):
    """Return a file of Pillow; None if its writer refuses the mode or the options."""
    image = picture(noise(height, width))
    if mode == "I;16":
        image = Image.fromarray(noise(height, width, 2).view(np.uint16)[:, :, 0])
    elif mode != "PA":
        image = image.convert(mode)
    else:
        image = image.convert("P").convert("PA")
    with contextlib.suppress(OSError, KeyError, ValueError, RuntimeError, AttributeError):
        return save(image, encoding, **options)
    return None


@st.composite
def files(draw):
    encoding = draw(st.sampled_from(sorted(WRITERS)))
    options = draw(st.sampled_from(WRITERS[encoding]))
    sides = st.integers(1, 40)
    payload = written(encoding, draw(st.sampled_from(MODES)), options, draw(sides), draw(sides)) or b""
    match draw(st.sampled_from(["whole", "cut", "tail"])):
        case "cut":
            return payload[: draw(st.integers(0, len(payload)))]
        case "tail":
            return payload + draw(st.sampled_from([b"\0", b"\n", b"\xff\xda\xff\xd9", bytes(99)]))
    return payload


def packed(payload, plan, engine):
    return choose_engine(engine)(plan, pixels=False).encode([payload], [0]).payloads[0]


def decodes(payload, channels="keep"):
    with contextlib.suppress(ImageError):
        return codec.decode(payload, channels=channels) is not None
    return False


@pytest.mark.filterwarnings("ignore")
@given(files())
def test_an_image_is_copied_if_and_only_if_it_decodes(payload):
    copy = packed(payload, PackPlan(), "python")
    is_known = codec.sniff(payload) not in ("unknown", "empty")
    assert (copy is not None) == (is_known and decodes(payload))
    if copy is not None:
        assert copy == payload and decodes(payload, 3) and decodes(payload, 1)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".tiff", ".webp", ".pgm", ".ppm", ".pnm", ".pam"])
def test_what_opencv_writes_is_copied_if_and_only_if_it_decodes(suffix, channels, dtype):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    is_written, content = cv2.imencode(suffix, noise(9, 14, channels).astype(dtype))
    if is_written:
        for payload in (content.tobytes(), content.tobytes()[:-9]):
            is_copied = packed(payload, PackPlan(), "python") is not None
            assert is_copied == (codec.sniff(payload) != "unknown" and decodes(payload))


@pytest.mark.parametrize("maximum", [1, 255, 300, 65535])
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_every_pam_that_opencv_or_netpbm_may_write_is_packed(depth, maximum):
    head = b"P7\n# made by hand\nWIDTH 3\nHEIGHT 2\nDEPTH %d\nMAXVAL %d\nENDHDR\n" % (depth, maximum)
    payload = head + bytes(3 * 2 * depth * (1 if maximum < 256 else 2))
    assert packed(payload, PackPlan(), "python") == payload
    assert packed(payload[:-1], PackPlan(), "python") is None


def test_any_file_is_copied_for_im2rec():
    payload = every_format()["jpg"][:-40]
    assert packed(payload, PackPlan(), "python") is None
    assert packed(payload, PackPlan(any_file=True), "python") == payload


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("require_native")
@given(
    st.sampled_from(["python", "native"]),
    files(),
    st.sampled_from([{"encoding": "png"}, {"encoding": "jpg"}, {"encoding": "raw", "channels": "keep"}]),
)
def test_an_encoded_image_decodes(engine, payload, options):
    result = packed(payload, PackPlan(**options), engine)
    assert result is None or decodes(result)


@pytest.mark.filterwarnings("ignore")
def test_what_a_pack_counts_as_packed_passes_verify(tmp_path, engine):
    folder = tmp_path / "all"
    folder.mkdir()
    images = {
        **every_format(),
        "16 bit": b"P5\n# made by hand\n2 1\n65535\n\0\1\2\3",
        "p7": b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nMAXVAL 1\nENDHDR\n\1",
    }
    for name, payload in images.items():
        suffix = codec.file_suffixes(payload)[0]
        (folder / f"{name}{suffix}").write_bytes(payload)
        (folder / f"{name} cut{suffix}").write_bytes(payload[: len(payload) * 3 // 4])
    rows = "".join(f"{key}\t0\t{path.name}\n" for key, path in enumerate(sorted(folder.iterdir())))
    (tmp_path / "all.lst").write_text(rows)
    report = pack(ListSource(tmp_path / "all.lst", folder), tmp_path / "out", engine=engine)
    checked = upkeep.verify(tmp_path / "out", decode=True)
    assert checked.n_problems == 0 and checked.n_decoded == report.n_packed
    failed = {Path(name).stem for name in (tmp_path / "out.failed.tsv").read_text().split("\t")}
    assert report.n_packed + report.n_failed == 2 * len(images)
    assert "jpg cut" in failed and not failed & images.keys()


@pytest.mark.parametrize("name", [name for name in every_format() if name.startswith(("jpg", "png", "apng"))])
def test_a_usual_jpeg_or_png_is_copied_without_decoding_it(name):
    payload = every_format()[name]
    assert looks_whole(payload)
    assert not any(looks_whole(payload[:end]) for end in range(len(payload)))


def test_a_jpeg_with_a_thumbnail_that_is_cut_does_not_look_whole():
    thumbnail, whole = every_format()["jpg"], every_format()["jpg"]
    segment = b"Exif\0\0" + thumbnail
    payload = whole[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + whole[2:]
    assert looks_whole(payload) and not looks_whole(payload[:-3])


@pytest.mark.parametrize("factors", [(1, 1), (2, 2), (4, 1), (1, 2), (4, 2)])
def test_usual_sampling_factors_look_whole(factors):
    payload = sampled_jpeg(*factors, 2, 2)
    assert decodes(payload) and looks_whole(payload) == (factors != (4, 2))


def test_headers_that_no_decoder_accepts_do_not_look_whole():
    payload = every_format()["jpg"]
    frame = payload.index(b"\xff\xc0")
    for offset, value in [(1, 0xC3), (1, 0xC9), (4, 12), (9, 2), (11, 0x30), (8, 0), (0, 0)]:
        changed = bytearray(payload)
        changed[frame + offset] = value
        assert not looks_whole(bytes(changed)), (offset, value)
    for segment in (bytes.fromhex("ffcc0002"), bytes.fromhex("fffe0000"), bytes.fromhex("fffe0001")):
        assert not looks_whole(payload[:frame] + segment + payload[frame:])
    assert not looks_whole(huge_jpeg()) and not looks_whole(huge_png())
    png = every_format()["png"]
    assert not looks_whole(png[:24] + b"\3" + png[25:]) and not looks_whole(png[:25] + b"\5" + png[26:])


def test_a_jpeg_is_named_with_the_decoders_reason_if_it_is_cut(tiny_folder, tmp_path, engine):
    path = tiny_folder / "cat" / "0.jpg"
    path.write_bytes(path.read_bytes()[:-40])
    pack(tiny_folder, tmp_path / "out", engine=engine)
    (line,) = [row for row in (tmp_path / "out.failed.tsv").read_text().splitlines() if "0.jpg" in row]
    assert "bytes that do not decode (image file is truncated" in line
