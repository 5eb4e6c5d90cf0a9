"""Normalization of pixels, as ImageRecordIter and Gluon do it."""

import numpy as np
import pytest

from recordkit.errors import PlanError
from recordkit.training.data.normalization import Normalization

IMAGE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3) * 5


@pytest.mark.parametrize(
    "normalization",
    [
        Normalization(),
        Normalization(mean=(33.15,), std=(79.05,), scale=1.0),
        Normalization(mean=(123.7, 116.8, 103.9), std=(58.4, 57.1, 57.4), scale=0.5),
    ],
)
@pytest.mark.parametrize("n_channels", [1, 3])
def test_images_are_the_inverse_of_pixels(normalization, n_channels):
    image = IMAGE[:, :, :n_channels]
    assert (normalization.images(normalization.pixels(image)[None])[0] == image).all()
    assert Normalization.from_facts(normalization.facts()) == normalization


def test_it_is_gluons_after_to_tensor(mx):
    transforms = mx.gluon.data.vision.transforms
    gluon = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.13, 0.31)])
    ours = Normalization(mean=(33.15,), std=(79.05,), scale=1.0).pixels(IMAGE[:, :, :1])
    np.testing.assert_allclose(
        ours, gluon(mx.nd.array(IMAGE[:, :, :1], dtype=np.uint8)).asnumpy(), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    ("values", "argument", "message"),
    [
        ({"mean": (0.13,), "std": (0.31,)}, "mean", "give mean=33.15, std=79.05 and scale=1"),
        ({"mean": (0.5,)}, "mean", "give mean=127.5$"),
        ({"mean": (0.5,), "std": (2.0,)}, "mean", "give mean=127.5$"),
        ({"mean": (0.5,), "scale": 1.0}, "mean", "give mean=127.5, std=255 and scale=1"),
        ({"mean": (1.0, 2.0)}, "mean", "expected numbers from 0 on, one or three, got 1,2"),
        ({"std": (0.0,)}, "std", "expected numbers above 0, one or three, got 0"),
        ({"scale": 0.0}, "scale", "expected numbers above 0, one or three, got 0"),
    ],
)
def test_other_values_are_refused(values, argument, message):
    with pytest.raises(PlanError, match=message) as caught:
        Normalization(**values)
    assert caught.value.argument == argument
