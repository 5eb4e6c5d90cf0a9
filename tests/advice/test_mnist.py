"""Following the advices about the files of MNIST and its relatives."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice

import recordkit as rk
from recordkit.formats import files, ubyte
from recordkit.training.data.folder import pack_if_changed

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
LABELS = np.array([1, 2], np.uint8)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Return a function that writes the images and the labels of a set."""
    monkeypatch.chdir(tmp_path)

    def write(folder, beginning="train-"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, f"{beginning}images-idx3-ubyte").write_bytes(ubyte.pack(PIXELS))
        Path(folder, f"{beginning}labels-idx1-ubyte").write_bytes(ubyte.pack(LABELS))

    return write


def test_one_file_of_several(write, fails, works):
    write("mnist")
    (beginning,) = advice("sources/mnist/sets.py", "give {}", fails("pack", "mnist/train-images-idx3-ubyte", "out"))
    works("pack", beginning, "out")
    write("other", "")
    (folder,) = advice("sources/mnist/sets.py", "give {}", fails("pack", "other/images-idx3-ubyte", "out"))
    works("pack", folder, "other_out")


def test_a_wrong_beginning(write, fails, works):
    write("gzip", "emnist-letters-train-")
    (other,) = advice("sources/mnist/sets.py", "did you mean {}?", fails("pack", "gzip/emnist-leters", "out"))
    works("pack", other, "out")


def test_several_folders(write, fails, works):
    for name in ("MNIST", "KMNIST"):
        write(f"data/{name}/raw")
    error = fails("pack", "data", "out")
    (folders,) = advice("sources/mnist/sets.py", "give one of them: {}", error)
    works("pack", folders.split(", ")[0], "out")


def test_a_set_that_is_not_complete(write, fails, works):
    write("mnist")
    write("mnist", "qmnist-test-")
    Path("mnist/train-labels-idx1-ubyte").unlink()
    (beginning,) = advice("sources/mnist/sets.py", "to pack other files alone, give {}", fails("pack", "mnist", "out"))
    works("pack", beginning, "out")


def test_copies_that_differ(write, fails, works):
    write("mnist")
    for name, array in (("images-idx3-ubyte", PIXELS[:1]), ("labels-idx1-ubyte", LABELS + 1)):
        copy = Path(f"mnist/train-{name.replace('-idx', '.idx')}")
        copy.write_bytes(ubyte.pack(array))
        error = fails("pack", "mnist", "out")
        advice("sources/mnist/sets.py", "remove one of these files", error)
        Path(error.split(": ")[1]).unlink()
        works("pack", "mnist", "out")


def test_unknown_names(write, fails, works):
    write("mnist")
    for path in [*Path("mnist").iterdir()]:
        path.rename(path.with_name(path.name.replace("-images", "-x").replace("-labels", "-y")))
    advice("sources/mnist/sets.py", "rename or unpack these files", fails("pack", "mnist", "out"))
    for old, new in (("x-idx3", "images-idx3"), ("y-idx1", "labels-idx1")):
        Path(f"mnist/train-{old}-ubyte").rename(f"mnist/train-{new}-ubyte")
    works("pack", "mnist", "out")


def test_the_file_of_keras(tmp_path, monkeypatch, fails, works):
    monkeypatch.chdir(tmp_path)
    Path("datasets").mkdir()
    np.savez("datasets/mnist.npz", x_train=PIXELS, y_train=LABELS, x_test=PIXELS, y_test=LABELS)
    (path,) = advice("sources/mnist/sets.py", "give the file, {}", fails("pack", "datasets", "out"))
    works("pack", path, "out")


def test_swapped_files(write, fails, works):
    write("mnist")
    images, labels = Path("mnist/train-images-idx3-ubyte"), Path("mnist/train-labels-idx1-ubyte")
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    advice("sources/arrays/source.py", "are images and labels swapped?", fails("pack", "mnist", "out"))
    labels.write_bytes(images.read_bytes())
    images.write_bytes(content)
    works("pack", "mnist", "out")


def test_two_training_sets(write, works):
    write("gzip", "emnist-letters-train-")
    write("gzip", "emnist-digits-train-")
    advice(
        "training/data/folder.py",
        "pack them with 'recordkit pack', and train on one of the .rec files",
        lambda: pack_if_changed(Path("gzip"), Path("data")),
    )
    works("pack", "gzip", "out")
    assert rk.RecordDataset("out_letters_train.rec").labels.tolist() == [1, 2]


def test_black_images_in_a_compressed_file(write, fails, works, monkeypatch):
    monkeypatch.setattr(files, "_MAX_SMALL_BYTES", 10)
    write("mnist")
    plain = Path("mnist/train-images-idx3-ubyte")
    black = ubyte.pack(np.zeros((len(PIXELS), 100, 100), np.uint8))
    plain.with_suffix(".gz").write_bytes(gzip.compress(black))
    plain.unlink()
    advice(
        "formats/files.py", "if that is right, decompress it, and give the plain file", fails("pack", "mnist", "out")
    )
    plain.with_suffix(".gz").unlink()
    plain.write_bytes(black)
    works("pack", "mnist", "out")


def test_both_datasets_of_cifar(tmp_path, monkeypatch, fails, works):
    monkeypatch.chdir(tmp_path)
    folder = Path("both/cifar-10-batches-bin")
    folder.mkdir(parents=True)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        (folder / name).write_bytes(bytes(3073))
    (folder / "batches.meta.txt").write_text("".join(f"a{number}\n" for number in range(10)))
    for name in ("train.bin", "test.bin"):
        Path("both", name).write_bytes(bytes(3074))
    Path("both/fine_label_names.txt").write_text("".join(f"b{number}\n" for number in range(100)))
    advice("sources/arrays/cifar.py", "move each to a folder of its own", fails("pack", "both", "out"))
    folder.rename("ten")
    works("pack", "ten", "out10")
    works("pack", "both", "out100")
