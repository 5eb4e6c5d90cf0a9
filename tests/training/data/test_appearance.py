"""The appearance of training images, and images that are unlike them or are made like them."""

import numpy as np
import pytest
from training.bars import write_rec

from recordkit.errors import PlanError
from recordkit.training.data.adaptation import Adaptation, find_object
from recordkit.training.data.appearance import Appearance, measure, survey_appearance
from recordkit.training.data.survey import survey

SHAPE = (1, 28, 28)


def ring(side=28, diameter=20, *, top=None, left=None, ink=255, paper=0):
    """An image of an upright ring with a diameter, in the middle by default."""
    top, left = ((side - diameter) // 2 if begin is None else begin for begin in (top, left))
    image = np.full((side, side, 1), paper, np.uint8)
    thickness = max(1, diameter // 7)
    image[top : top + diameter, left : left + diameter] = ink
    image[top + thickness : top + diameter - thickness, left + thickness : left + diameter - thickness] = paper
    return image


@pytest.fixture
def digits():
    """The appearance of rings as MNIST has its digits: white on black, 20 pixels of 28, in the middle."""
    return Appearance.of(np.stack([ring(diameter=20), ring(diameter=18)] * 5))


def differences(appearance, image):
    return {
        difference.what: (difference.got, difference.training) for difference in appearance.differences(image[None])[0]
    }


def test_an_image_like_the_training_images_has_no_difference(digits):
    assert differences(digits, ring(diameter=19)) == {}


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (ring(ink=0, paper=240), {"polarity": (0.0, 1.0), "background": (240.0, 0.0)}),
        (ring(diameter=7), {"extent": (0.25, 0.6786)}),
        (ring(diameter=20, top=0, left=4), {"offset": (0.1429, 0.0)}),
        (np.full((28, 28, 1), 3, np.uint8), {"blank": (0.0, 255.0)}),
    ],
)
def test_an_image_is_unlike_the_training_images_in_one_respect_each(digits, image, expected):
    assert differences(digits, image) == expected


def test_of_photographs_with_all_backgrounds_nothing_is_said():
    photos = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), np.uint8)
    photos[:10] //= 4
    appearance = Appearance.of(photos)
    assert not appearance.is_plain
    assert appearance.differences(np.full((1, 8, 8, 3), 255, np.uint8)) == [()]


def test_facts_are_read_back_and_other_facts_are_none(digits):
    assert Appearance.from_facts(digits.facts()) == digits
    assert Appearance.from_facts(None) is None
    assert Appearance.from_facts({"background": [0, 0]}) is None


def test_the_images_of_a_file_are_measured_as_the_network_gets_them(tmp_path):
    opaque = np.repeat(ring(side=40, diameter=20), 4, axis=2)
    opaque[:, :, 3] = 255
    transparent = opaque.copy()
    transparent[:2, :, 3] = 0
    rec = write_rec(tmp_path / "a.rec", [(0.0, opaque), (1.0, transparent)])
    appearance = survey_appearance(survey(rec, iterator="recordkit"), SHAPE)
    assert appearance.extent == (0.7143,) * 3 and appearance.transparent == 0.5 and appearance.light_on_dark == 1


def test_only_images_of_the_other_side_are_inverted(digits):
    invert = Adaptation(digits, SHAPE, invert="auto")
    dark, light = ring(ink=10, paper=245), ring()
    assert np.array_equal(invert(dark), 255 - dark)
    assert np.array_equal(invert(light), light)
    assert np.array_equal(Adaptation(digits, SHAPE, invert="always")(light), 255 - light)


@pytest.mark.parametrize("ink", [0, 255])
def test_a_transparent_image_is_laid_on_the_background_of_the_training_images(digits, ink):
    image = np.full((28, 28, 4), ink, np.uint8)
    image[:, :, 3:] = ring()
    laid = Adaptation(digits, SHAPE)(image)
    assert laid.shape == (28, 28, 3) and laid.max() == ink  # black ink on black
    assert np.array_equal(Adaptation(digits, SHAPE, invert="auto")(image)[:, :, :1], ring())


@pytest.mark.parametrize("polarity", [(0, 240), (250, 15)])
def test_a_small_object_on_uneven_paper_is_centred(digits, polarity):
    ink, paper = polarity
    photo = ring(side=300, diameter=50, top=20, left=210, ink=ink, paper=paper).astype(float)
    photo += np.linspace(-15, 15, 300)[:, None, None] + np.random.default_rng(0).normal(0, 2, photo.shape)
    photo = photo.clip(0, 255).astype(np.uint8)
    assert find_object(photo) == pytest.approx((20, 210, 70, 260), abs=4)
    centred = Adaptation(digits, SHAPE, invert="auto", center=True)(photo)
    assert centred.shape == (28, 28, 1) and differences(digits, centred) == {}
    assert np.median(centred) == 0 and centred.max() > 240
    measures = measure(centred[None])
    assert measures.extent[0] == pytest.approx(0.68, abs=0.05) and measures.offset[0] < 0.05


def test_without_inversion_a_centred_object_keeps_its_paper(digits):
    centred = Adaptation(digits, SHAPE, center=True)(ring(side=60, diameter=10, ink=20, paper=230))
    assert np.median(centred) == 230 and centred.min() < 60


def test_an_empty_sheet_is_not_centred(digits):
    sheet = np.full((60, 60, 1), 240, np.uint8)
    assert find_object(sheet) is None
    assert np.array_equal(Adaptation(digits, SHAPE, center=True)(sheet), sheet)


@pytest.mark.parametrize("appearance", [None, Appearance((0, 90, 255), (1, 1, 1), (0, 0, 0), 200, 0.5, 0)])
@pytest.mark.parametrize("options", [{"invert": "auto"}, {"center": True}])
def test_a_model_without_one_background_is_refused(appearance, options):
    with pytest.raises(PlanError, match="expected a model whose training images have one background, got "):
        Adaptation(appearance, SHAPE, **options)
    assert Adaptation(appearance, SHAPE, invert="always").is_nothing is False


def test_an_unknown_word_is_refused():
    with pytest.raises(PlanError, match="expected one of never, auto, always, got 'yes'"):
        Adaptation(None, SHAPE, invert="yes")
