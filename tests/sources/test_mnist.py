"""One set of images and labels from two arrays."""

import lzma

import numpy as np
import pytest
from conftest import content
from images import noise

from recordkit.errors import FormatError, SourceError, TruncatedError
from recordkit.formats import ubyte
from recordkit.sources import MnistSource

PIXELS = np.stack([noise(5, 4, 1, seed)[:, :, 0] for seed in range(6)])
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


@pytest.fixture
def open_arrays(tmp_path):
    """Return a function that stores two arrays and opens them."""

    def open_arrays(images=PIXELS, labels=LABELS, **options):
        (tmp_path / "x").write_bytes(ubyte.pack(images))
        (tmp_path / "y").write_bytes(ubyte.pack(labels))
        return MnistSource(tmp_path / "x", str(tmp_path / "y"), **options)

    return open_arrays


def test_images_are_uint8_with_a_channel(open_arrays):
    source = open_arrays()
    image = content(source, 0)
    assert image.shape == (5, 4, 1) and image.dtype == np.uint8
    assert (source.order, source.pixels, source.bad, source.classes) == ("published", True, [], None)
    assert type(source.entries([0])[0].labels[0]) is int
    assert source.entries([5])[0].name == "x/00005"


def test_transposed_images_have_their_rows_as_columns(open_arrays):
    image = content(open_arrays(transpose=True), 3)
    assert np.array_equal(image[:, :, 0], PIXELS[3].T) and image.flags.c_contiguous


def test_swapped_files_are_refused_with_advice(open_arrays):
    with pytest.raises(
        FormatError, match=r"expected images, uint8 of .*, got uint8 of shape \(6,\); are images and labe"
    ):
        open_arrays(LABELS, PIXELS)


def test_a_different_number_of_labels_than_images_is_refused(open_arrays):
    with pytest.raises(SourceError, match="expected as many labels as images, got 5 labels and 6 images"):
        open_arrays(labels=LABELS[:5])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_rank_4_have_channels(open_arrays, channels):
    images = np.stack([noise(5, 4, channels, seed) for seed in range(6)])
    assert np.array_equal(content(open_arrays(images), 2), images[2])
    assert np.array_equal(content(open_arrays(images, transpose=True), 2), images[2].swapaxes(0, 1))


@pytest.mark.parametrize(
    "images", [np.zeros((6, 2, 2, 2), np.uint8), np.zeros((6, 2, 2), np.int16), np.zeros((6, 2), np.uint8)]
)
def test_images_of_other_types_and_ranks_are_refused(open_arrays, images):
    with pytest.raises(
        FormatError,
        match=r"expected images, uint8 of shape \(n, H, W\) or \(n, H, W, C\), got u?int.* of shape \(6, 2.*\)$",
    ):
        open_arrays(images)


@pytest.mark.parametrize("labels", [np.zeros(6, np.float32), np.zeros((6, 2, 2), np.uint8)])
def test_labels_of_other_types_and_ranks_are_refused(open_arrays, labels):
    with pytest.raises(FormatError, match="expected labels, whole numbers of rank 1, got"):
        open_arrays(labels=labels)


def test_an_image_may_have_several_labels(open_arrays):
    source = open_arrays(PIXELS[:2], np.array([[1, -2], [70_000, 4]], np.int32))
    assert [entry.labels for entry in source.entries(range(2))] == [(1, -2), (70_000, 4)]


def test_labels_may_have_names(open_arrays):
    assert open_arrays(classes={"A": 1}).classes == {"A": 1}


def test_the_error_of_a_truncated_file_names_it(tmp_path):
    (tmp_path / "y").write_bytes(ubyte.pack(LABELS))
    (tmp_path / "x.xz").write_bytes(lzma.compress(ubyte.pack(PIXELS))[:-20])
    with pytest.raises(TruncatedError, match=r"x\.xz: expected a whole xz file, got a damaged one"):
        MnistSource(tmp_path / "x.xz", tmp_path / "y")
