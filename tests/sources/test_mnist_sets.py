"""The ways in which MNIST and its relatives are published, as sets."""

import gzip
import hashlib
import lzma

import numpy as np
import pytest
from conftest import content
from images import noise

from recordkit.errors import FormatError, NotFoundError, SourceError, TruncatedError
from recordkit.formats import ubyte
from recordkit.sources import open_source
from recordkit.sources.mnist import class_names, is_array_name, open_sets, open_sets_below

PIXELS = np.stack([noise(5, 4, 1, seed)[:, :, 0] for seed in range(6)])
LABELS = np.array([3, 1, 4, 1, 5, 9], np.uint8)
COMPRESS = {".gz": gzip.compress, ".xz": lzma.compress}
IMAGES = {"images-idx3-ubyte": PIXELS}
MNIST = {"images-idx3-ubyte": PIXELS, "labels-idx1-ubyte": LABELS}


def write(folder, beginning="train-", arrays=MNIST, ending=""):
    """Write arrays into files called by the beginning, the key of the array and the ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        (folder / f"{beginning}{name}{ending}").write_bytes(COMPRESS.get(ending, bytes)(ubyte.pack(array)))
    return folder


def sizes(sets):
    return {name: len(source) for name, source in sets.items()}


def notes(sets):
    return [note for source in sets.values() for note in source.notes]


def qmnist_labels(first=LABELS):
    return np.stack([first, *np.arange(7 * len(first)).reshape(7, -1)], 1).astype(np.int32)


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
@pytest.mark.parametrize("mark", ["-", "."])
@pytest.mark.parametrize("test", ["t10k", "test"])
def test_mnist_has_two_sets_plain_or_compressed_and_with_a_dot_in_the_names(tmp_path, ending, mark, test):
    arrays = {f"images{mark}idx3-ubyte": PIXELS, f"labels{mark}idx1-ubyte": LABELS}
    write(tmp_path, "train-", arrays, ending)
    write(tmp_path, f"{test}-", {name: array[:2] for name, array in arrays.items()}, ending)
    sets = open_sets(tmp_path)
    assert sizes(sets) == {"train": 6, "test": 2} and not notes(sets)
    entry = sets["train"].entries([4])[0]
    assert (entry.key, entry.labels, entry.name) == (4, (5,), f"train-images{mark}idx3-ubyte/00004")
    assert np.array_equal(content(sets["train"], 4), PIXELS[4][:, :, None])


def test_an_archive_with_a_folder_for_each_file_is_read(tmp_path):
    for name, array in MNIST.items():
        write(tmp_path / f"train-{name}", "train-", {name: array})
    assert sizes(open_sets(tmp_path)) == {"train": 6}


def test_of_a_file_and_its_compressed_copy_the_plain_one_is_read_and_the_other_named(tmp_path):
    write(write(write(tmp_path, ending=".gz")), "train-", {"images.idx3-ubyte": PIXELS})
    sets = open_sets(tmp_path)
    assert sets["train"].path.name == "train-images-idx3-ubyte"
    assert notes(sets) == [
        f"{tmp_path}: these copies are not read: train-images.idx3-ubyte, train-images-idx3-ubyte.gz, "
        "train-labels-idx1-ubyte.gz"
    ]


def test_copies_that_differ_are_refused(tmp_path):
    write(write(tmp_path / "a"), arrays={"images-idx3-ubyte": PIXELS[:5]}, ending=".gz")
    with pytest.raises(SourceError, match=r"gz: expected the same images as in .*, shape \(6, 5, 4\), got \(5, 5, 4\)"):
        open_sets(tmp_path / "a")
    write(write(tmp_path / "b"), arrays={"labels-idx1-ubyte": LABELS[::-1]}, ending=".gz")
    with pytest.raises(SourceError, match="expected the same labels as in .*, got others; remove one of these files"):
        open_sets(tmp_path / "b")


@pytest.mark.parametrize("name", ["images-idx3-ubyte", "labels-idx1-ubyte"])
def test_images_without_labels_or_labels_without_images_are_refused(tmp_path, name):
    write(tmp_path, "t10k-", {name: MNIST[name]}, ".gz")
    (other,) = set(MNIST) - {name}
    with pytest.raises(SourceError, match=f"expected t10k-{other} beside .*t10k-{name}.gz, got no such file$"):
        open_sets(tmp_path)
    with pytest.raises(SourceError, match=f"got no such file; to pack other files alone, give {tmp_path}/qmnist-test$"):
        open_sets(write(tmp_path, "qmnist-test-"))
    assert sizes(open_sets(tmp_path / "qmnist")) == {"test": 6}


def test_a_file_that_may_be_the_missing_one_is_named(tmp_path):
    write(tmp_path, "train-", IMAGES | {"labels-idx1-ubyte (1)": LABELS})
    with pytest.raises(SourceError, match=r"got no such file, but train-labels-idx1-ubyte \(1\)$"):
        open_sets(tmp_path)


def test_files_that_belong_to_no_set_are_named(tmp_path):
    write(tmp_path, "cells-", {"idx3-ubyte": PIXELS})
    (tmp_path / "qmnist-test-labels.tsv.gz").touch()
    (tmp_path / ".DS_Store").touch()
    assert open_sets(tmp_path) == {}
    with pytest.raises(SourceError, match="expected names such as .*, got cells-idx3-ubyte, qmnist-test-labels.tsv.gz"):
        open_sets_below(tmp_path)
    assert notes(open_sets(write(tmp_path))) == [
        f"{tmp_path}: these files belong to no set and are not packed: cells-idx3-ubyte, qmnist-test-labels.tsv.gz"
    ]


def test_image_files_and_ubyte_files_in_folders_are_named_if_they_are_left_out(tmp_path):
    write(write(tmp_path) / "raw" / "more", "t10k-")
    (tmp_path / "__MACOSX").mkdir()
    for name in ("__MACOSX/._train-images-idx3-ubyte", "raw/more/sample.png"):
        (tmp_path / name).touch()
    assert notes(open_sets(tmp_path)) == [
        f"{tmp_path}: the files in it are packed, those in folders below it are not: "
        "raw/more/t10k-images-idx3-ubyte, raw/more/t10k-labels-idx1-ubyte",
        f"{tmp_path}: the ubyte files in it are packed, image files are not: raw/more/sample.png",
    ]


def test_a_folder_without_such_files_has_no_sets(tmp_path):
    (tmp_path / "train.jpg").touch()
    assert open_sets(tmp_path) == open_sets_below(tmp_path) == open_sets(tmp_path / "train.jpg") == {}
    assert open_sets(tmp_path / "other" / "train") == {}


# Folders that archives unpack to


def test_the_files_are_found_in_folders_below_the_root(tmp_path):
    write(tmp_path / "MNIST" / "raw")
    assert open_sets(tmp_path) == {}
    assert sizes(open_sets_below(tmp_path)) == {"train": 6}
    write(tmp_path / "MNIST" / "test", "t10k-")
    assert sizes(open_sets_below(tmp_path)) == {"train": 6, "test": 6}


def test_a_folder_may_say_the_split(tmp_path):
    write(write(tmp_path / "train", "").parent / "test", "")
    assert sizes(open_sets_below(tmp_path)) == {"train": 6, "test": 6}
    assert sizes(open_sets(tmp_path / "train")) == {"": 6}


def test_of_several_datasets_in_several_folders_one_is_to_be_chosen(tmp_path):
    for name in ("MNIST", "KMNIST"):
        write(tmp_path / name / "raw")
    with pytest.raises(SourceError, match="got 2 folders .*; give one of them: .*KMNIST/raw, .*MNIST/raw$"):
        open_sets_below(tmp_path)


# EMNIST


@pytest.fixture
def emnist(tmp_path):
    for name in ("letters", "digits"):
        for split in ("train", "test"):
            write(tmp_path / "gzip", f"emnist-{name}-{split}-", ending=".gz")
    (tmp_path / "gzip" / "emnist-letters-mapping.txt").write_text("1 65 97\n3 67 99\r\n")
    return tmp_path / "gzip"


def test_each_dataset_in_a_folder_has_its_sets(emnist):
    sets = open_sets(emnist)
    assert list(sets) == ["digits_train", "digits_test", "letters_train", "letters_test"]
    assert sets["letters_test"].classes == {"A": 1, "C": 3} and sets["digits_train"].classes is None
    assert notes(sets) == [f"{emnist}: the images of EMNIST are published transposed; they are turned upright"]


@pytest.mark.parametrize("transpose", [False, True])
def test_the_images_of_emnist_are_turned_upright_and_those_of_others_only_if_it_is_asked(emnist, tmp_path, transpose):
    assert np.array_equal(content(open_sets(emnist, transpose=transpose)["letters_train"], 2)[:, :, 0], PIXELS[2].T)
    other = content(open_sets(write(tmp_path / "mnist"), transpose=transpose)["train"], 2)[:, :, 0]
    assert np.array_equal(other, PIXELS[2].T if transpose else PIXELS[2])


def test_the_beginning_of_the_names_chooses_a_dataset(emnist):
    (emnist / "cells-idx3-ubyte").touch()
    sets = open_sets(emnist / "emnist-letters", transpose=True)
    assert list(sets) == ["train", "test"] and not notes(sets)
    assert np.array_equal(content(sets["test"], 2)[:, :, 0], PIXELS[2].T)
    assert list(open_sets(emnist / "emnist-digits-test")) == ["test"]


def test_a_beginning_that_no_file_has_is_refused_with_a_similar_one(emnist):
    with pytest.raises(NotFoundError, match=rf"got nothing of that name; did you mean {emnist}/emnist-letters\?"):
        open_sets(emnist / "emnist-leters")
    assert open_sets(emnist / "photos") == {}


def test_one_file_is_refused_with_the_beginning_to_give(emnist):
    with pytest.raises(SourceError, match=rf"got one file; give {emnist}/emnist-digits-test$"):
        open_sets(emnist / "emnist-digits-test-labels-idx1-ubyte.gz")


@pytest.mark.parametrize(
    ("dataset", "label", "name", "n_classes"),
    [("letters", 26, "Z", 26), ("balanced", 46, "t", 47), ("bymerge", 36, "a", 47), ("byclass", 61, "z", 62)],
)
def test_the_classes_of_emnist_have_names_without_a_mapping(tmp_path, dataset, label, name, n_classes):
    arrays = {"images-idx3-ubyte": PIXELS[:2], "labels-idx1-ubyte": np.array([1, label], np.uint8)}
    (source,) = open_sets(write(tmp_path, f"emnist-{dataset}-train-", arrays)).values()
    assert source.classes[name] == label and len(source.classes) == n_classes


@pytest.mark.parametrize(
    ("folder", "name"),
    [("fashion-mnist", "Sneaker"), ("FashionMNIST/raw", "Sneaker"), ("KMNIST/raw", "や"), ("mnist", None)],
)
def test_a_folder_of_a_known_dataset_gives_its_classes_names(tmp_path, folder, name):
    classes = open_sets(write(tmp_path / folder))["train"].classes
    assert classes is None if name is None else classes[name] == 7 and len(classes) == 10


def test_labels_of_fashion_mnist_are_recognised_in_any_folder(tmp_path, monkeypatch):
    digest = hashlib.sha256(ubyte.pack(LABELS)).hexdigest()
    monkeypatch.setattr(class_names, "_FASHION_LABELS", (digest,))
    assert open_sets(write(tmp_path / "data"))["train"].classes["Ankle boot"] == 9


def test_labels_that_are_not_those_of_the_known_classes_have_no_names(tmp_path):
    arrays = MNIST | {"labels-idx1-ubyte": LABELS + 10}
    assert open_sets(write(tmp_path / "fashion-mnist", arrays=arrays))["train"].classes is None
    arrays = MNIST | {"labels-idx1-ubyte": np.zeros(6, np.uint8)}
    assert open_sets(write(tmp_path, "emnist-letters-train-", arrays))["train"].classes is None


def test_class_names_of_the_user_come_before_those_of_the_dataset(tmp_path):
    folder = write(tmp_path / "fashion-mnist")
    assert open_source(folder, classes={"nine": 9})["train"].classes == {"nine": 9}
    above = open_source(tmp_path, classes={"nine": 9})
    assert above["train"].classes == {"nine": 9}


def test_class_names_are_found_in_the_folder_above(emnist):
    write(emnist / "emnist_source_files", "emnist-letters-train-")
    assert open_sets(emnist / "emnist_source_files")["train"].classes == {"A": 1, "C": 3}


def test_a_class_gets_the_first_character_that_no_other_class_has(emnist):
    (emnist / "emnist-letters-mapping.txt").write_text("0 67 99\n1 67 99\n")
    assert open_sets(emnist)["letters_train"].classes == {"C": 0, "c": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 65\nA 1\n", "line 2: expected a label and the codes of its characters, got 'A 1'"),
        ("1 65\n2 65\n", "expected another character for each label, got label 2 with that of another"),
        ("1 65\n2\n", "expected another character for each label, got label 2"),
        ("\udcff", "expected class names in UTF-8, got other bytes"),
    ],
)
def test_a_damaged_mapping_is_refused(emnist, text, message):
    (emnist / "emnist-letters-mapping.txt").write_text(text, errors="surrogateescape")
    with pytest.raises(FormatError, match=rf"mapping\.txt: {message}"):
        open_sets(emnist)


# QMNIST


def test_the_labels_of_qmnist_are_rows_of_eight(tmp_path):
    for split in ("train", "test"):
        write(tmp_path, f"qmnist-{split}-", IMAGES | {"labels-idx2-int": qmnist_labels()}, ".gz")
    write(tmp_path, "xnist-", IMAGES | {"labels-idx2-int": qmnist_labels()}, ".xz")
    write(tmp_path, "qmnist-test-", {"labels-idx1-ubyte": LABELS}, ".gz")
    sets = open_sets(tmp_path)
    assert sizes(sets) == {"qmnist_train": 6, "qmnist_test": 6, "xnist": 6}
    assert sets["qmnist_test"].labels([2]) == [(4, 2, 8, 14, 20, 26, 32, 38)]
    assert notes(sets) == [f"{tmp_path}: these copies are not read: qmnist-test-labels-idx1-ubyte.gz"]


def test_labels_that_differ_in_two_files_are_refused(tmp_path):
    write(tmp_path, "qmnist-test-", MNIST | {"labels-idx2-int": qmnist_labels(LABELS[::-1])}, ".gz")
    with pytest.raises(SourceError, match=r"int\.gz: expected the same labels as in .*ubyte\.gz, got others"):
        open_sets(tmp_path)


def test_a_dataset_without_splits_is_one_set_without_a_name(tmp_path):
    assert sizes(open_sets(write(tmp_path, "xnist-", ending=".xz"))) == {"": 6}


def test_sets_of_mnist_and_of_another_dataset_in_one_folder_are_both_packed(tmp_path):
    write(write(write(tmp_path), "t10k-"), "qmnist-test-")
    assert sizes(open_sets(tmp_path)) == {"train": 6, "test": 6, "qmnist_test": 6}


# Kuzushiji-MNIST, Kuzushiji-49 and Keras


def test_arrays_of_kuzushiji_are_read_from_npz_files(tmp_path):
    for split in ("train", "test"):
        np.savez_compressed(tmp_path / f"k49-{split}-imgs.npz", PIXELS)
        np.savez_compressed(tmp_path / f"k49-{split}-labels.npz", LABELS)
    (tmp_path / "k49_classmap.csv").write_text("index,codepoint,char\n0,U+3042,あ\n9,U+3053,こ\n", encoding="utf-8")
    sets = open_sets(tmp_path)
    assert sizes(sets) == {"train": 6, "test": 6} and sets["test"].classes == {"あ": 0, "こ": 9}
    assert np.array_equal(content(sets["train"], 5)[:, :, 0], PIXELS[5])
    (tmp_path / "k49_classmap.csv").write_text("index,codepoint,char\n0,U+3042\n")
    with pytest.raises(FormatError, match=r"line 2: expected index, code point and character, got 0,U\+3042"):
        open_sets(tmp_path)


def test_the_table_of_kuzushiji_names_the_classes_of_ubyte_files(tmp_path):
    (tmp_path / "kmnist_classmap.csv").write_text("index,codepoint,char\n0,U+304A,お\n", encoding="utf-8")
    assert open_sets(write(tmp_path))["train"].classes == {"お": 0}
    assert open_sets(write(tmp_path, "qmnist-test-"))["train"].classes is None


def test_one_npz_file_alone_does_not_make_a_folder_a_dataset(tmp_path):
    np.savez(tmp_path / "train-labels.npz", LABELS)
    assert open_sets(tmp_path) == {}
    with pytest.raises(SourceError, match=r"expected train-imgs\.npz beside .*train-labels\.npz, got no such file"):
        open_sets_below(tmp_path)


def test_an_npz_file_of_keras_has_both_sets(tmp_path):
    path = tmp_path / "mnist.npz"
    np.savez_compressed(path, x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:2], y_test=LABELS[:2])
    sets = open_sets(path)
    assert sizes(sets) == {"train": 6, "test": 2} and sets["test"].entries([1])[0].labels == (1,)
    with pytest.raises(SourceError, match=rf"got mnist\.npz; give the file, {path}"):
        open_sets_below(tmp_path)


def test_a_damaged_npz_file_is_named(tmp_path):
    np.savez(tmp_path / "kmnist-train-imgs.npz", PIXELS)
    path = tmp_path / "kmnist-train-labels.npz"
    path.write_bytes(b"PK")
    with pytest.raises(FormatError, match=r"labels\.npz: expected an array arr_0 in an \.npz file, got no \.npz file"):
        open_sets(tmp_path)
    np.savez(path, np.array([None] * 6))
    with pytest.raises(FormatError, match=r"labels\.npz: expected an array of numbers, got pickled objects"):
        open_sets(tmp_path)


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_error_of_a_truncated_file_names_it(tmp_path, ending):
    path = write(tmp_path, ending=ending) / f"train-images-idx3-ubyte{ending}"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(TruncatedError, match=f"train-images-idx3-ubyte{ending}: expected"):
        open_sets(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "train-images-idx3-ubyte",
        "t10k-labels.idx1-ubyte.gz",
        "a-idx4-float.xz",
        "b.idx3-ubyte.zip",
        "c-idx2-int",
        "d.idx3",
    ],
)
def test_names_of_ubyte_files_are_recognised(name):
    assert is_array_name(name)


@pytest.mark.parametrize("name", ["photos.idx", "train.rec", "labels.txt", "a-idx3.jpg", "index-1.png"])
def test_other_names_are_not(name):
    assert not is_array_name(name)


def test_the_real_mnist_opens(real_data):
    sets = open_sets(real_data / "mnist")
    assert sizes(sets) == {"train": 60_000, "test": 10_000}
    assert [entry.labels for entry in sets["test"].entries(range(4))] == [(7,), (2,), (1,), (0,)]
    assert content(sets["test"], 0).shape == (28, 28, 1)
