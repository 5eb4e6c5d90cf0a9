"""Small pictures of any image: their size, transparency, and what stands in for an image that does not decode."""

import base64
import io

import images
import numpy as np
import pytest
from PIL import Image

from recordkit import codec
from recordkit.dataset.thumbnail import make_thumbnail
from recordkit.memory import MIN_MEMORY, MemoryBudget


@pytest.mark.parametrize(
    ("size", "expected"),
    [((1, 1), (1, 1)), ((64, 64), (64, 64)), ((20_000, 10), (64, 1)), ((10, 20_000), (1, 64)), ((100, 50), (64, 32))],
)
def test_an_image_fits_into_the_square_and_keeps_its_shape(size, expected):
    width, height = size
    thumbnail = make_thumbnail(codec.encode(np.zeros((height, width, 1), np.uint8), "png"), 64)
    assert thumbnail.pixels.shape == (expected[1], expected[0], 3)
    assert (thumbnail.width, thumbnail.height) == size


@pytest.mark.parametrize("name", images.every_format())
def test_every_format_has_a_thumbnail(name):
    payload = images.every_format()[name]
    thumbnail = make_thumbnail(payload, 64)
    assert thumbnail.problem == "" and thumbnail.encoding == codec.sniff(payload)
    assert thumbnail.pixels.shape == (thumbnail.height, thumbnail.width, 3)


def test_an_image_is_shown_upright():
    turned = images.save(images.picture(images.pixels(20, 40)), "JPEG", exif=images.exif(6))
    assert (make_thumbnail(turned, 64).width, make_thumbnail(turned, 64).height) == (20, 40)


def test_transparent_pixels_show_squares_and_opaque_ones_their_colour():
    image = np.zeros((20, 20, 4), np.uint8)
    image[:10, :, 3] = 255
    image[:, :, 0] = 200
    pixels = make_thumbnail(codec.encode(image, "png"), 20).pixels
    assert (pixels[:10] == (200, 0, 0)).all()
    assert sorted(np.unique(pixels[10:])) == [204, 255]


@pytest.mark.parametrize("payload", [b"", b"hello", b"\xff\xd8\xff", images.huge_png()])
def test_an_image_that_does_not_decode_says_why(payload):
    thumbnail = make_thumbnail(payload, 64)
    assert thumbnail.pixels is None and thumbnail.problem.startswith("expected ")
    with pytest.raises(ValueError, match="without pixels"):
        thumbnail.data_uri()


def test_an_image_larger_than_the_budget_does_not_decode():
    payload = codec.encode(np.zeros((1000, 1000, 3), np.uint8), "png")
    problem = make_thumbnail(payload, 64, budget=MemoryBudget(MIN_MEMORY, 1)).problem
    assert problem.startswith("expected an image that needs at most")


@pytest.mark.parametrize(("side", "kind"), [(64, "PNG"), (65, "JPEG")])
def test_a_small_picture_is_kept_without_loss(side, kind):
    thumbnail = make_thumbnail(codec.encode(images.noise(side, side), "png"), 100)
    head, _, content = thumbnail.data_uri().partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(content)))
    assert picture.format == kind and head == f"data:image/{kind.lower()};base64"
    assert np.array_equal(np.asarray(picture), thumbnail.pixels) == (kind == "PNG")
