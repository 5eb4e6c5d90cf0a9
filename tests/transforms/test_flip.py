"""Flip and RandomFlip: the mirrored pixels, and the share of mirrored images."""

import numpy as np
import pytest
from images import noise
from words import Counted, Words

from recordkit.errors import PlanError
from recordkit.transforms import Flip, RandomFlip


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("width", [1, 2, 7])
def test_a_flip_exchanges_left_and_right(width, channels):
    image = noise(5, width, channels)
    flipped = Flip()(image)
    assert np.array_equal(flipped, np.fliplr(image)) and np.shares_memory(flipped, image)
    assert np.array_equal(Flip()(flipped), image)


@pytest.mark.parametrize(
    ("probability", "fraction", "mirrored"),
    [(0.5, 0, True), (0.5, 0.5 - 2**-32, True), (0.5, 0.5, False), (0, 0, False), (1, 1 - 2**-32, True)],
)
def test_an_image_is_mirrored_if_the_draw_is_below_the_probability(probability, fraction, mirrored):
    image = noise(5, 6)
    draws = Words(fraction)
    assert np.array_equal(RandomFlip(probability)(image, draws), image[:, ::-1] if mirrored else image)
    assert draws.remaining == []


def test_the_share_of_mirrored_images_is_the_probability():
    image = noise(2, 2)
    n = sum(RandomFlip(0.3)(image, Counted(position=p)) is not image for p in range(2000))
    assert 540 < n < 660


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan"), "half"])
def test_a_probability_outside_0_to_1_is_refused(probability):
    with pytest.raises(PlanError, match="probability: expected a number from 0 to 1, got"):
        RandomFlip(probability)
