"""`recordkit pack LIST --columns`: from the error about a list, by its advice, to a set with the right labels."""

import json
import re
import shlex

import pytest
from images import picture, pixels, save

from recordkit import RecordDataset

CELEBA = "3\nEyebrows Bald\na.jpg -1  1\nb.jpg  1 -1\nc.png  1  1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg", "my c.jpg", "c.png"):
        kind = "PNG" if name.endswith("png") else "JPEG"
        (tmp_path / "photos" / name).write_bytes(save(picture(pixels(8, 9)), kind))
    return tmp_path


@pytest.mark.parametrize(
    ("name", "text", "labels", "classes"),
    [
        ("train.txt", "a.jpg 3\nmy c.jpg 4\n", [3, 4], None),
        ("train.csv", "image_id,label\na,dog\nb,cat\n", [1, 0], {"cat": 0, "dog": 1}),
        ("train.lst", "0\ta.jpg\t3\n0\tb.jpg\t4\n", [3, 4], None),
        ("train.lst", "0\t3\ta.jpg\n0\t4\tb.jpg\n", [3, 4], None),
        ("attr.txt", CELEBA, [[-1, 1], [1, -1], [1, 1]], None),
    ],
)
def test_the_advice_of_the_error_packs_the_list(cli, folder, engine, name, text, labels, classes):
    (folder / name).write_text(text)
    code, _, err = cli("pack", name, "out", "--root", "photos")
    assert code == 1 and err.count("\n") == 1
    advice = re.search(r"--columns (\S+)", err)[1]
    code, out, err = cli("pack", name, "out", "--root", "photos", "--columns", advice, "--engine", engine, "--json")
    assert code == 0 and json.loads(out)["sets"][0]["n_packed"] == len(labels)
    with RecordDataset("out.rec") as dataset:
        assert dataset.labels.tolist() == labels and dataset.classes == classes


def test_headings_and_suffixes_are_named_in_warnings(cli, folder):
    (folder / "train.csv").write_text("image_id,label\na,3\n")
    code, _, err = cli("pack", "train.csv", "out", "--root", "photos", "--columns", "path,label")
    assert code == 0 and err.splitlines() == [
        "recordkit: warning: train.csv: line 1 is a heading and is not read: 'image_id,label'",
        "recordkit: warning: train.csv: paths without a suffix get the one of their image, as in a.jpg",
    ]


def test_a_class_map_of_another_split_is_used(cli, folder):
    (folder / "train.csv").write_text("a.jpg,dog\n")
    (folder / "classes.txt").write_text("cat\ndog\n")
    arguments = ["pack", "train.csv", "out", "--root", "photos", "--columns", "path,class"]
    assert cli(*arguments, "--classes", "classes.txt")[0] == 0
    with RecordDataset("out.rec") as dataset:
        assert dataset.labels.tolist() == [1] and dataset.classes == {"cat": 0, "dog": 1}


def test_the_list_itself_is_not_overwritten(cli, folder):
    (folder / "train.lst").write_text("a.jpg 3\n")
    code, _, err = cli("pack", "train.lst", "train", "--root", "photos", "--columns", "path,label")
    assert code == 2 and "train.lst: expected another output, got a file that is being packed" in err
    assert (folder / "train.lst").read_text() == "a.jpg 3\n"


def test_columns_of_a_folder_are_refused(cli, folder):
    (folder / "tree").mkdir()
    (folder / "photos").rename(folder / "tree" / "cat")
    code, _, err = cli("pack", "tree", "out", "--columns", "path,label")
    assert code == 2 and "--columns: applies to a list" in err


def test_im2rec_names_the_command_that_packs_the_list(cli, im2rec, folder):
    (folder / "some.lst").write_text("0\ta.jpg\t3\n0\tb.jpg\t4\n")
    for arguments in (("some", "photos"), ("some.lst", "photos", "some.rec")):
        code, _, err = im2rec(*arguments)
        command = re.search(r"'recordkit (pack .*)' reads them", err)[1]
        assert code == 1 and cli(*shlex.split(command.replace("PREFIX", "out")))[0] == 0


def test_export_takes_the_columns_too(cli, folder):
    (folder / "train.csv").write_text("a.jpg,dog\n")
    assert cli("export", "train.csv", "out", "--root", "photos", "--columns", "path,class")[0] == 0
    assert (folder / "out" / "dog" / "000000.jpg").read_bytes() == (folder / "photos" / "a.jpg").read_bytes()
