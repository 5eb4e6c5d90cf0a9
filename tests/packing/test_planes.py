"""JPEGs that become JPEGs are resized as they are stored, in planes of luma and chroma, unless `exact` is set."""

import numpy as np
import pytest
from images import exif, noise, picture, pixels, save

from recordkit import PackPlan, codec
from recordkit.packing.native import NativeEngine, choose_engine
from recordkit.packing.python import PythonEngine
from recordkit.transforms import CenterCrop, Resize

# Quality 100 leaves differences of up to 2 levels between planes that are equal before encoding.
PLAN = {"resize": 24, "encoding": "jpg", "quality": 100}
NOISE_OF_ENCODING = 2


@pytest.fixture
def engine_type(engine):
    return choose_engine(engine)


def waves(height, width):
    """Return an image whose colours change smoothly."""
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [np.sin(rows / 9 + columns / 31), np.sin(columns / 12), np.sin((rows + columns) / 17)]
    return (127.5 + 120 * np.stack(channels, 2)).astype(np.uint8)


def as_rgb(payload):
    """Return a JPEG with Adobe's marker, which says that its planes are R, G and B, in place of that of JFIF."""
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    return payload[:2] + adobe + payload[4 + int.from_bytes(payload[4:6], "big") :]


def resized(engine, payload, **options):
    """Return the planes of a JPEG that an engine made, as integers of shape (H, W, 3)."""
    encoded = engine(PackPlan(**PLAN | options), pixels=False).encode([payload], [0])
    assert encoded.payloads[0], encoded.remarks
    return codec.decode_ycbcr(encoded.payloads[0]).astype(int)


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("size", [(40, 61), (61, 40), (24, 24), (25, 24), (17, 30), (300, 401)], ids=str)
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("chroma", ["4:2:0", "4:2:2"])
def test_both_engines_make_the_same_planes(chroma, orientation, size):
    payload = save(picture(noise(*size)), "JPEG", subsampling=chroma, exif=exif(orientation))
    for options in ({}, {"center_crop": True}, {"channels": "keep"}):
        got, want = (resized(engine, payload, **options) for engine in (NativeEngine, PythonEngine))
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= NOISE_OF_ENCODING + 1


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(40, 61), (61, 40), (25, 24), (300, 401)], ids=str)
def test_chroma_of_full_size_is_halved_by_the_dct_within_the_bound(size, orientation):
    payload = save(picture(waves(*size)), "JPEG", subsampling="4:4:4", quality=95, exif=exif(orientation))
    got, want = (resized(engine, payload) for engine in (NativeEngine, PythonEngine))
    difference = np.abs(got - want)
    assert difference[:, :, 0].max() <= NOISE_OF_ENCODING + 1
    assert difference.mean() <= 1 and np.percentile(difference, 99.9) <= 8


@pytest.mark.usefixtures("require_native")
@pytest.mark.parametrize("size", [(35, 50), (24, 36), (35, 24)], ids=str)
def test_chroma_is_not_halved_by_the_dct_if_less_than_a_third_is_to_go(size):
    payload = save(picture(noise(*size)), "JPEG", subsampling="4:4:4", quality=95)
    got, want = (resized(engine, payload) for engine in (NativeEngine, PythonEngine))
    assert np.abs(got - want).max() <= NOISE_OF_ENCODING + 1


@pytest.mark.usefixtures("require_native")
def test_planes_of_photographs_are_within_the_bound(real_data):
    for path in sorted((real_data / "imagenet-200").iterdir())[::10]:
        got, want = (resized(engine, path.read_bytes(), resize=256) for engine in (NativeEngine, PythonEngine))
        for difference in np.moveaxis(np.abs(got - want), 2, 0):
            assert difference.mean() <= 1 and np.percentile(difference, 99.9) <= 8 + NOISE_OF_ENCODING


def test_the_reference_engine_resizes_the_planes_that_the_decoder_gives():
    payload = save(picture(waves(50, 71)), "JPEG", quality=95)
    planes = Resize(24)(CenterCrop()(codec.decode_ycbcr(payload)))
    plan = PackPlan(**PLAN, center_crop=True)
    made = PythonEngine(plan, pixels=False).encode([payload], [0]).payloads[0]
    assert made == codec.encode(planes, "jpg", quality=100, ycbcr=True)


def test_exact_resizes_the_pixels_that_readers_see(engine_type):
    payload = save(picture(waves(50, 71)), "JPEG", quality=95)
    made = resized(engine_type, payload, exact=True)
    expected = codec.decode_ycbcr(codec.encode(Resize(24)(codec.decode(payload)), "jpg", quality=100))
    assert np.abs(made - expected).max() <= NOISE_OF_ENCODING + 1


@pytest.mark.parametrize("kind", ["L", "CMYK", "RGB as stored", "png"])
def test_images_that_are_not_stored_as_luma_and_chroma_are_resized_as_pixels(engine_type, kind):
    image = waves(50, 71)
    payload = {
        "L": lambda: save(picture(image, "L"), "JPEG"),
        "CMYK": lambda: save(picture(image, "CMYK"), "JPEG"),
        "RGB as stored": lambda: as_rgb(save(picture(image), "JPEG", subsampling="4:4:4")),
        "png": lambda: save(picture(image), "PNG"),
    }[kind]()
    made, exact = (
        engine_type(PackPlan(**PLAN, exact=exact), pixels=False).encode([payload], [0]).payloads[0]
        for exact in (False, True)
    )
    assert made == exact


@pytest.mark.parametrize("options", [{"filter": "bilinear"}, {"channels": 1}, {"encoding": "png"}], ids=str)
def test_other_filters_gray_and_png_are_resized_as_pixels(engine_type, options):
    payload = save(picture(pixels(50, 71)), "JPEG", quality=95)
    plans = [PackPlan(**{"resize": 24, "encoding": "jpg", "exact": exact} | options) for exact in (False, True)]
    made, exact = (engine_type(plan, pixels=False).encode([payload], [0]).payloads[0] for plan in plans)
    assert made == exact


def test_a_damaged_jpeg_has_the_error_of_its_pixels(engine_type):
    payload = save(picture(noise(50, 71)), "JPEG")[:700]
    for exact in (False, True):
        encoded = engine_type(PackPlan(**PLAN, exact=exact), pixels=False).encode([payload], [0])
        assert encoded.payloads == [None] and "truncated" in encoded.remarks[0]
