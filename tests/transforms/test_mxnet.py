"""Transforms that MXNet has too, compared with MXNet's pixels."""

import numpy as np
import pytest
from images import noise, pixels
from words import Words

from recordkit.transforms import (
    CenterCrop,
    Flip,
    Normalize,
    Pad,
    RandomBrightness,
    RandomContrast,
    RandomHue,
    RandomLighting,
    RandomSaturation,
)
from recordkit.transforms.affine import warp

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # from MXNet's calls of NumPy and SciPy


@pytest.fixture
def by_iterator(mx, tmp_path):
    """Return a function that sends one image through ImageRecordIter; its result is float32 (H, W, C)."""

    def run(image, height, width, **options):
        path = str(tmp_path / "one.rec")
        writer = mx.recordio.MXRecordIO(path, "w")
        header = mx.recordio.IRHeader(0, 1.0, 0, 0)
        writer.write(mx.recordio.pack_img(header, image[:, :, ::-1], quality=3, img_fmt=".png"))
        writer.close()
        batches = mx.io.ImageRecordIter(
            path_imgrec=path,
            batch_size=1,
            data_shape=(3, height, width),
            preprocess_threads=1,
            verbose=False,
            **options,
        )
        return next(iter(batches)).data[0].asnumpy()[0].transpose(1, 2, 0)

    return run


@pytest.mark.parametrize(
    ("change", "height", "width", "options"),
    [
        (CenterCrop((30, 21)), 30, 21, {}),
        (CenterCrop((31, 80)), 31, 80, {}),
        (Flip(), 60, 80, {"mirror": True}),
        (Pad(5, fill=50), 70, 90, {"pad": 5, "fill_value": 50}),
    ],
)
def test_transforms_that_move_whole_pixels_are_equal(by_iterator, change, height, width, options):
    image = noise(60, 80)
    assert np.array_equal(by_iterator(image, height, width, **options), change(image))


def test_normalized_values_differ_in_the_last_bits_only(by_iterator):
    image = noise(60, 80)
    mean, std = (123.68, 116.28, 103.53), (58.4, 57.1, 57.4)
    options = dict(zip(("mean_r", "mean_g", "mean_b", "std_r", "std_g", "std_b"), mean + std, strict=True))
    np.testing.assert_allclose(by_iterator(image, 60, 80, **options), Normalize(mean, std)(image), rtol=3e-7)


@pytest.mark.parametrize("angle", [10, 30, 90])
def test_a_rotation_differs_by_at_most_2_levels_except_at_the_images_edges(by_iterator, angle):
    image = pixels(60, 80)
    mxnet_pixels = by_iterator(image, 60, 80, rotate=angle, fill_value=50)
    differ = np.abs(mxnet_pixels - warp(image, angle, fill=50)).max(2)
    assert np.count_nonzero(differ > 2) <= 2 * (60 + 80)


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ({"scale": 0.8}, {"max_random_scale": 0.8, "min_random_scale": 0.8}),
        ({"aspect": 1.5}, {"max_aspect_ratio": 1.5, "min_aspect_ratio": 1.5}),
    ],
)
def test_a_scale_and_an_aspect_differ_by_at_most_1_level(by_iterator, arguments, options):
    image = pixels(60, 80)
    warped = warp(image, **arguments, fill=50)
    mxnet_pixels = by_iterator(image, *warped.shape[:2], fill_value=50, **options)
    assert np.abs(mxnet_pixels - warped).max() <= 1


@pytest.mark.parametrize("fraction", [0, 0.3, 0.9])
@pytest.mark.parametrize(
    ("change", "name"),
    [
        (RandomBrightness, "BrightnessJitterAug"),
        (RandomContrast, "ContrastJitterAug"),
        (RandomSaturation, "SaturationJitterAug"),
        (RandomHue, "HueJitterAug"),
    ],
)
def test_colours_equal_mxnets_python_rounded(mx, monkeypatch, change, name, fraction):
    monkeypatch.setattr("random.uniform", lambda low, high: low + (high - low) * fraction)
    image = noise(40, 50)
    mxnet_pixels = getattr(mx.image, name)(0.4)(mx.nd.array(image.astype(np.float32))).asnumpy()
    assert np.abs(np.clip(mxnet_pixels, 0, 255) - change(0.4)(image, Words(fraction))).max() <= 0.501


def test_lighting_equals_mxnets_python_rounded(mx, monkeypatch):
    fractions = (0.3, 0.2, 0.9, 0.7, 0.99, 0.4)
    normals = [0.1 * np.sqrt(-2 * np.log(1 - fractions[n])) * np.cos(2 * np.pi * fractions[n + 1]) for n in (0, 2, 4)]
    monkeypatch.setattr("numpy.random.normal", lambda *_, **__: np.array(normals))
    image = noise(40, 50)
    augmenters = mx.image.CreateAugmenter((3, 40, 50), pca_noise=0.1)
    (lighting,) = [step for step in augmenters if isinstance(step, mx.image.LightingAug)]
    mxnet_pixels = lighting(mx.nd.array(image.astype(np.float32))).asnumpy()
    assert np.abs(np.clip(mxnet_pixels, 0, 255) - RandomLighting(0.1)(image, Words(*fractions))).max() <= 0.501
