"""Sources from folders of ubyte (MNIST) files."""

import gzip

import numpy as np
import pytest
from conftest import content
from images import noise

from recordkit.errors import FormatError, SourceError, TruncatedError
from recordkit.formats import ubyte
from recordkit.sources.mnist import MnistSource, open_splits

PIXELS = np.stack([noise(5, 4, 1, seed)[:, :, 0] for seed in range(6)])
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)


def write(folder, prefix="train", images=PIXELS, labels=LABELS, ending="", mark="-"):
    compress = gzip.compress if ending else bytes
    for name, array in ((f"images{mark}idx3", images), (f"labels{mark}idx1", labels)):
        if array is not None:
            (folder / f"{prefix}-{name}-ubyte{ending}").write_bytes(compress(ubyte.pack(array)))
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize("mark", ["-", "."])
def test_both_splits_are_found_plain_or_compressed_and_with_a_dot_in_the_name(tmp_path, ending, mark):
    write(tmp_path, "train", ending=ending, mark=mark)
    write(tmp_path, "t10k", PIXELS[:2], LABELS[:2], ending=ending, mark=mark)
    splits = open_splits(tmp_path)
    assert {name: len(source) for name, source in splits.items()} == {"train": 6, "test": 2}
    entry = splits["train"].entries([4])[0]
    assert (entry.key, entry.labels, entry.name) == (4, (5,), f"train-images{mark}idx3-ubyte/00004")
    assert np.array_equal(content(splits["train"], 4), PIXELS[4][:, :, None])


def test_images_are_uint8_with_a_channel(tmp_path):
    source = open_splits(write(tmp_path))["train"]
    image = content(source, 0)
    assert image.shape == (5, 4, 1) and image.dtype == np.uint8
    assert (source.order, source.pixels, source.bad, source.classes) == ("published", True, [], None)
    assert type(source.entries([0])[0].labels[0]) is int


def test_a_plain_file_takes_precedence_over_a_compressed_one(tmp_path):
    write(tmp_path, images=PIXELS[:3], labels=LABELS[:3], ending=".gz")
    assert len(open_splits(write(tmp_path))["train"]) == 6


def test_a_folder_without_ubyte_files_has_no_open_splits(tmp_path):
    (tmp_path / "train.jpg").write_bytes(b"")
    assert open_splits(tmp_path) == {}


@pytest.mark.parametrize(
    ("images", "labels", "missing"), [(None, LABELS, "images-idx3"), (PIXELS, None, "labels-idx1")]
)
def test_images_without_labels_or_labels_without_images_are_refused(tmp_path, images, labels, missing):
    write(tmp_path, "t10k", images, labels)
    with pytest.raises(SourceError, match=f"expected t10k-{missing}-ubyte beside .*, got no such file"):
        open_splits(tmp_path)


def test_swapped_files_are_refused_with_advice(tmp_path):
    write(tmp_path, images=LABELS, labels=PIXELS)
    with pytest.raises(
        FormatError, match="expected images, uint8 of rank 3, got uint8 of rank 1; are images and labels"
    ):
        open_splits(tmp_path)


def test_a_different_number_of_labels_than_images_is_refused(tmp_path):
    write(tmp_path, labels=LABELS[:5])
    with pytest.raises(SourceError, match="expected as many labels as images, got 5 labels and 6 images"):
        open_splits(tmp_path)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_images_of_rank_4_have_channels(tmp_path, channels):
    images = np.stack([noise(5, 4, channels, seed) for seed in range(6)])
    source = open_splits(write(tmp_path, images=images))["train"]
    assert np.array_equal(content(source, 2), images[2])


@pytest.mark.parametrize(
    "images", [np.zeros((6, 2, 2, 2), np.uint8), np.zeros((6, 2, 2), np.int16), np.zeros((6, 2), np.uint8)]
)
def test_images_of_other_types_and_ranks_are_refused(tmp_path, images):
    with pytest.raises(FormatError, match="expected images, uint8 of rank 3, got"):
        open_splits(write(tmp_path, images=images))


@pytest.mark.parametrize("labels", [np.zeros(6, np.float32), np.zeros((6, 2, 2), np.uint8)])
def test_labels_of_other_types_and_ranks_are_refused(tmp_path, labels):
    with pytest.raises(FormatError, match="expected labels, whole numbers of rank 1, got"):
        open_splits(write(tmp_path, labels=labels))


def test_an_image_may_have_several_labels(tmp_path):
    labels = np.array([[1, -2], [70_000, 4]], np.int32)
    source = open_splits(write(tmp_path, images=PIXELS[:2], labels=labels))["train"]
    assert [entry.labels for entry in source.entries(range(2))] == [(1, -2), (70_000, 4)]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_error_of_a_truncated_file_names_it(tmp_path, ending):
    write(tmp_path, ending=ending)
    path = tmp_path / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TruncatedError, match=f"train-images-idx3-ubyte{ending}: expected"):
        open_splits(tmp_path)


def test_files_with_other_names_open_as_a_source(tmp_path):
    (tmp_path / "x").write_bytes(ubyte.pack(PIXELS))
    (tmp_path / "y").write_bytes(ubyte.pack(LABELS))
    source = MnistSource(tmp_path / "x", tmp_path / "y")
    assert len(source) == 6 and source.entries([5])[0].name == "x/00005"


def test_the_real_mnist_opens(real_data):
    splits = open_splits(real_data / "mnist")
    assert {name: len(source) for name, source in splits.items()} == {"train": 60_000, "test": 10_000}
    assert [entry.labels for entry in splits["test"].entries(range(4))] == [(7,), (2,), (1,), (0,)]
    assert content(splits["test"], 0).shape == (28, 28, 1)
