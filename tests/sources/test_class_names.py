"""Notes on the names of classes, and labels from the paths of a tree."""

import pytest
from sources.folders import make, rows

from recordkit.errors import PlanError
from recordkit.sources import FolderSource, open_source


def labels(source):
    return {name: label for _, (label,), name in rows(source)}


def test_folders_called_like_numbers_make_a_note_and_its_advice_takes_the_numbers(tmp_path):
    make(tmp_path, "1/a.jpg", "2/a.jpg", "10/a.jpg", "0/a.jpg")
    note = (
        f"{tmp_path}: the class folders are called like numbers and have other labels, as names are sorted as text: "
        r"'10' has 2, '2' has 3; recordkit pack --label-from '^(\d+)/' takes the numbers"
    )
    source = open_source(tmp_path)
    assert source.notes == [note] and source.classes == {"0": 0, "1": 1, "10": 2, "2": 3}
    assert FolderSource(tmp_path).notes == [note]
    assert labels(open_source(tmp_path, label_from=r"^(\d+)/")) == {
        "0/a.jpg": 0,
        "1/a.jpg": 1,
        "10/a.jpg": 10,
        "2/a.jpg": 2,
    }
    assert open_source(tmp_path, classes={"0": 0, "1": 1, "10": 10, "2": 2}).notes == []


@pytest.mark.parametrize(
    "names", [("0/1.jpg", "1/1.jpg"), ("000/1.jpg", "001/1.jpg"), ("1/1.jpg", "10/1.jpg", "x/1.jpg")]
)
def test_numbers_that_are_the_labels_and_other_names_make_no_note(tmp_path, names):
    assert open_source(make(tmp_path, *names)).notes == []


def test_the_numbers_of_splits_and_of_the_last_folders_are_taken_as_the_note_says(tmp_path):
    make(tmp_path / "a", "train/images/1/1.jpg", "train/images/3/1.jpg", "test/images/3/1.jpg")
    assert r"--label-from '^(\d+)/' --splits takes" in open_source(tmp_path / "a")["train"].notes[0]
    sets = open_source(tmp_path / "a", label_from=r"^(\d+)/", splits=True)
    assert labels(sets["test"]) == {"test/images/3/1.jpg": 3}
    make(tmp_path / "b", "7/1/1.jpg", "7/3/1.jpg", "8/3/1.jpg")
    assert r"--label-from '(\d+)/[^/]+$' takes" in open_source(tmp_path / "b", class_from="last").notes[0]
    assert set(labels(open_source(tmp_path / "b", label_from=r"(\d+)/[^/]+$")).values()) == {1, 3}


def test_an_expression_with_a_slash_is_about_paths_with_or_without_a_slash_before_them(tmp_path):
    make(tmp_path, "images/pug_1.jpg", "images/beagle_2.jpg", "images/x.jpg")
    source = open_source(tmp_path, label_from=r"/([^/]+)_\d+.jpg$")
    assert source.classes == {"beagle": 0, "pug": 1}
    assert [bad.name for bad in source.bad] == ["images/x.jpg"]


def test_labels_from_paths_are_refused_if_the_splits_are_below_the_classes(tmp_path):
    make(tmp_path, "1/train/1.jpg", "1/test/1.jpg", "2/train/1.jpg")
    with pytest.raises(PlanError, match="label_from.*these splits are below the classes; leave it out"):
        open_source(tmp_path, label_from=r"^(\d+)/", splits=True)
    assert "--label-from" not in open_source(tmp_path, splits=True)["train"].notes[0]


@pytest.mark.parametrize(
    ("names", "twins"),
    [
        (("cat", "Cat", "dog"), "'Cat' and 'cat'"),
        (("cat", "cat ", "dog"), "'cat' and 'cat '"),
        (("big cat", "big_cat"), "'big cat' and 'big_cat'"),
        (("caf\u00e9", "cafe\u0301"), "'cafe\u0301' and 'caf\u00e9'"),
    ],
)
def test_classes_that_look_alike_are_named(tmp_path, names, twins):
    source = open_source(make(tmp_path, *(f"{name}/1.jpg" for name in names)))
    assert len(source.classes) == len(names)
    assert source.notes == [
        f"{tmp_path}: these classes differ only in case, blanks or the like, and are packed as different ones: {twins}"
    ]


def test_single_letters_in_both_cases_are_classes(tmp_path):
    assert open_source(make(tmp_path, "a/1.jpg", "A/1.jpg", "_/1.jpg", "-/1.jpg")).notes == []
