"""open_source: the kind of source at a path, and the arguments that apply to it."""

import numpy as np
import pytest

from recordkit.errors import NotFoundError, PlanError, SourceError
from recordkit.formats import ubyte
from recordkit.sources import FileNameSource, ListSource, TreeSource, open_source


@pytest.fixture
def tree(tmp_path):
    for name in ("cat/1.jpg", "dog/2.jpg", "notes.txt"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "tree"


@pytest.fixture
def flat(tmp_path):
    (tmp_path / "flat").mkdir()
    for name in ("0_7.jpg", "1_3.png", "red-2.bmp"):
        (tmp_path / "flat" / name).touch()
    return tmp_path / "flat"


@pytest.fixture
def listed(tree):
    (tree.parent / "some.lst").write_text("0\t1\tcat/1.jpg\n")
    return tree.parent / "some.lst"


@pytest.fixture
def digits(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "t10k-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((2, 3, 3), np.uint8)))
    (tmp_path / "digits" / "t10k-labels-idx1-ubyte").write_bytes(ubyte.pack(np.zeros(2, np.uint8)))
    return tmp_path / "digits"


def test_a_folder_with_class_folders_is_a_tree(tree):
    source = open_source(tree)
    assert isinstance(source, TreeSource) and source.classes == {"cat": 0, "dog": 1}


def test_a_folder_without_class_folders_is_flat(flat):
    source = open_source(str(flat))
    assert isinstance(source, FileNameSource)
    assert [entry.labels for entry in source.entries(range(len(source)))] == [(7,), (3,)]


def test_label_from_makes_a_folder_flat(flat, tree):
    source = open_source(flat, label_from="^([a-z]+)-", extensions=[".bmp"])
    assert isinstance(source, FileNameSource) and source.classes == {"red": 0}
    (tree / "x_1.jpg").touch()
    assert len(open_source(tree, label_from=r"_(\d)")) == 1


def test_a_folder_of_ubyte_files_is_a_source_per_split(digits):
    splits = open_source(digits)
    assert list(splits) == ["test"] and len(splits["test"]) == 2


def test_ubyte_files_are_found_below_a_folder_and_by_the_beginning_of_their_names(digits):
    raw = digits / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for path in [*digits.glob("t10k-*")]:
        path.rename(raw / path.name.replace("t10k", "xnist"))
    source = open_source(digits, transpose=True)  # the only set has no name
    assert len(source) == len(open_source(raw / "xnist")) == 2


def test_a_list_is_a_list_with_its_root(listed, tree):
    source = open_source(listed, root=tree, classes={"cat": 1})
    assert isinstance(source, ListSource) and source.classes == {"cat": 1}


def test_a_class_map_decides_the_labels_of_a_tree(tree):
    assert open_source(tree, classes={"dog": 5, "cat": 6}).classes == {"dog": 5, "cat": 6}
    with pytest.raises(SourceError, match="expected one of the 1 names in classes, got folder 'dog'"):
        open_source(tree, classes={"cat": 6})


def test_label_from_with_a_tree_is_refused_and_names_the_reason(tree):
    with pytest.raises(PlanError, match="label_from applies to images directly in the folder, these are in folders"):
        open_source(tree, label_from="_(.)")


def test_if_no_image_can_be_used_the_error_names_the_first(tmp_path):
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"the only image cannot be used: gone\.jpg: No such file"):
        open_source(tmp_path)


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(SourceError, match="expected images, got none"):
        open_source(tmp_path)


def test_a_path_that_is_neither_a_folder_nor_a_list_is_refused(tmp_path):
    (tmp_path / "a.bin").touch()
    with pytest.raises(SourceError, match=r"a\.bin: expected a folder or a \.lst file, got another file"):
        open_source(tmp_path / "a.bin")
    (tmp_path / "a.rec").touch()
    with pytest.raises(SourceError, match=r"a\.rec: expected a folder or a \.lst file, got a \.rec dataset"):
        open_source(tmp_path / "a")
    with pytest.raises(NotFoundError, match=r"b: expected a folder or a \.lst file, got nothing of that name"):
        open_source(tmp_path / "b")


@pytest.mark.parametrize(
    ("kind", "arguments", "message"),
    [
        (
            "listed",
            {"label_from": "x"},
            r"label_from: applies to a folder of images, and this is a list; leave it",
        ),
        ("listed", {"class_from": "last"}, r"class_from: applies to a folder of images, and this is a list"),
        ("listed", {"splits": False}, r"splits: applies to a folder of images, and this is a list"),
        ("tree", {"root": "x"}, r"root: applies to a list, and this is a folder of images"),
        ("tree", {"columns": "path,label"}, "columns: applies to a list, and this is a folder of images"),
        ("tree", {"transpose": True}, "transpose: applies to a folder of ubyte files, and this is a folder of images"),
        ("digits", {"extensions": [".png"]}, "extensions: applies to a list or a folder of images, and this is"),
        ("digits", {"root": "x"}, r"root: applies to a list, and this is a folder of ubyte files"),
        (
            "digits",
            {"label_from": "x"},
            "label_from: applies to a folder of images, and this is a folder of ubyte files",
        ),
    ],
)
def test_arguments_that_do_not_apply_to_the_kind_of_source_are_refused(request, kind, arguments, message):
    with pytest.raises(PlanError, match=message):
        open_source(request.getfixturevalue(kind), **arguments)
