"""Resize: sizes and filters, compared with OpenCV and Pillow."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from images import noise, pixels
from PIL import Image
from words import Counted, Words

from recordkit import codec
from recordkit.errors import ImageError, PlanError
from recordkit.sample import MAX_PIXELS
from recordkit.transforms import FILTERS, Resize
from recordkit.transforms.resize import INTER_METHODS

OPENCV_FILTERS = {"nearest": 0, "bilinear": 1, "cubic": 2, "area": 3, "lanczos4": 4}


@pytest.fixture(scope="session")
def cv2():
    return pytest.importorskip("cv2", reason="OpenCV is not installed: nothing to compare with")


def by_opencv(cv2, image, size, number):
    height, width = image.shape[:2]
    new = (size, height * size // width) if height > width else (width * size // height, size)
    return cv2.resize(np.ascontiguousarray(image), new, interpolation=number).reshape(new[1], new[0], image.shape[2])


def farthest(a, b):
    assert a.shape == b.shape
    return int(np.abs(a.astype(int) - b).max())


@pytest.mark.parametrize(
    ("height", "width", "size", "expected"),
    [
        (375, 500, 256, (256, 341)),
        (500, 375, 256, (341, 256)),
        (500, 500, 256, (256, 256)),
        (100, 299, 64, (64, 191)),
        (299, 100, 64, (191, 64)),
        (3, 7, 256, (256, 597)),
        (1, 1, 5, (5, 5)),
        (1000, 1, 1, (1000, 1)),
    ],
)
@pytest.mark.parametrize("name", ["antialias", "bilinear", "nearest"])
def test_the_long_side_is_rounded_down(height, width, size, expected, name):
    assert Resize(size, name)(np.zeros((height, width, 3), np.uint8)).shape == (*expected, 3)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4]))
def test_sizes_equal_im2recs(height, width, size, channels):
    # image_encode of tools/im2rec.py
    newsize = (size, height * size // width) if height > width else (width * size // height, size)
    image = Resize(size)(np.zeros((height, width, channels), np.uint8))
    assert image.shape == (newsize[1], newsize[0], channels) and image.dtype == np.uint8


@pytest.mark.parametrize("name", FILTERS)
def test_an_image_that_has_the_size_is_returned_itself(name):
    image = pixels(24, 40)
    assert Resize(24, name)(image) is image


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("value", [0, 1, 254, 255])
def test_a_uniform_colour_does_not_change(name, channels, value):
    image = np.full((37, 53, channels), value, np.uint8)
    for size in (7, 36, 38, 90):
        assert np.unique(Resize(size, name)(image, key=3)).tolist() == [value]


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3)])
@pytest.mark.parametrize("size", [1, 2, 5])
def test_tiny_images_resize(name, shape, size):
    assert min(Resize(size, name)(noise(*shape)).shape[:2]) == size


@pytest.mark.parametrize("name", FILTERS)
def test_a_view_resizes_like_its_copy(name):
    view = noise(60, 40)[5:50:2, ::-1]
    assert np.array_equal(Resize(10, name)(view), Resize(10, name)(view.copy()))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("name", OPENCV_FILTERS)
@given(height=st.integers(1, 70), width=st.integers(1, 70), size=st.integers(1, 90), seed=st.integers(0, 9))
def test_every_filter_is_within_1_level_of_opencv(cv2, name, channels, height, width, size, seed):
    image = noise(height, width, channels, seed)
    assert farthest(Resize(size, name)(image), by_opencv(cv2, image, size, OPENCV_FILTERS[name])) <= 1


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("shape", [(301, 499), (500, 375), (257, 255)])
@pytest.mark.parametrize("size", [64, 256, 511])
@pytest.mark.parametrize("name", OPENCV_FILTERS)
def test_large_images_are_within_1_level_of_opencv(cv2, name, size, shape, channels):
    image = noise(*shape, channels)
    assert farthest(Resize(size, name)(image), by_opencv(cv2, image, size, OPENCV_FILTERS[name])) <= 1


@pytest.mark.parametrize("size", [64, 256])
def test_photographs_are_within_1_level_of_opencv(cv2, real_data, size):
    paths = sorted((real_data / "imagenet-200").iterdir())
    assert len(paths) == 200
    for path in paths[::10]:
        image = codec.decode(path.read_bytes())
        assert farthest(Resize(size, "bilinear")(image), by_opencv(cv2, image, size, 1)) <= 1, path.name
    for path in paths[5::40]:
        image = codec.decode(path.read_bytes())
        for name, number in OPENCV_FILTERS.items():
            assert farthest(Resize(size, name)(image), by_opencv(cv2, image, size, number)) <= 1, (path.name, name)


@pytest.mark.parametrize("size", [10, 24, 100])
@pytest.mark.parametrize("channels", [1, 3])
def test_antialias_equals_pillows_resize(size, channels):
    image = noise(48, 65, channels)
    picture = Image.fromarray(image[:, :, 0] if channels == 1 else image)
    expected = np.asarray(picture.resize((65 * size // 48, size), Image.Resampling.BILINEAR))
    assert np.array_equal(Resize(size)(image), expected.reshape(size, -1, channels))


@pytest.mark.parametrize("name", ["antialias", "bilinear"])
def test_alpha_does_not_weight_the_colours(name):
    image = noise(40, 50, 4)
    whole = Resize(16, name)(image)
    for channel in range(4):
        assert np.array_equal(whole[:, :, [channel]], Resize(16, name)(image[:, :, [channel]]))


def test_antialias_sees_every_pixel_and_bilinear_only_the_nearest_four():
    stripes = np.zeros((64, 64, 1), np.uint8)
    stripes[:, 1::4] = 255
    assert farthest(Resize(4, "antialias")(stripes), np.full((4, 4, 1), 64)) <= 8
    assert np.unique(Resize(4, "bilinear")(stripes)).tolist() == [0]


def test_auto_is_cubic_for_enlargement_and_area_for_reduction():
    image = noise(30, 41)
    assert np.array_equal(Resize(50, "auto")(image), Resize(50, "cubic")(image))
    assert np.array_equal(Resize(20, "auto")(image), Resize(20, "area")(image))


def test_random_depends_only_on_the_key_and_uses_all_five_filters():
    image = noise(30, 41)
    by_name = {name: Resize(17, name)(image).tobytes() for name in OPENCV_FILTERS}
    drawn = [Resize(17, "random")(image, key=key).tobytes() for key in range(60)]
    assert set(drawn) == set(by_name.values())
    assert drawn == [Resize(17, "random")(image, key=key).tobytes() for key in range(60)]


def test_only_the_random_filter_draws_a_number():
    draws = Counted()
    image = noise(30, 40)
    assert np.array_equal(Resize(10)(image, draws), Resize(10)(image)) and draws.n == 0
    assert Resize(10, "random")(image, draws).shape == (10, 13, 3) and draws.n == 1
    for number in range(5):
        drawn = Resize(10, "random")(image, Words(number / 5 + 0.1))
        assert np.array_equal(drawn, Resize(10, INTER_METHODS[number])(image))


def test_inter_methods_are_opencvs_numbers():
    assert {number: name for name, number in OPENCV_FILTERS.items()} | {9: "auto", 10: "random"} == INTER_METHODS


@pytest.mark.parametrize("size", [0, -5, 256.0, (256, 256), "256"])
def test_a_size_that_is_not_a_length_is_refused(size):
    message = re.escape(f"resize: expected a length of at least 1 pixel, got {size!r}")
    with pytest.raises(PlanError, match=message):
        Resize(size)


def test_an_unknown_filter_is_refused_with_the_list_of_filters():
    with pytest.raises(PlanError, match=r"filter: expected one of antialias, bilinear, nearest, .*, got 'bicubic'"):
        Resize(8, "bicubic")


@pytest.mark.parametrize("name", FILTERS)
def test_a_result_with_too_many_pixels_is_refused_before_memory_is_allocated(name):
    with pytest.raises(ImageError, match=f"expected 1 to {MAX_PIXELS} pixels, got 2000000000 x 100000"):
        Resize(100_000, name)(np.zeros((1, 20_000, 3), np.uint8))
