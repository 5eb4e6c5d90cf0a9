"""Folders of splits: each becomes a set, all with one class map; folders that may be classes are refused."""

import contextlib
from pathlib import Path

import pytest
from sources.folders import make, rows

from recordkit.errors import PlanError, SourceError
from recordkit.sources import open_source
from recordkit.sources.folder.split_names import role_of

SPLITS = ("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "test/dog/4.jpg")


def opened(root, *names, **arguments):
    """Open made-up files, and return the labels by name for each set."""
    sources = open_source(make(root, *names), **arguments)
    assert isinstance(sources, dict)
    return {role: {name: labels[0] for _, labels, name in rows(source)} for role, source in sources.items()}


def refused(root, *names, **arguments):
    """Return the error for made-up files, with paths relative to the folder above them."""
    with pytest.raises(SourceError) as caught:
        open_source(make(root, *names), **arguments)
    return str(caught.value).replace(f"{root.parent}/", "")


def notes(source):
    return [note for each in source.values() for note in each.notes]


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("train", "train Training TRAIN train2017 trainA seg_train bounding_box_train asl_alphabet_train TrainImages"),
        ("val", "val valid validation val_2012 dev Validation-Set imgs-val"),
        ("test", "test testing test1 eval evaluation test_set Final_Test imgs-test"),
        (None, "bus trainer latest contest value devil tram training_test 2017 query cat"),
    ],
)
def test_the_name_of_a_split_has_its_word(role, names):
    assert {name: role_of(name) for name in names.split()} == dict.fromkeys(names.split(), role)


def test_splits_are_sets_of_one_class_map_with_names_from_the_root(tmp_path):
    assert opened(tmp_path, *SPLITS) == {
        "train": {"train/cat/1.jpg": 0, "train/dog/2.jpg": 1},
        "test": {"test/cat/3.jpg": 0, "test/dog/4.jpg": 1},
    }
    sources = open_source(tmp_path)
    assert [rows(source)[0][0] for source in sources.values()] == [0, 0]
    assert notes(sources) == [f"{tmp_path}: found the splits train, test"]
    contents = [source.contents(source.entries([0])) for source in sources.values()]
    assert contents == [[b"content of train/cat/1.jpg"], [b"content of test/cat/3.jpg"]]


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (
            ("Data/CLS-LOC/val/b/2.jpg", "Data/CLS-LOC/train/b/1.jpg", "Annotations/x.xml"),
            {"train": {"Data/CLS-LOC/train/b/1.jpg": 0}, "val": {"Data/CLS-LOC/val/b/2.jpg": 0}},
        ),
        (
            ("seg_train/seg_train/a/1.jpg", "seg_test/seg_test/a/2.jpg"),
            {"train": {"seg_train/seg_train/a/1.jpg": 0}, "test": {"seg_test/seg_test/a/2.jpg": 0}},
        ),
        (("train/a/1.jpg", "train/b/2.jpg"), {"train": {"train/a/1.jpg": 0, "train/b/2.jpg": 1}}),
        (
            ("training/0/1.png", "testing/0/2.png", "testing/1/3.png", "training/1/4.png"),
            {
                "train": {"training/0/1.png": 0, "training/1/4.png": 1},
                "test": {"testing/0/2.png": 0, "testing/1/3.png": 1},
            },
        ),
        (
            ("train/bus/1.jpg", "train/train/2.jpg", "val/bus/1.jpg", "val/train/2.jpg"),
            {
                "train": {"train/bus/1.jpg": 0, "train/train/2.jpg": 1},
                "val": {"val/bus/1.jpg": 0, "val/train/2.jpg": 1},
            },
        ),
        (
            ("train/000000_7.jpg", "train/000001_7.jpg", "test/000000_3.jpg"),
            {"train": {"train/000000_7.jpg": 7, "train/000001_7.jpg": 7}, "test": {"test/000000_3.jpg": 3}},
        ),
        (
            ("train/images/000000_7.jpg", "train/x/1.txt", "valid/images/000000_3.jpg"),
            {"train": {"train/images/000000_7.jpg": 7}, "val": {"valid/images/000000_3.jpg": 3}},
        ),
    ],
    ids=["wrapped", "repeated", "train alone", "mnist_png", "class called train", "flat", "flat in images"],
)
def test_layouts_of_splits(tmp_path, names, labels):
    assert opened(tmp_path, *names) == labels


@pytest.mark.parametrize(
    "names",
    [
        ("bus/1.jpg", "car/1.jpg", "train/1.jpg"),
        ("bullet_train/1.jpg", "freight_train/1.jpg", "tram/1.jpg"),
        ("blood_test/1.jpg", "x-ray/1.jpg"),
    ],
)
def test_a_class_may_be_called_like_a_split(tmp_path, names):
    assert open_source(make(tmp_path, *names)).classes == {
        name.split("/")[0]: number for number, name in enumerate(names)
    }


@pytest.mark.parametrize(
    ("names", "problem", "advice"),
    [
        (
            (*SPLITS, "extra/cat/5.jpg"),
            "R: 'test', 'train' look like splits, and 'extra' beside them does not",
            "give splits=True, which leaves the others out, or splits=False, for all as classes",
        ),
        (
            (*SPLITS, "5.jpg"),
            "R: 'test', 'train' look like splits, and 1 image beside them",
            "move these images away, or give splits=True, which leaves them out",
        ),
        (
            ("train2014/a/1.jpg", "train2017/a/1.jpg", "val2017/a/1.jpg"),
            "R: 'train2014', 'train2017' may be one split or classes",
            "move all but one away, give the folder R/train2014 or R/train2017 alone, or give splits=False, "
            "which takes them "
            "for classes",
        ),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "test/1.jpg"),
            "R: no class folders in 'test', but in 'train'",
            "give splits=True, which leaves 'test' out",
        ),
        (
            ("test/a/1.jpg", "test/b/1.jpg"),
            "R: 'test' looks like a split, and there is no other",
            "give the folder R/test alone, or splits=False, which takes it for a class",
        ),
        (
            ("cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg"),
            "R: 'cat/test', 'cat/train', 'dog/train' look like splits below the class folders",
            "give splits=True, which makes sets of them, or splits=False, which makes one set of all",
        ),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/c/2.jpg"),
            "R: the split val has classes that train does not have: c",
            "give classes with the names of all classes",
        ),
        (
            ("train/big cat/1.jpg", "train/dog/1.jpg", "val/Big_cat/1.jpg", "val/dog/2.jpg"),
            "R: the split val has classes that train does not have: Big_cat",
            "rename folders that train spells in another way, 'Big_cat' to 'big cat'",
        ),
        (
            ("train/cat/1.jpg", "train/dog/1.jpg", "test/kat/1.jpg", "test/dog/1.jpg"),
            "R: the split test has classes that train does not have: kat",
            "rename 'kat' to 'cat' if they are the same class, or give classes with the names of all classes",
        ),
        (
            ("train/a/1.jpg", "train/b/1.jpg", "test/unknown/1.jpg"),
            "R: the split test has classes that train does not have: unknown",
            "move the split test away if 'unknown' is no class, or give classes with the names of all classes",
        ),
        (
            ("images/train/1.jpg", "images/val/2.jpg", "masks/train/1.png", "masks/val/2.png"),
            "R: 'images/train', 'images/val', 'masks/train', 'masks/val' look like splits",
            "give the folder R/images or R/masks alone",
        ),
        (
            ("cat/1.jpg", "dog/1.jpg", "val/cat/2.jpg", "val/dog/2.jpg"),
            "R: 'val' looks like a split, and 'cat', 'dog' beside it do not",
            "move the others into a folder called train if they are the classes of the training split, give "
            "splits=True, "
            "which leaves the others out, or splits=False, for all as classes",
        ),
        (
            ("cat/1.jpg", "dog/1.jpg", "test/2.jpg"),
            "R: 'test' looks like a split, and 'cat', 'dog' beside it do not",
            "move 'test' away, or give splits=False if all are classes",
        ),
        (
            ("train/train/a/1.jpg", "train/val/a/1.jpg", "test/a/1.jpg"),
            "R: 'train/train', 'train/val' in a split look like splits",
            "give the folder R/train alone, or splits=True, which takes them for classes",
        ),
    ],
    ids=[
        "others",
        "images",
        "twice",
        "unlabelled",
        "test alone",
        "below",
        "unlike",
        "spelling",
        "misspelt",
        "unknown",
        "masks",
        "classes",
        "flat",
        "inside",
    ],
)
def test_a_doubtful_layout_is_refused_and_the_error_says_how_to_choose(tmp_path, names, problem, advice):
    assert refused(tmp_path / "R", *names) == f"{problem}; {advice}"


def test_splits_can_be_insisted_on_and_what_is_in_none_is_named(tmp_path):
    sources = opened(tmp_path, *SPLITS, "extra/cat/5.jpg", "6.jpg", splits=True)
    assert {role: list(labels) for role, labels in sources.items()} == {"train": [*SPLITS[:2]], "test": [*SPLITS[2:]]}
    (note,) = notes(open_source(tmp_path, splits=True))
    assert note.endswith("found the splits train, test; left out: extra, 1 image beside them")


def test_splits_without_classes_or_images_are_left_out_and_named(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/b/2.jpg", "test/3.jpg")
    (tmp_path / "val").mkdir()
    source = open_source(tmp_path, splits=True)
    assert list(source) == ["train"]
    assert notes(source) == [
        f"{tmp_path}: found the splits train; left out: val (no images), test (no class folders)",
    ]


def test_splits_below_classes_are_made_sets_on_request(tmp_path):
    names = ("cat/train/1.jpg", "cat/test/2.jpg", "dog/train/3.jpg", "owl/4.jpg")
    assert opened(tmp_path, *names, splits=True) == {
        "train": {"cat/train/1.jpg": 0, "dog/train/3.jpg": 1},
        "test": {"cat/test/2.jpg": 0},
    }
    first, second = notes(open_source(tmp_path, splits=True))
    assert first.endswith("found the splits train (cat/train, dog/train), test (cat/test); left out: owl")
    assert second.endswith("class 'dog' has no images; it keeps the number 1")


def test_no_splits_takes_the_folders_for_classes(tmp_path):
    assert open_source(make(tmp_path, *SPLITS), splits=False).classes == {"test": 0, "train": 1}


def test_splits_without_folders_of_that_name_are_refused(tmp_path):
    error = refused(tmp_path / "R", "cat/1.jpg", "dog/2.jpg", splits=True)
    assert error == "R: expected folders called train, val or test, got 'cat', 'dog'; leave out splits=True"


def test_a_class_without_images_in_a_split_keeps_its_number(tmp_path):
    make(tmp_path, "train/a/1.jpg", "train/c/2.jpg", "val/c/3.jpg")
    (tmp_path / "train/b").mkdir()
    source = open_source(tmp_path)
    assert [each.classes for each in source.values()] == [{"a": 0, "b": 1, "c": 2}] * 2
    assert rows(source["val"]) == [(0, (2,), "val/c/3.jpg")]
    assert notes(source) == [
        f"{tmp_path / 'train'}: class 'b' has no images; it keeps the number 1",
        f"{tmp_path}: found the splits train, val",
        f"{tmp_path / 'val'}: 2 classes have no images; they keep their numbers: a (0), b (1)",
    ]


def test_given_classes_hold_for_all_splits(tmp_path):
    names = ("train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/c/2.jpg")
    labels = opened(tmp_path, *names, classes={"a": 5, "b": 6, "c": 7})
    assert labels == {"train": {"train/a/1.jpg": 5, "train/b/1.jpg": 6}, "val": {"val/a/1.jpg": 5, "val/c/2.jpg": 7}}


def test_a_validation_split_alone_must_have_the_numbers_of_its_training_split(tmp_path):
    make(tmp_path / "R", "train/a/1.jpg", "train/b/1.jpg", "val/b/1.jpg")
    with pytest.raises(SourceError) as caught:
        open_source(tmp_path / "R/val")
    assert str(caught.value).replace(f"{tmp_path}/", "") == (
        "R/val: b would have other numbers than in R/train, beside this folder; give R, which makes sets of both, or "
        "classes with the names of all classes"
    )
    assert open_source(tmp_path / "R/val", classes={"a": 0, "b": 1}).labels([0]) == [(1,)]
    assert opened(tmp_path / "R")["val"] == {"val/b/1.jpg": 1}
    make(tmp_path / "R", "val/a/2.jpg")
    assert open_source(tmp_path / "R/val").classes == {"a": 0, "b": 1}
    assert open_source(tmp_path / "R/train").classes == {"a": 0, "b": 1}


@pytest.mark.parametrize(
    ("train", "is_refused"),
    [
        (("train/a", "train/b"), True),
        (("seg_train/seg_train/a", "seg_train/seg_train/b"), True),
        (("train/images/a", "train/images/b"), True),
        (("train/a/b",), True),  # b is a part of the class a
        (("train/.cache", "train/b"), False),
        (("seg_train/seg_train/b",), False),
        (("train/images/b",), False),
        (("train",), False),  # images without classes
        (("other/a", "other/b"), False),
    ],
)
def test_the_classes_of_the_training_split_are_found_below_it(tmp_path, train, is_refused):
    make(tmp_path, "val/b/1.jpg", "train/a.txt", *(f"{folder}/1.jpg" for folder in train))
    with pytest.raises(SourceError, match="other numbers") if is_refused else contextlib.nullcontext():
        assert open_source(tmp_path / "val").classes == {"b": 0}


def test_a_folder_above_that_cannot_be_listed_does_not_stop_a_validation_split(tmp_path, monkeypatch):
    make(tmp_path / "R", "train/a/1.jpg", "val/b/1.jpg")
    iterdir = Path.iterdir

    def guarded(path):
        if path == tmp_path / "R":
            raise PermissionError
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", guarded)
    assert open_source(tmp_path / "R/val").classes == {"b": 0}


@pytest.mark.parametrize(("folder", "label_from"), [("/a", None), ("", "^(a)-"), ("/a", "^(a)/")])
def test_an_image_that_cannot_be_opened_belongs_to_its_split(tmp_path, folder, label_from):
    make(tmp_path, f"train{folder}/a-1.jpg", f"test{folder}/a-1.jpg")
    (tmp_path / f"test{folder}/gone.jpg").symlink_to("nowhere")
    sources = open_source(tmp_path, splits=True, label_from=label_from)
    bad = {role: [entry.name for entry in source.bad] for role, source in sources.items()}
    assert bad == {"train": [], "test": [f"test{folder}/gone.jpg"]}


def test_a_template_with_folders_reads_no_splits_as_classes(tmp_path):
    error = refused(tmp_path, *SPLITS, "5.jpg", label_from="{class}/{key}")
    assert "'test', 'train' look like splits, and 1 image beside them; move these images away" in error


def test_label_from_with_splits_leaves_out_the_images_beside_them(tmp_path):
    labels = opened(tmp_path, "train/1_5.jpg", "test/2_6.jpg", "3_7.jpg", splits=True, label_from=r"_(\d)")
    assert labels == {"train": {"train/1_5.jpg": 5}, "test": {"test/2_6.jpg": 6}}


def test_label_from_applies_to_the_images_of_each_split_with_one_class_map(tmp_path):
    names = ("train/cat-1.jpg", "train/ant-2.jpg", "test/cat-3.jpg")
    labels = opened(tmp_path, *names, label_from="^([a-z]+)-")
    assert labels == {"train": {"train/ant-2.jpg": 0, "train/cat-1.jpg": 1}, "test": {"test/cat-3.jpg": 1}}


def test_a_flat_split_without_labels_is_refused_with_the_folder_to_give(tmp_path):
    names = [f"train/{name}.{number}.jpg" for name in ("cat", "dog") for number in range(3)]
    error = refused(tmp_path / "R", *names, "test1/1.jpg", "test1/2.jpg", label_from=r"^(\w+)\.\d+\.")
    assert "R/test1: " in error and "give the folder R/train alone" in error
    assert open_source(tmp_path / "R/train", label_from=r"^(\w+)\.\d+\.").classes == {"cat": 0, "dog": 1}


def test_flat_splits_without_labels_may_be_classes(tmp_path):
    error = refused(tmp_path / "R", "train/1.jpg", "test/2.jpg")
    assert error.endswith("; if train is a class and no split, give splits=False")
    assert open_source(tmp_path / "R", splits=False).classes == {"test": 0, "train": 1}


def test_a_template_with_folders_needs_the_choice(tmp_path):
    error = refused(tmp_path / "R", *SPLITS, label_from="{class}/{key}")
    assert error == (
        "R: train, test look like splits; give splits=True, which applies label_from inside each, or splits=False, "
        "for the whole tree"
    )
    arguments = {"label_from": "{class}/{key}"}
    assert opened(tmp_path / "R", splits=True, **arguments)["test"] == {"test/cat/3.jpg": 0, "test/dog/4.jpg": 1}
    assert len(open_source(tmp_path / "R", splits=False, **arguments)) == 4


def test_label_from_and_class_from_exclude_each_other(tmp_path):
    with pytest.raises(PlanError, match="class_from and label_from both say where the class is; leave one out"):
        open_source(make(tmp_path, *SPLITS), class_from="last", label_from="_(.)")


def test_images_beside_the_classes_of_a_split_are_refused_with_its_path(tmp_path):
    error = refused(tmp_path / "R", *SPLITS, "train/5.jpg")
    assert error.startswith("R/train: 1 image beside the class folders, in none of them; move these images")
    labels = opened(tmp_path / "R", class_from="path")
    assert labels["train"] == {"train/5.jpg": 0, "train/cat/1.jpg": 1, "train/dog/2.jpg": 2}
    assert labels["test"] == {"test/cat/3.jpg": 1, "test/dog/4.jpg": 2}
