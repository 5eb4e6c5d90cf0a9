"""What holds for every transform there is."""

import dataclasses
import inspect
import pickle

import numpy as np
import pytest
from images import noise
from words import Counted

from recordkit import transforms

# One of each, and how many numbers it draws for an image of 50 x 60.
DRAWN = [
    (transforms.CenterCrop(20), 0),
    (transforms.Cutout(10, n=3), 6),
    (transforms.Flip(), 0),
    (transforms.Pad(3), 0),
    (transforms.RandomAffine(10, 0.1, (0.9, 1.1), (0.9, 1.1)), 4),
    (transforms.RandomAspect(0.8, 1.2), 1),
    (transforms.RandomBrightness(0.3), 1),
    (transforms.RandomContrast(0.3), 1),
    (transforms.RandomCrop(20), 2),
    (transforms.RandomFlip(), 1),
    (transforms.RandomGray(0.5), 1),
    (transforms.RandomHSL(9, 9, 9), 3),
    (transforms.RandomHue(0.3), 1),
    (transforms.RandomLighting(0.1), 6),
    (transforms.RandomResizedCrop(20, (0.3, 0.3), (1, 1)), 4),
    (transforms.RandomRotation(20), 1),
    (transforms.RandomSaturation(0.3), 1),
    (transforms.RandomScale(0.9, 1.1), 1),
    (transforms.RandomShear(0.2), 1),
    (transforms.RandomSizeCrop(20, 10, 40), 3),
    (transforms.Resize(20), 0),
]
each = pytest.mark.parametrize(("change", "n_drawn"), DRAWN, ids=lambda value: type(value).__name__)


def test_the_table_is_complete():
    assert transforms.__all__ == sorted(transforms.__all__)
    kinds = {name for name in transforms.__all__ if dataclasses.is_dataclass(getattr(transforms, name))}
    assert kinds - {"Normalize"} == {type(change).__name__ for change, _ in DRAWN}
    for name in kinds:
        assert f"\n{name} " in transforms.__doc__
        assert "Examples" in inspect.getdoc(getattr(transforms, name))


@each
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_depend_on_the_draws_alone(change, n_drawn, channels):
    image = noise(50, 60, channels)
    before = image.copy()
    draws = Counted(seed=7, position=1)
    changed = change(image, draws)
    assert draws.n == n_drawn
    assert changed.dtype == np.uint8 and changed.ndim == 3 and changed.shape[2] == channels
    assert np.array_equal(changed, change(image, Counted(seed=7, position=1)))
    assert np.array_equal(image, before)
    others = [change(image, Counted(seed=7, position=p)) for p in range(2, 12)]
    differ = any(not np.array_equal(changed, other) for other in others)
    only_color = isinstance(
        change,
        transforms.RandomGray | transforms.RandomHue | transforms.RandomLighting | transforms.RandomSaturation,
    )
    assert differ == (n_drawn > 0 and not (channels == 1 and only_color))


@each
def test_it_is_a_value(change, n_drawn):
    assert pickle.loads(pickle.dumps(change)) == change
    assert hash(dataclasses.replace(change)) == hash(change)
    assert not hasattr(change, "__dict__")
    with pytest.raises((AttributeError, TypeError)):  # TypeError: a bug of Python with slots
        change.size = 1
