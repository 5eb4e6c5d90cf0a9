"""Labels in the names of images: found by a regular expression, or read by a template with keys and classes."""

import re

import pytest
from sources.folders import make, open_file_names, rows

from recordkit.errors import PlanError, SourceError
from recordkit.sample import BadEntry
from recordkit.sources import FolderSource, ZeroLabelSource
from recordkit.sources.file_names.evidence import NUMBER_AT_END


def test_a_flat_folder_has_labels_in_its_names(tmp_path):
    source = open_file_names(make(tmp_path, "000001_5.jpg", "000000_-2.png", "sub/9_9.jpg"))
    assert rows(source) == [(0, (-2,), "000000_-2.png"), (1, (5,), "000001_5.jpg")]
    assert source.classes is None


def test_without_label_from_all_images_of_a_flat_folder_have_label_0_as_in_im2rec(tmp_path):
    source = ZeroLabelSource(make(tmp_path, "b.jpg", "c.txt", "B.JPG"), [".jpg"])
    assert rows(source) == [(0, (0,), "B.JPG"), (1, (0,), "b.jpg")]


def test_labels_in_names_may_be_fractions(tmp_path):
    source = open_file_names(make(tmp_path, "a=0.5.jpg", "b=-1e-3.jpg", "c=3.jpg"), label_from=r"=([^=]+)\.jpg$")
    assert [label for _, (label,), _ in rows(source)] == [0.5, -0.001, 3]


@pytest.mark.parametrize("word", ["cat", "nan", "inf", "1_0", "0x1"])
def test_labels_in_names_that_are_not_all_numbers_are_classes_by_code_point(tmp_path, word):
    source = open_file_names(make(tmp_path, f"{word}-1.jpg", "Dog-2.jpg", f"{word}-3.jpg"), label_from="^([^-]+)-")
    assert source.classes == {text: number for number, text in enumerate(sorted([word, "Dog"]))}
    assert {name: label for _, (label,), name in rows(source)}[f"{word}-1.jpg"] == source.classes[word]


def test_a_class_map_decides_the_labels_of_class_names_in_file_names(tmp_path):
    make(tmp_path, "cat-1.jpg", "dog-2.jpg")
    source = open_file_names(tmp_path, label_from="^([^-]+)-", classes={"dog": 3, "cat": 8, "cow": 9})
    assert [label for _, (label,), _ in rows(source)] == [8, 3]
    with pytest.raises(SourceError, match="expected one of the 1 names in classes, got label 'dog'"):
        open_file_names(tmp_path, label_from="^([^-]+)-", classes={"cat": 8})


def test_a_name_without_a_label_is_left_out_and_keeps_its_key(tmp_path):
    source = open_file_names(make(tmp_path, "a.jpg", "b_1.jpg"), label_from=NUMBER_AT_END)
    assert rows(source) == [(1, (1,), "b_1.jpg")]
    assert source.bad == [BadEntry("a.jpg", r"expected a label in the name, got no match of '_(-?\d+)\.[^.]+$'")]


def test_a_group_outside_the_match_gives_no_label(tmp_path):
    source = open_file_names(make(tmp_path, "a.jpg", "b_1.jpg"), label_from=r"^[ab](?:_(\d))?")
    assert rows(source) == [(1, (1,), "b_1.jpg")]
    assert [bad.name for bad in source.bad] == ["a.jpg"]


def test_an_expression_that_matches_no_name_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"finds a label in none of 2 image names, for example 'a\.jpg'; give"):
        open_file_names(make(tmp_path, "a.jpg", "b.jpg"), label_from=NUMBER_AT_END)


def test_an_expression_whose_group_is_in_no_match_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"'\^\[ab\]\(x\)\?' finds a label in none of 2 image names"):
        open_file_names(make(tmp_path, "a.jpg", "b.jpg"), label_from="^[ab](x)?")


def test_a_bad_expression_is_refused(tmp_path):
    with pytest.raises(PlanError, match=re.escape("label_from: expected a regular expression, got '(' (")):
        open_file_names(tmp_path, label_from="(")
    with pytest.raises(
        PlanError, match=re.escape("label_from: expected a group (...) around the label, got 'x'; a template has")
    ):
        open_file_names(tmp_path, label_from="x")


def test_a_template_reads_keys_and_labels_and_orders_the_images_by_their_keys(tmp_path):
    source = open_file_names(make(tmp_path, "10_5.jpg", "9_-2.png", "7_0.25.jpg"), label_from="{key}_{label}")
    assert rows(source) == [(7, (0.25,), "7_0.25.jpg"), (9, (-2,), "9_-2.png"), (10, (5,), "10_5.jpg")]
    assert source.classes is None and source.bad == []


def test_a_template_without_a_key_numbers_the_images(tmp_path):
    source = open_file_names(make(tmp_path, "b-5.jpg", "a-7.jpg", "x.jpg"), label_from="{class}-{label}")
    assert rows(source) == [(0, (7,), "a-7.jpg"), (1, (5,), "b-5.jpg")]
    assert source.classes == {"a": 7, "b": 5}


def test_a_name_that_does_not_fit_the_template_is_left_out(tmp_path):
    make(tmp_path, "000001_5.png", "1_5.png", "000002_5.jpg", "000003_cat.png")
    source = open_file_names(tmp_path, label_from="{key:06d}_{label}.png")
    assert rows(source) == [(1, (5,), "000001_5.png")]
    assert source.bad == [
        BadEntry(name, "expected a name that fits '{key:06d}_{label}.png'")
        for name in ("000002_5.jpg", "000003_cat.png", "1_5.png")
    ]


def test_a_class_in_a_name_is_a_name_also_if_it_looks_like_a_number(tmp_path):
    source = open_file_names(make(tmp_path, "0_10.jpg", "1_9.jpg"), label_from="{key}_{class}")
    assert [labels for _, labels, _ in rows(source)] == [(0,), (1,)]
    assert source.classes == {"10": 0, "9": 1}


def test_a_class_map_decides_the_labels_of_the_classes_and_names_labels(tmp_path):
    classes = {"cat": 4, "dog": 7, "horse": 9}
    source = open_file_names(make(tmp_path / "a", "0_dog.jpg"), label_from="{key}_{class}", classes=classes)
    assert rows(source) == [(0, (7,), "0_dog.jpg")] and source.classes == classes
    source = open_file_names(make(tmp_path / "b", "0_7.jpg"), label_from="{key}_{label}", classes=classes)
    assert rows(source) == [(0, (7,), "0_7.jpg")] and source.classes == classes
    with pytest.raises(SourceError, match="expected one of the 1 names in classes, got label 'dog'"):
        open_file_names(tmp_path / "a", label_from="{key}_{class}", classes={"cat": 0})


def test_a_template_with_folders_reads_the_tree_as_a_folder_source_numbers_it(tmp_path):
    make(tmp_path, "b/7.jpg", "a/9.jpg", "a/c/8.jpg", "a-c/5.png", "6.jpg")
    source = open_file_names(tmp_path, label_from="{class}/{key}")
    assert rows(source) == [
        (5, (3,), "a-c/5.png"), (6, (0,), "6.jpg"), (7, (4,), "b/7.jpg"), (8, (2,), "a/c/8.jpg"), (9, (1,), "a/9.jpg")
    ]  # fmt: skip
    assert source.classes == FolderSource(tmp_path).classes == {".": 0, "a": 1, "a/c": 2, "a-c": 3, "b": 4}
    assert list(source.classes) == list(FolderSource(tmp_path).classes)


def test_folders_may_be_labels(tmp_path):
    source = open_file_names(make(tmp_path, "-5/1.jpg", "012/0.jpg"), label_from="{label}/{key}")
    assert rows(source) == [(0, (12,), "012/0.jpg"), (1, (-5,), "-5/1.jpg")] and source.classes is None


@pytest.mark.parametrize("name", ["b-6.jpg", "a-0.5.jpg", "b-0.5.jpg"])
def test_a_class_with_two_labels_or_a_fraction_is_refused(tmp_path, name):
    make(tmp_path, "b-5.jpg", name)
    with pytest.raises(SourceError, match=rf"expected one whole label for each class, got .* in '{name}'"):
        open_file_names(tmp_path, label_from="{class}-{label}")


def test_two_names_with_one_key_are_refused(tmp_path):
    make(tmp_path, "1_5.jpg", "2_5.jpg", "02_7.jpg")
    with pytest.raises(SourceError, match="expected each key once, got 2 in '02_7.jpg' and '2_5.jpg'; with a regular "):
        open_file_names(tmp_path, label_from="{key}_{label}")
    assert len(open_file_names(tmp_path, label_from=r"_(\d)")) == 3


def test_two_names_with_one_key_in_folders_can_be_read_without_a_template(tmp_path):
    make(tmp_path, "cat/1.jpg", "dog/1.jpg")
    with pytest.raises(SourceError, match="got 1 in 'cat/1.jpg' and 'dog/1.jpg'; without a template, the keys are the"):
        open_file_names(tmp_path, label_from="{class}/{key}")
    assert len(FolderSource(tmp_path)) == 2


def test_the_suffix_of_a_template_counts_as_that_of_an_image(tmp_path):
    make(tmp_path, "1_5.img", "2_5.png")
    assert [name for _, _, name in rows(open_file_names(tmp_path, label_from="{key}_{label}.img"))] == ["1_5.img"]
    assert [name for _, _, name in rows(open_file_names(tmp_path, label_from="{key}_{label}"))] == ["2_5.png"]


def test_a_template_that_fits_no_name_is_refused(tmp_path):
    make(tmp_path, "cat_1.jpg", "dog_2.jpg")
    problem = "'{label}_{key}' finds a label in none of 2 image names, for example 'cat_1.jpg'; give another template"
    with pytest.raises(SourceError, match=re.escape(problem)):
        open_file_names(tmp_path, label_from="{label}_{key}")
    assert open_file_names(tmp_path, label_from="{class}_{key}").classes == {"cat": 0, "dog": 1}


@pytest.mark.parametrize(
    ("label_from", "problem"),
    [
        ("{key}.png", "label_from: expected {label} or {class} in the template, got '{key}.png'"),
        ("{key}_{lable}", "label_from: expected the fields {key}, {label} and {class}, got {lable}"),
        ("{lable}", "label_from: expected a group (...) around the label, got '{lable}'; a template has {label} or"),
    ],
)
def test_a_template_with_a_mistake_is_refused(tmp_path, label_from, problem):
    with pytest.raises(PlanError, match=re.escape(problem)):
        open_file_names(make(tmp_path, "1.png"), label_from=label_from)
