"""The error about images without labels in their names gives the command that reads the list beside them."""

import pytest
from sources.folders import make

from recordkit.errors import SourceError
from recordkit.sources import open_source

IMAGES = ("train/a.png", "train/b.png", "train/c.png")
ROWS = "id,label\na,cat\nb,dog\nc,cat\n"


def advice(root, folder="train"):
    with pytest.raises(SourceError) as caught:
        open_source(root / folder)
    return caught.value.advice.replace(str(root), "R")


@pytest.mark.parametrize("path", ["labels.csv", "train/labels.csv", "trainLabels.txt"])
def test_the_list_in_or_above_the_folder_is_found(tmp_path, path):
    make(tmp_path, *IMAGES)
    (tmp_path / path).write_text(ROWS)
    assert advice(tmp_path) == (
        f"the labels may be in {path.split('/')[-1]}: the rows look like PATH CLASS, separated by commas: "
        f"'recordkit pack R/{path} PREFIX --root R/train --columns path,class' reads them"
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("test_labels.csv", ROWS),
        ("sampleSubmission.csv", ROWS),
        ("short.csv", "id,label\na,cat"),
        ("other.csv", "id,label\nx,cat\ny,dog\nz,cat\n"),
        ("readme.txt", "these are\nimages of\ncats and\ndogs, or are they"),
        ("labels.dat", ROWS),
    ],
)
def test_other_files_are_no_such_lists(tmp_path, path, content):
    make(tmp_path, *IMAGES)
    (tmp_path / path).write_text(content)
    assert advice(tmp_path).startswith("if the names hold no labels, make a folder for each class")


def test_a_list_that_cannot_be_read_is_passed_over(tmp_path, monkeypatch):
    make(tmp_path, *IMAGES)
    (tmp_path / "labels.csv").mkdir()
    assert advice(tmp_path).startswith("if the names hold no labels")
