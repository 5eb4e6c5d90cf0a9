"""Colour transforms, compared with their formulas in float64, pixel for pixel."""

import colorsys
import math

import numpy as np
import pytest
from images import noise
from words import Counted, Words

from recordkit.errors import PlanError
from recordkit.transforms import (
    RandomBrightness,
    RandomContrast,
    RandomGray,
    RandomHSL,
    RandomHue,
    RandomLighting,
    RandomSaturation,
)

ALMOST_1 = 1 - 2**-32
FRACTIONS = [0, 0.3, 0.5, 0.71, ALMOST_1]
WEIGHTS = np.array([0.299, 0.587, 0.114])
CHANGES = {
    RandomBrightness(0.5): 1,
    RandomContrast(0.5): 1,
    RandomSaturation(0.5): 1,
    RandomHue(0.5): 1,
    RandomHSL(20, 30, 40): 3,
    RandomLighting(0.5): 6,
    RandomGray(1): 1,
}


def same(image, exact):
    """Tell whether an image is the exact result rounded; float32 may round what is nearly a half either way."""
    expected = np.clip(exact, 0, 255)
    off = np.abs(image.astype(float) - expected)
    return off.max() <= 0.5 + 1e-4


def luma(rgb):
    return (rgb * WEIGHTS).sum(2, keepdims=True)


def unchanged(change):
    return {RandomHSL: RandomHSL(), RandomLighting: RandomLighting(0), RandomGray: RandomGray(0)}.get(
        type(change), type(change)(0)
    )


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: type(change).__name__)
class TestEveryTransform:
    def test_the_number_of_draws_does_not_depend_on_the_image(self, change, channels):
        draws = Counted()
        change(noise(5, 6, channels), draws)
        assert draws.n == CHANGES[change]

    def test_the_same_draws_make_the_same_pixels(self, change, channels):
        image = noise(9, 7, channels)
        before = image.copy()
        first = change(image, Counted(seed=3))
        assert np.array_equal(first, change(image, Counted(seed=3))) and np.array_equal(image, before)
        assert first.shape == image.shape and first.dtype == np.uint8

    def test_alpha_does_not_change_and_has_no_influence(self, change, channels):
        image = noise(9, 7, 4)
        changed = change(image, Counted())
        assert np.array_equal(changed[:, :, 3], image[:, :, 3])
        assert np.array_equal(changed[:, :, :3], change(image[:, :, :3], Counted()))

    def test_a_limit_of_0_changes_nothing(self, change, channels):
        image = noise(30, 40, channels)
        off = np.abs(unchanged(change)(image, Counted()).astype(int) - image)
        assert off.max() <= (1 if isinstance(change, RandomHue) else 0)

    def test_an_image_may_have_one_pixel(self, change, channels):
        assert change(noise(1, 1, channels), Counted()).shape == (1, 1, channels)

    def test_a_view_changes_like_its_copy(self, change, channels):
        view = noise(20, 30, channels)[3:17:2, ::-1]
        assert np.array_equal(change(view, Counted()), change(view.copy(), Counted()))


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("limit", [0, 0.4, 1])
@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_contrast_and_saturation_follow_mxnets_formulas(channels, limit, fraction):
    image = noise(30, 40, channels)
    exact, factor = image.astype(float), 1 + (2 * fraction - 1) * limit
    y = luma(exact) if channels == 3 else exact
    assert same(RandomBrightness(limit)(image, Words(fraction)), exact * factor)
    assert same(RandomContrast(limit)(image, Words(fraction)), exact * factor + (1 - factor) * y.mean())
    assert same(RandomSaturation(limit)(image, Words(fraction)), exact * factor + (1 - factor) * y)


def test_a_half_is_rounded_to_even():
    image = np.array([[[1], [3], [5], [255]]], np.uint8)
    assert RandomBrightness(0.5)(image, Words(0)).ravel().tolist() == [0, 2, 2, 128]


@pytest.mark.parametrize(("fraction", "grays"), [(0, True), (0.25 - 2**-32, True), (0.25, False), (ALMOST_1, False)])
def test_an_image_becomes_gray_if_the_draw_is_below_the_probability(fraction, grays):
    image = noise(5, 6)
    changed = RandomGray(0.25)(image, Words(fraction))
    assert same(changed, np.repeat(luma(image), 3, 2)) if grays else changed is image


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("limit", [0, 0.1, 1])
def test_hue_follows_mxnets_formula(limit, fraction):
    image = noise(30, 40)
    alpha = (2 * fraction - 1) * limit
    u, w = np.cos(alpha * np.pi), np.sin(alpha * np.pi)
    to_yiq = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.321], [0.211, -0.523, 0.311]])
    from_yiq = np.array([[1.0, 0.956, 0.621], [1.0, -0.272, -0.647], [1.0, -1.107, 1.705]])
    turned = np.array([[1.0, 0.0, 0.0], [0.0, u, -w], [0.0, w, u]])
    t = np.dot(np.dot(from_yiq, turned), to_yiq).T
    assert same(RandomHue(limit)(image, Words(fraction)), np.dot(image, t))


@pytest.mark.parametrize("fractions", [(0, 0, 0), (0.5, 0.5, 0.5), (0.3, 0.9, 0.2), (0.9, 0.1, 0.6), (ALMOST_1,) * 3])
@pytest.mark.parametrize("limits", [(180, 255, 255), (20, 0, 0), (0, 60, 0), (0, 0, 60), (20, 30, 40)])
def test_hsl_equals_the_standard_librarys(limits, fractions):
    image = noise(12, 15, seed=1)
    image[0, :5] = [(0, 0, 0), (255, 255, 255), (9, 9, 9), (255, 0, 0), (0, 0, 255)]
    dh, ds, dl = ((2 * fraction - 1) * limit for fraction, limit in zip(fractions, limits, strict=True))
    exact = np.empty(image.shape)
    for pixel in np.ndindex(image.shape[:2]):
        h, light, s = colorsys.rgb_to_hls(*(image[pixel] / 255))
        light, s = min(max(light + dl / 255, 0), 1), min(max(s + ds / 255, 0), 1)
        exact[pixel] = np.array(colorsys.hls_to_rgb((h + dh / 180) % 1, light, s)) * 255
    draws = Words(*fractions)
    assert same(RandomHSL(*limits)(image, draws), exact)
    assert draws.remaining == []


def test_hsl_equals_opencvs():
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: nothing to compare with")
    image = noise(60, 80)
    hls = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HLS)
    hls[:, :, 0] = (hls[:, :, 0] + 2 * 15) % 360
    hls[:, :, 1:] = np.clip(hls[:, :, 1:] + np.float32([20 / 255, -30 / 255]), 0, 1)
    exact = cv2.cvtColor(hls, cv2.COLOR_HLS2RGB).astype(float) * 255
    changed = RandomHSL(30, 60, 40)(image, Words(0.75, 0.25, 0.75))
    assert np.abs(changed - exact).max() <= 0.51


def test_hsl_shifts_the_lightness_of_a_gray_image():
    image = np.array([[[0], [100], [250]]], np.uint8)
    assert RandomHSL(90, 90, 40)(image, Words(0, 0, 0.75)).ravel().tolist() == [20, 120, 255]


@pytest.mark.parametrize("fractions", [(0, 0, 0, 0, 0, 0), (0.3, 0.2, 0.9, 0.7, 0.99, 0.5), (ALMOST_1,) * 6])
def test_lighting_adds_mxnets_sum_of_components(fractions):
    image = noise(12, 15)
    normals = [math.sqrt(-2 * math.log(1 - fractions[n])) * math.cos(2 * math.pi * fractions[n + 1]) for n in (0, 2, 4)]
    sizes = np.array([55.46, 4.794, 1.148])
    shares = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    exact = np.dot(shares * (0.1 * np.array(normals)), sizes)
    np.testing.assert_allclose(
        RandomLighting(0.1).shift(Words(*fractions)), exact, atol=1e-7
    )  # the draws are multiples of 2**-32
    assert same(RandomLighting(0.1)(image, Words(*fractions)), image + exact)


def test_lighting_has_the_standard_deviation_of_its_argument():
    shifts = np.array([RandomLighting(0.1).shift(Counted(position=p)) for p in range(2000)])
    expected = [
        0.1 * math.hypot(55.46 * a, 4.794 * b, 1.148 * c)
        for a, b, c in [(0.5675, 0.7192, 0.4009), (0.5808, 0.0045, 0.8140), (0.5836, 0.6948, 0.4203)]
    ]
    np.testing.assert_allclose(shifts.std(0), expected, rtol=0.06)
    assert np.abs(shifts.mean(0)).max() < 0.3


@pytest.mark.parametrize("change", [RandomSaturation(1), RandomHue(1), RandomLighting(1), RandomGray(1)])
def test_a_gray_image_is_returned_itself_if_only_colours_change(change):
    image = noise(5, 6, 1)
    assert change(image, Counted()) is image


@pytest.mark.parametrize("kind", [RandomBrightness, RandomContrast, RandomSaturation, RandomHue, RandomGray])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "1", None])
def test_a_limit_outside_0_to_1_is_refused(kind, value):
    name = "probability" if kind is RandomGray else "limit"
    with pytest.raises(PlanError, match=f"{name}: expected a number from 0 to 1, got"):
        kind(value)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomHSL(h=181), "h: expected a number from 0 to 180, got 181"),
        (lambda: RandomHSL(s=-1), "s: expected a number from 0 to 255, got -1"),
        (lambda: RandomHSL(l=256), "l: expected a number from 0 to 255, got 256"),
        (lambda: RandomLighting(-0.1), "std: expected a number from 0 to 10, got -0.1"),
    ],
)
def test_other_limits_are_checked_at_construction(build, message):
    with pytest.raises(PlanError, match=message):
        build()
