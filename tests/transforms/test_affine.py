"""The warp, compared with its formula, with Pillow's rule written out, and with OpenCV."""

import math

import numpy as np
import pytest
from images import noise, pixels
from words import Counted, Words

from recordkit.errors import ImageError, PlanError
from recordkit.transforms import RandomAffine, RandomAspect, RandomRotation, RandomScale, RandomShear
from recordkit.transforms.affine import warp

ALMOST_1 = 1 - 2**-32
WARPS = [
    {"angle": 10.0},
    {"angle": -45.0, "scale": 0.7},
    {"angle": 180.0},
    {"shear": 0.3},
    {"shear": -0.2, "angle": 20.0, "scale": 1.3, "aspect": 1.4},
    {"scale": 0.5},
    {"aspect": 0.61},
]


def matrix(height, width, angle=0.0, shear=0.0, scale=1.0, aspect=1.0):
    """Return the forward map and the size of the result, computed as in image_aug_default.cc."""
    a, b = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    hs = 2 * scale / (1 + aspect)
    ws = aspect * hs
    m = np.array([[hs * a - shear * b * ws, hs * b + shear * a * ws, 0], [-b * ws, a * ws, 0]])
    new_width, new_height = scale * width, scale * height
    m[0, 2] = (new_width - (m[0, 0] * width + m[0, 1] * height)) / 2
    m[1, 2] = (new_height - (m[1, 0] * width + m[1, 1] * height)) / 2
    return m, (int(new_width), int(new_height))


def reference(image, m, size, fill):
    """Warp bilinearly with repeated edges and rounding down; outside the image all fill, with alpha 0."""
    height, width = image.shape[:2]
    inverse = np.linalg.inv(np.vstack([m, [0, 0, 1]]))
    y, x = np.mgrid[: size[1], : size[0]]
    xs, ys, _ = np.moveaxis(np.stack([x, y, np.ones_like(x)], -1) @ inverse.T, -1, 0)
    left, top = np.floor(xs).astype(int), np.floor(ys).astype(int)
    dx, dy = (xs - left)[..., None], (ys - top)[..., None]

    def at(rows, columns):
        return image[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].astype(float)

    upper = at(top, left) * (1 - dx) + at(top, left + 1) * dx
    lower = at(top + 1, left) * (1 - dx) + at(top + 1, left + 1) * dx
    out = np.floor(upper * (1 - dy) + lower * dy)
    outside = (xs < -0.5) | (xs >= width - 0.5) | (ys < -0.5) | (ys >= height - 0.5)
    out[outside] = (fill, fill, fill, 0)[: image.shape[2]]
    return out.astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("arguments", WARPS, ids=str)
def test_the_warp_is_the_formula_with_pillows_rule(arguments, channels):
    image = noise(41, 60, channels)
    warped = warp(image, **arguments, fill=99)
    expected = reference(image, *matrix(41, 60, **arguments), 99)
    assert warped.shape == expected.shape and warped.dtype == np.uint8
    differ = np.abs(warped.astype(int) - expected).max(2)
    # Both results are right if a sum is a whole number, or a point is on the image's edge, within the last bit.
    assert np.count_nonzero(differ > 1) <= 60 and np.count_nonzero(differ) < 0.05 * differ.size


@pytest.mark.parametrize("arguments", WARPS, ids=str)
def test_inside_the_image_the_warp_is_near_opencvs(arguments):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed: nothing to compare with")
    image = pixels(200, 250)
    m, size = matrix(200, 250, **arguments)
    expected = cv2.warpAffine(image, m, size, flags=cv2.INTER_LINEAR, borderValue=(99, 99, 99))
    covered = cv2.warpAffine(np.full_like(image, 255), m, size, flags=cv2.INTER_LINEAR)
    inside = covered == 255
    differ = np.abs(warp(image, **arguments, fill=99).astype(int) - expected)[inside]
    assert differ.max() <= 2 and differ.mean() < 0.7


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    "change", [RandomAffine(), RandomRotation(0), RandomShear(0), RandomScale(1, 1), RandomAspect(1, 1)]
)
def test_the_identity_keeps_the_pixels(change, channels):
    image = noise(9, 14, channels)
    assert np.array_equal(change(image, Counted()), image)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_warp_draws_shear_angle_scale_aspect_in_order(channels):
    image = noise(31, 40, channels)
    change = RandomAffine(degrees=20, shear=0.5, scale=(0.5, 1.5), aspect=(0.5, 2.0), fill=7)
    draws = Words(0.25, 0.75, 0.5, 0.125)
    expected = warp(image, shear=-0.25, angle=10.0, scale=1.0, aspect=0.6875, fill=7)
    assert np.array_equal(change(image, draws), expected)
    assert draws.remaining == []


@pytest.mark.parametrize(
    ("change", "at_0", "at_half"),
    [
        (RandomRotation(40, fill=3), {"angle": -40.0}, {"angle": 0.0}),
        (RandomShear(0.4, fill=3), {"shear": -0.4}, {"shear": 0.0}),
        (RandomScale(0.5, 2), {"scale": 0.5}, {"scale": 1.25}),
        (RandomAspect(0.5, 2, fill=3), {"aspect": 0.5}, {"aspect": 1.25}),
    ],
)
def test_each_single_change_is_the_same_warp_and_draws_once(change, at_0, at_half):
    image = noise(31, 40)
    for fraction, arguments in ((0, at_0), (0.5, at_half)):
        draws = Words(fraction)
        assert np.array_equal(change(image, draws), warp(image, **arguments, fill=getattr(change, "fill", 0)))
        assert draws.remaining == []
    assert change(image, Words(ALMOST_1)).dtype == np.uint8


def test_a_positive_angle_is_counter_clockwise_and_an_aspect_above_1_is_vertical():
    dot = np.zeros((41, 41, 1), np.uint8)
    dot[20:23, 33:36] = 255  # to the right of the centre
    rows, columns = np.nonzero(warp(dot, angle=90)[:, :, 0])
    assert rows.mean() < 10 and 17 < columns.mean() < 24
    bar = np.zeros((41, 41, 1), np.uint8)
    bar[15:26, 15:26] = 255
    rows, columns = np.nonzero(warp(bar, aspect=2)[:, :, 0])
    assert np.ptp(rows) > 12 and np.ptp(columns) < 9


def test_alpha_does_not_weight_the_colours():
    image = noise(30, 40, 4)
    image[:, :, 3] = 0
    assert np.array_equal(warp(image, angle=15)[:, :, :3], warp(image[:, :, :3], angle=15))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_tiny_images_warp_to_at_least_one_pixel(shape):
    image = noise(*shape)
    assert warp(image, angle=30, scale=0.01).shape == (1, 1, 3)
    assert warp(image, angle=30).shape == image.shape


def test_a_view_warps_like_its_copy():
    view = noise(60, 40)[5:50:2, ::-1]
    assert np.array_equal(warp(view, angle=9), warp(view.copy(), angle=9))


def test_a_result_with_too_many_pixels_is_refused():
    with pytest.raises(ImageError, match="expected 1 to .* pixels, got 100000 x 100000"):
        RandomScale(10_000, 10_000)(noise(10, 10), Counted())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: RandomRotation(-1), "degrees: expected a number from 0 to 180, got -1"),
        (lambda: RandomRotation(1, fill=256), "fill: expected a whole number, 0 to 255, got 256"),
        (lambda: RandomShear(11), "ratio: expected a number from 0 to 10, got 11"),
        (lambda: RandomScale(0, 1), r"scale: expected \(low, high\) with 0 < low <= high, got \(0, 1\)"),
        (lambda: RandomScale(2, 1), r"scale: .*got \(2, 1\)"),
        (lambda: RandomAspect(0, 1), r"aspect: .*got \(0, 1\)"),
        (lambda: RandomAspect(1, 1, fill=-1), "fill: .*got -1"),
        (lambda: RandomAffine(degrees=181), "degrees: .*got 181"),
        (lambda: RandomAffine(shear=math.nan), "shear: .*got nan"),
        (lambda: RandomAffine(scale=1.5), "scale: .*got 1.5"),
        (lambda: RandomAffine(aspect=(-1, 1)), "aspect: .*got"),
        (lambda: RandomAffine(fill=0.5), "fill: .*got 0.5"),
    ],
)
def test_arguments_are_checked_at_construction(build, message):
    with pytest.raises(PlanError, match=message):
        build()
