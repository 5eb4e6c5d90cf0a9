"""CIFAR-10 and CIFAR-100 in their binary versions."""

import numpy as np
import pytest
from conftest import content

from recordkit.errors import FormatError, PlanError, SourceError
from recordkit.sources import open_source

NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
PIXELS = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), np.uint8)


def record(labels, image):
    return bytes(labels) + image.transpose(2, 0, 1).tobytes()


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    for number in range(1, 6):
        (folder / f"data_batch_{number}.bin").write_bytes(record([number], PIXELS[number % 4]))
    (folder / "test_batch.bin").write_bytes(record([9], PIXELS[0]) + record([0], PIXELS[3]))
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")
    return folder


def test_the_batches_of_cifar_10_are_a_training_set_and_a_test_set(cifar10):
    sets = open_source(cifar10)
    assert {name: len(source) for name, source in sets.items()} == {"train": 5, "test": 2}
    assert sets["train"].labels(range(5)) == [(1,), (2,), (3,), (4,), (5,)]
    assert np.array_equal(content(sets["train"], 4), PIXELS[1])
    assert sets["test"].classes == {name: number for number, name in enumerate(NAMES)}
    assert sets["test"].entries([1])[0].name == "test_batch.bin/00001"


def test_the_folder_above_is_a_source_as_the_archive_unpacks(cifar10):
    assert len(open_source(cifar10.parent)["test"]) == 2


def test_the_label_of_cifar_100_is_the_fine_class(tmp_path):
    (tmp_path / "train.bin").write_bytes(record([3, 99], PIXELS[2]))
    (tmp_path / "test.bin").write_bytes(record([4, 7], PIXELS[1]))
    (tmp_path / "fine_label_names.txt").write_text("\n".join(f"thing {number}" for number in range(100)))
    sets = open_source(tmp_path)
    assert sets["train"].labels([0]) == [(99,)] and sets["test"].classes["thing 7"] == 7
    assert np.array_equal(content(sets["train"], 0), PIXELS[2])


def test_two_datasets_in_one_folder_are_refused(cifar10):
    for name in ("train.bin", "test.bin", "fine_label_names.txt"):
        (cifar10.parent / name).touch()
    with pytest.raises(SourceError, match="got those of cifar-10-batches-bin and cifar-100-binary; move"):
        open_source(cifar10.parent)


def test_class_names_of_the_user_come_first_and_other_arguments_are_refused(cifar10):
    assert open_source(cifar10, classes={"plane": 0})["test"].classes == {"plane": 0}
    with pytest.raises(PlanError, match="transpose: applies to a folder of ubyte files, and this is a folder of CIFAR"):
        open_source(cifar10, transpose=True)


def test_a_missing_batch_is_named(cifar10):
    (cifar10 / "data_batch_3.bin").unlink()
    with pytest.raises(SourceError, match=r"expected data_batch_3\.bin beside data_batch_1\.bin, got no such file"):
        open_source(cifar10)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected images of 3073 bytes each, got 0 bytes in all"),
        (bytes(3072), "expected images of 3073 bytes each, got 3072 bytes in all"),
        (bytes([10]) + bytes(3072), "expected labels from 0 to 9, got 10"),
    ],
)
def test_a_damaged_file_is_refused(cifar10, data, message):
    (cifar10 / "test_batch.bin").write_bytes(data)
    with pytest.raises(FormatError, match=rf"test_batch\.bin: {message}"):
        open_source(cifar10)
