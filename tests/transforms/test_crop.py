"""Crops: their positions, their draws, and their errors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import noise
from words import Counted, Words

from recordkit.errors import ImageError, PlanError
from recordkit.transforms import CenterCrop, RandomCrop, RandomResizedCrop, RandomSizeCrop
from recordkit.transforms.resize import INTER_METHODS, resize_to

ALMOST_1 = 1 - 2**-32


@pytest.mark.parametrize(
    ("height", "width", "top", "left"),
    [(4, 4, 0, 0), (4, 7, 0, 1), (4, 8, 0, 2), (9, 4, 2, 0), (5, 4, 0, 0), (1, 2, 0, 0), (1, 1, 0, 0)],
)
def test_the_smaller_margin_is_above_or_to_the_left(height, width, top, left):
    image = noise(height, width)
    side = min(height, width)
    assert np.array_equal(CenterCrop()(image), image[top : top + side, left : left + side])


@given(st.integers(1, 40), st.integers(1, 40))
def test_the_square_has_the_short_side_and_margins_differ_by_at_most_1(height, width):
    image = np.arange(height * width).reshape(height, width, 1)
    cropped = CenterCrop()(image)
    side = min(height, width)
    assert cropped.shape == (side, side, 1)
    top, left = divmod(int(cropped[0, 0, 0]), width)
    assert 0 <= (height - side - top) - top <= 1 and 0 <= (width - side - left) - left <= 1


def test_the_square_is_a_view():
    image = noise(4, 8)
    assert np.shares_memory(CenterCrop()(image), image)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [(4, slice(1, 5), slice(2, 6)), ((6, 3), slice(0, 6), slice(3, 6)), ((7, 9), slice(0, 7), slice(0, 9))],
)
def test_a_center_crop_has_its_size(size, rows, columns, channels):
    image = noise(7, 9, channels)
    assert np.array_equal(CenterCrop(size)(image), image[rows, columns])


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("words", "top", "left"),
    [((0, 0), 0, 0), ((ALMOST_1, ALMOST_1), 3, 5), ((0.5, 0), 2, 0), ((0.25, 0.5), 1, 3), ((0.2499, 0.9), 0, 5)],
)
def test_a_random_crop_draws_top_then_left(words, top, left, channels):
    image = noise(7, 9, channels)
    draws = Words(*words)
    assert np.array_equal(RandomCrop(4)(image, draws), image[top : top + 4, left : left + 4])
    assert draws.remaining == []


def test_a_random_crop_reaches_every_position_equally_often():
    image = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    corners = [int(RandomCrop(2)(image, Counted(position=p))[0, 0, 0]) for p in range(1200)]
    counts = {corner: corners.count(corner) for corner in set(corners)}
    assert set(counts) == {0, 1, 2, 4, 5, 6} and all(150 < n < 250 for n in counts.values())


@pytest.mark.parametrize("crop", [RandomCrop((5, 7)), CenterCrop((5, 7))])
def test_a_crop_as_large_as_the_image_is_the_image(crop):
    image = noise(5, 7)
    draws = Counted()
    assert np.array_equal(crop(image, draws), image)
    assert draws.n == (2 if isinstance(crop, RandomCrop) else 0)


@pytest.mark.parametrize("shape", [(3, 9), (9, 4), (1, 1)])
@pytest.mark.parametrize("crop", [CenterCrop((4, 5)), RandomCrop((4, 5))])
def test_an_image_smaller_than_the_crop_is_refused_with_advice(crop, shape):
    message = (
        f"{type(crop).__name__}: expected at least 4 rows and 5 columns, got {shape[0]} and {shape[1]}; resize or pad"
    )
    with pytest.raises(ImageError, match=message):
        crop(noise(*shape), Counted())


@pytest.mark.parametrize("size", [0, -1, (3,), (1, 2, 3), (2, 0), 2.5, (4.0, 4), "8", None])
@pytest.mark.parametrize("kind", [CenterCrop, RandomCrop, RandomResizedCrop, lambda size: RandomSizeCrop(size, 1, 2)])
def test_other_sizes_than_one_or_two_whole_numbers_from_1_on_are_refused(kind, size):
    if kind is CenterCrop and size is None:
        return
    with pytest.raises(PlanError, match=r"size: expected a number of pixels, at least 1, or \(height, width\), got"):
        kind(size)


def reference_box(height, width, scale, ratio, draws):
    """Draw a box like torchvision's RandomResizedCrop.get_params, with the random numbers in recordkit's order."""
    for _ in range(10):
        area = height * width * draws.uniform(*scale)
        aspect = math.exp(draws.uniform(math.log(ratio[0]), math.log(ratio[1])))
        w, h = math.floor(math.sqrt(area * aspect) + 0.5), math.floor(math.sqrt(area / aspect) + 0.5)
        if 0 < w <= width and 0 < h <= height:
            return draws.below(height - h + 1), draws.below(width - w + 1), h, w
    if width / height < ratio[0]:
        w, h = width, round(width / ratio[0])
    elif width / height > ratio[1]:
        w, h = round(height * ratio[1]), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize("ratio", [(3 / 4, 4 / 3), (1, 1), (2, 3)])
@pytest.mark.parametrize("scale", [(0.08, 1.0), (1, 1), (0.001, 0.002)])
@given(height=st.integers(2, 300), width=st.integers(2, 300), seed=st.integers(0, 2**64 - 1))
def test_the_box_equals_torchvisions(scale, ratio, height, width, seed):
    draws, reference_draws = Counted(seed), Counted(seed)
    box = RandomResizedCrop(8, scale, ratio).box(height, width, draws)
    expected = reference_box(height, width, scale, ratio, reference_draws)
    # Halves are rounded up by recordkit and to even by torchvision; the fallback alone can show it.
    assert box == expected or (draws.n == 20 and max(abs(a - b) for a, b in zip(box, expected, strict=True)) <= 1)
    assert draws.n == reference_draws.n and (draws.n == 20 or (draws.n % 2 == 0 and 4 <= draws.n <= 22))
    top, left, h, w = box
    assert 0 <= top <= height - h and 0 <= left <= width - w and h >= 1 and w >= 1


def test_a_box_equals_one_computed_by_hand():
    # area 50 * 100 * (0.2 + 0.5 * 0.6) = 2500, aspect exp(0) = 1: 50 x 50; top 0, left floor(0.5 * 51) = 25
    draws = Words(0.5, 0.5, ALMOST_1, 0.5)
    assert RandomResizedCrop(8, (0.2, 0.8), (0.5, 2)).box(50, 100, draws) == (0, 25, 50, 50)
    assert draws.remaining == []


def test_a_box_that_does_not_fit_is_drawn_again():
    draws = Words(0.99, 0.5, 0, 0.5, 0, 0)  # a square with nearly all of the area is too high; the next has a fifth
    assert RandomResizedCrop(8, (0.2, 1), (0.5, 2)).box(50, 100, draws) == (0, 0, 32, 32)
    assert draws.remaining == []


@pytest.mark.parametrize(
    ("height", "width", "ratio", "box"),
    [
        (10, 100, (3 / 4, 4 / 3), (0, 43, 10, 13)),
        (100, 10, (3 / 4, 4 / 3), (43, 0, 13, 10)),
        (1, 1, (50, 60), (0, 0, 1, 1)),
    ],
)
def test_after_10_tries_the_box_is_the_central_part_within_the_ratio(height, width, ratio, box):
    draws = Counted()
    assert RandomResizedCrop(8, (1, 1), ratio).box(height, width, draws) == box
    assert draws.n == 20


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", ["antialias", "bilinear", "cubic"])
def test_a_random_resized_crop_is_its_resized_box(name, channels):
    image = noise(60, 80, channels)
    for position in range(5):
        crop = RandomResizedCrop((20, 31), filter=name)
        top, left, height, width = crop.box(60, 80, Counted(position=position))
        expected = resize_to(image[top : top + height, left : left + width], 20, 31, name)
        assert np.array_equal(crop(image, Counted(position=position)), expected)


def test_the_whole_image_at_its_size_is_the_image():
    image = noise(20, 20)
    assert np.array_equal(RandomResizedCrop(20, (1, 1), (1, 1))(image, Counted()), image)


@pytest.mark.parametrize("number", range(5))
def test_a_random_filter_is_drawn_last(number):
    image = noise(30, 40)
    draws = Words(0.5, 0.5, 0, 0, number / 5 + 0.1)
    height, width = RandomResizedCrop(9).box(30, 40, Words(0.5, 0.5, 0, 0))[2:]
    expected = resize_to(image[:height, :width], 9, 9, INTER_METHODS[number])
    assert np.array_equal(RandomResizedCrop(9, filter="random")(image, draws), expected)
    assert draws.remaining == []
    draws = Words(0, 0, 0, number / 5 + 0.1)
    expected = resize_to(image[:12, :12], 9, 9, INTER_METHODS[number])
    assert np.array_equal(RandomSizeCrop(9, 12, 20, filter="random")(image, draws), expected)
    assert draws.remaining == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": (0, 1)}, r"scale: expected \(low, high\) with 0 < low <= high <= 1, got \(0, 1\)"),
        ({"scale": (0.5, 1.5)}, "scale: .*got"),
        ({"scale": 0.5}, "scale: .*got 0.5"),
        ({"scale": (0.9, 0.1)}, "scale: .*got"),
        ({"ratio": (0, 1)}, r"ratio: expected \(low, high\) with 0 < low <= high, got \(0, 1\)"),
        ({"ratio": (1, math.inf)}, "ratio: .*inf"),
        ({"ratio": (math.nan, 1)}, "ratio: .*nan"),
        ({"filter": "box"}, "filter: expected one of antialias, .*got 'box'"),
    ],
)
def test_ranges_and_filters_are_checked_at_construction(arguments, message):
    with pytest.raises(PlanError, match=message):
        RandomResizedCrop(8, **arguments)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("words", "top", "left", "side"),
    [((0, 0, 0), 0, 0, 4), ((ALMOST_1,) * 3, 3, 5, 9), ((0.5, 0.5, 0.5), 3, 4, 7)],
)
def test_a_crop_of_random_size_draws_side_top_left(words, top, left, side, channels):
    image = noise(12, 14, channels)
    draws = Words(*words)
    expected = resize_to(image[top : top + side, left : left + side], 6, 5, "bilinear")
    assert np.array_equal(RandomSizeCrop((6, 5), 4, 9, "bilinear")(image, draws), expected)
    assert draws.remaining == []


def test_an_image_smaller_than_the_largest_side_is_refused_before_a_draw():
    draws = Counted()
    with pytest.raises(
        ImageError, match="RandomSizeCrop: expected at least 9 rows and 9 columns, got 20 and 8; resize"
    ):
        RandomSizeCrop(4, 1, 9)(noise(20, 8), draws)
    assert draws.n == 0


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [(0, 5, "low: expected a whole number, at least 1, got 0"), (6, 5, "high: .*at least 6, got 5"), (1, 2.5, "high")],
)
def test_a_range_of_sides_is_checked_at_construction(low, high, message):
    with pytest.raises(PlanError, match=message):
        RandomSizeCrop(8, low, high)
