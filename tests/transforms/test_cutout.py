"""Cutout: positions of the rectangles, and pixels that do not change."""

import numpy as np
import pytest
from images import noise
from words import Counted, Words

from recordkit.errors import PlanError
from recordkit.transforms import Cutout

ALMOST_1 = 1 - 2**-32


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize(
    ("size", "words", "rows", "columns"),
    [
        (3, (0.5, 0.5), slice(3, 6), slice(3, 6)),
        (4, (0.5, 0.5), slice(2, 6), slice(2, 6)),
        ((2, 5), (0.5, 0.5), slice(3, 5), slice(2, 7)),
        (4, (0, 0), slice(0, 2), slice(0, 2)),
        (4, (ALMOST_1, ALMOST_1), slice(5, 8), slice(6, 9)),
        (1, (0, ALMOST_1), slice(0, 1), slice(8, 9)),
        (100, (0.5, 0.5), slice(0, 8), slice(0, 9)),
    ],
)
def test_the_centre_is_drawn_and_the_rectangle_clipped_to_the_image(size, words, rows, columns, channels):
    image = noise(8, 9, channels)
    expected = image.copy()
    expected[rows, columns, :3] = 7
    draws = Words(*words)
    assert np.array_equal(Cutout(size, fill=7)(image, draws), expected)
    assert draws.remaining == []
    assert np.array_equal(image, noise(8, 9, channels)), "the image itself was painted"


def test_each_rectangle_draws_2_numbers():
    draws = Counted()
    Cutout(2, n=5)(noise(8, 9), draws)
    assert draws.n == 10
    both = Cutout(2, n=2)(np.ones((8, 9, 1), np.uint8), Words(0, 0, 0.9, 0.9))
    assert np.count_nonzero(both == 0) == 1 + 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size: expected a number of pixels, at least 1"),
        ({"size": 2, "n": 0}, "n: expected a whole number, at least 1, got 0"),
        ({"size": 2, "fill": 300}, "fill: expected a whole number, 0 to 255, got 300"),
    ],
)
def test_arguments_are_checked_at_construction(arguments, message):
    with pytest.raises(PlanError, match=message):
        Cutout(**arguments)
