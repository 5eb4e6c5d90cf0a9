"""Pad: widths and values of the border."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import noise

from recordkit.errors import ImageError, PlanError
from recordkit.sample import MAX_PIXELS
from recordkit.transforms import CenterCrop, Pad


def test_a_border_has_its_width_on_each_side_and_alpha_0():
    padded = Pad(2, fill=7)(noise(3, 4, 4))
    assert padded.shape == (7, 8, 4)
    assert np.array_equal(padded[2:-2, 2:-2], noise(3, 4, 4))
    padded[2:-2, 2:-2] = (7, 7, 7, 0)
    assert np.unique(padded[:, :, :3]) == 7 and np.unique(padded[:, :, 3]) == 0


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("fill", [0, 255])
def test_a_border_equals_numpys(fill, channels):
    image = noise(3, 4, channels)
    expected = np.pad(image, ((5, 5), (5, 5), (0, 0)), constant_values=fill)
    assert np.array_equal(Pad(5, fill)(image), expected)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_a_center_crop_removes_the_border(height, width, least_height, least_width):
    image = noise(height, width)
    padded = Pad((least_height, least_width))(image)
    assert padded.shape == (max(height, least_height), max(width, least_width), 3)
    assert np.array_equal(CenterCrop((height, width))(padded), image)


@pytest.mark.parametrize("pixels", [0, (3, 3), (1, 1)])
def test_an_empty_border_returns_the_image_itself(pixels):
    image = noise(3, 4)
    assert Pad(pixels)(image) is image


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1,), "pixels: expected a whole number, at least 0, got -1"),
        (((0, 5),), r"pixels: expected a number of pixels, at least 1, or \(height, width\), got \(0, 5\)"),
        ((1.5,), "pixels: .*got 1.5"),
        ((1, 256), "fill: expected a whole number, 0 to 255, got 256"),
        ((1, -1), "fill: .*got -1"),
    ],
)
def test_arguments_are_checked_at_construction(arguments, message):
    with pytest.raises(PlanError, match=message):
        Pad(*arguments)


def test_a_border_that_is_too_large_is_refused_before_memory_is_allocated():
    with pytest.raises(ImageError, match=f"expected 1 to {MAX_PIXELS} pixels, got 200003 x 200003"):
        Pad(100_000)(noise(3, 3))
