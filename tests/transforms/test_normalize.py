"""Normalize: its formula to the last bit, and its argument checks."""

import numpy as np
import pytest

from recordkit.errors import PlanError
from recordkit.transforms import Normalize

EVERY = np.arange(256, dtype=np.uint8)
MEAN, STD = (123.68, 116.28, 103.53, 127.5), (58.4, 50.1, 57.4, 0.3)  # float32(1 / 50.1) is not 1 / float32(50.1)


@pytest.mark.parametrize("n_channels", [1, 3, 4])
def test_every_value_follows_the_formula_to_the_last_bit(n_channels):
    image = np.stack([EVERY.reshape(16, 16)] * n_channels, 2)
    mean, std = MEAN[:n_channels], STD[:n_channels]
    out = Normalize(mean, std)(image)
    assert out.shape == image.shape and out.dtype == np.float32
    for channel in range(n_channels):
        m, r = np.float32(mean[channel]), np.float32(1 / std[channel])
        expected = [np.float32(np.float32(np.float32(x) - m) * r) for x in EVERY]
        assert out[:, :, channel].ravel().tolist() == [float(value) for value in expected]
        exact = (EVERY.astype(float) - mean[channel]) / std[channel]
        np.testing.assert_allclose(out[:, :, channel].ravel(), exact, rtol=3e-7, atol=2e-5 / std[channel])


def test_one_number_serves_all_channels():
    image = np.stack([EVERY.reshape(16, 16)] * 3, 2)
    assert np.array_equal(Normalize(9, 2)(image), Normalize((9, 9, 9), [2, 2, 2])(image))
    assert np.array_equal(Normalize()(image), image.astype(np.float32))


def test_constants_follow_the_formula():
    mean, reciprocal = Normalize(0.1, (3, 7, 9)).constants(3)
    assert mean.dtype == reciprocal.dtype == np.float32
    assert mean.tolist() == [np.float32(0.1)] * 3
    assert reciprocal.tolist() == [np.float32(1 / 3), np.float32(1 / 7), np.float32(1 / 9)]


def test_a_scale_makes_pixels_from_0_to_1():
    image = EVERY.reshape(16, 16, 1)
    np.testing.assert_allclose(Normalize(scale=1 / 255)(image), image / 255, rtol=1e-6)
    expected = (image / 255 - 0.485) / 0.229
    np.testing.assert_allclose(Normalize(0.485, 0.229, scale=1 / 255)(image), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("mean", "std"), [((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), (0.5, 0.5), (0, 1 / 255), (0.5, 1)]
)
def test_numbers_for_pixels_from_0_to_1_need_a_scale(mean, std):
    with pytest.raises(PlanError, match="scale: expected one, because .* add scale=1/255, or scale=1"):
        Normalize(mean, std)
    assert Normalize(mean, std, scale=1 / 255) and Normalize(mean, std, scale=1)


@pytest.mark.parametrize("scale", [0, -1, "1/255", float("nan"), float("inf"), (1, 1, 1)])
def test_a_scale_is_a_number_above_0(scale):
    with pytest.raises(PlanError, match="scale: expected a number above 0, got"):
        Normalize(scale=scale)


def test_another_number_of_channels_is_refused():
    with pytest.raises(PlanError, match="mean: expected 1 number for images of 1 channel, got 3"):
        Normalize((1, 2, 3))(np.zeros((2, 2, 1), np.uint8))
    with pytest.raises(PlanError, match="std: expected 1 number or 4, one per channel, got 3"):
        Normalize(0, (1, 2, 3))(np.zeros((2, 2, 4), np.uint8))


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        (0, 0, "std: expected numbers above 0, got 0"),
        (0, (1, -1, 1), "std: expected numbers above 0, got"),
        (0, float("nan"), "std: expected a number, or a list of 1, 3 or 4, one per channel, got nan"),
        (np.zeros(3), 1, "mean: expected a number, or a list of 1, 3 or 4, one per channel, got array"),
        (float("inf"), 1, "mean: .*got inf"),
        ((1, 2), 1, r"mean: .*got \(1, 2\)"),
        ("123", 1, "mean: .*got '123'"),
        (None, 1, "mean: .*got None"),
        ((1, 2, 3), (1, 2, 3, 4), r"std: expected as many numbers as mean has, got \(1, 2, 3, 4\)"),
    ],
)
def test_arguments_are_checked_at_construction(mean, std, message):
    with pytest.raises(PlanError, match=message):
        Normalize(mean, std)
