"""Properties of every transform."""

import dataclasses
import inspect
import pickle

import numpy as np
import pytest
from images import noise
from words import Counted

from recordkit import transforms
from recordkit.transforms.mxnet_augmenter import CenterSizeCrop, FittingCenterCrop, FittingRandomCrop
from recordkit.transforms.transform import native_spec, output_size

# One transform of each class, and the number of words that it draws for an image of 50 x 60.
TRANSFORMS = [
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
every_transform = pytest.mark.parametrize(("change", "n_words"), TRANSFORMS, ids=lambda value: type(value).__name__)


def test_the_tables_have_every_transform():
    assert transforms.__all__ == sorted(transforms.__all__)
    kinds = {name for name in transforms.__all__ if dataclasses.is_dataclass(getattr(transforms, name))}
    assert kinds - {"Normalize"} == {type(change).__name__ for change, _ in TRANSFORMS}
    for name in kinds:
        assert f"\n{name} " in transforms.__doc__
        assert "Examples" in inspect.getdoc(getattr(transforms, name))


@every_transform
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_depend_on_the_draws_alone(change, n_words, channels):
    image = noise(50, 60, channels)
    before = image.copy()
    draws = Counted(seed=7, position=1)
    changed = change(image, draws)
    assert draws.n == n_words
    assert changed.dtype == np.uint8 and changed.ndim == 3 and changed.shape[2] == channels
    assert np.array_equal(changed, change(image, Counted(seed=7, position=1)))
    assert np.array_equal(image, before)
    others = [change(image, Counted(seed=7, position=p)) for p in range(2, 12)]
    differ = any(not np.array_equal(changed, other) for other in others)
    only_color = isinstance(
        change,
        transforms.RandomGray | transforms.RandomHue | transforms.RandomLighting | transforms.RandomSaturation,
    )
    assert differ == (n_words > 0 and not (channels == 1 and only_color))


@every_transform
def test_a_transform_is_a_value(change, n_words):
    assert pickle.loads(pickle.dumps(change)) == change
    assert hash(dataclasses.replace(change)) == hash(change)
    assert not hasattr(change, "__dict__")
    with pytest.raises((AttributeError, TypeError)):  # TypeError because of a bug of Python with slots
        change.size = 1


CROPS = [
    (transforms.CenterCrop((20, 30)), (20, 30)),
    (transforms.RandomCrop(20), (20, 20)),
    (transforms.RandomResizedCrop((20, 7)), (20, 7)),
    (transforms.RandomSizeCrop(20, 10, 40), (20, 20)),
    (CenterSizeCrop((7, 9), 10, 40, "area"), (7, 9)),
    (FittingCenterCrop((70, 9)), (70, 9)),
    (FittingRandomCrop(80), (80, 80)),
]


@pytest.mark.parametrize(("crop", "size"), CROPS)
def test_a_crop_has_the_size_that_it_gives(crop, size):
    assert output_size(crop) == size
    for height, width in ((50, 60), (60, 41)):
        assert crop(noise(height, width), Counted()).shape == (*size, 3)


@pytest.mark.parametrize("change", [transforms.CenterCrop(), transforms.Pad((9, 9)), transforms.Resize(20), np.flipud])
def test_a_size_that_depends_on_the_image_is_not_given(change):
    assert output_size(change) is None


@every_transform
def test_the_native_engine_has_every_transform(change, n_words):
    assert native_spec(change) is not None


@pytest.mark.parametrize(
    "change",
    [
        transforms.Resize(20, "area"),
        transforms.RandomResizedCrop(20, filter="random"),
        transforms.RandomSizeCrop(20, 10, 40, "cubic"),
        CenterSizeCrop((20, 20), 10, 40, "auto"),
    ],
)
def test_the_native_engine_does_not_have_other_filters(change):
    assert native_spec(change) is None and native_spec(dataclasses.replace(change, filter="bilinear")) is not None


def test_a_subclass_does_not_inherit_a_description():
    class Shifted(transforms.RandomCrop):
        pass

    assert native_spec(Shifted(20)) is None and output_size(Shifted(20)) is None
