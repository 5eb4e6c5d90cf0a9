"""The central square, with im2rec's offsets."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import noise

from recordkit.transforms import CenterCrop


@pytest.mark.parametrize(
    ("height", "width", "top", "left"),
    [(4, 4, 0, 0), (4, 7, 0, 1), (4, 8, 0, 2), (9, 4, 2, 0), (5, 4, 0, 0), (1, 2, 0, 0), (1, 1, 0, 0)],
)
def test_where_the_margins_differ_the_smaller_one_is_above_or_to_the_left(height, width, top, left):
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
