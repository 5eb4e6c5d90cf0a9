"""``recordkit list``: its errors name what it takes, and never what only ``recordkit pack`` takes."""

import json

import numpy as np
import pytest
from sources.folders import make

from recordkit.formats import ubyte
from recordkit.sources import open_source, read_classes


@pytest.fixture
def inputs(tmp_path, tiny_folder, monkeypatch):
    """Stand in a folder with a tree of images and with inputs that cannot be listed."""
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "ubyte", "flat"):
        (tmp_path / name).mkdir()
    (tmp_path / "tree").symlink_to(tiny_folder)
    (tmp_path / "flat" / "0_7.jpg").touch()
    (tmp_path / "a.lst").write_text("0\t0\tx.jpg\n")
    (tmp_path / "ubyte" / "train-images-idx3-ubyte").write_bytes(ubyte.pack(np.zeros((2, 4, 4), np.uint8)))
    (tmp_path / "names.txt").write_text("ant\nbee\n")
    (tmp_path / "bad.json").write_text("{")


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        ("nothing x", 1, "nothing: expected a folder of images, got nothing of that name"),
        ("a.lst x", 1, "a.lst: expected a folder of images, got a file"),
        ("empty x", 1, "empty: expected images, got none"),
        (
            "ubyte x --label-from _(.)",
            1,
            "ubyte: expected a folder of images, got ubyte files; they need no list, 'recordkit pack' reads them",
        ),
        ("tree x --exts ,", 2, "--exts: expected suffixes such as .jpg,.png, got ','"),
        ("flat x --label-from _(.", 2, "--label-from: expected a regular expression, got '_(.' (missing ), "),
        ("flat x --classes names.txt", 1, "flat: expected one of the 2 names in --classes, got label '7'"),
        ("tree x --classes bad.json", 1, "bad.json: the class names cannot be read: Expecting property name"),
        (
            "tree x --classes none.txt",
            1,
            "none.txt: expected a file with a class name per line, or the .json of a pack, got",
        ),
        ("tree x --train-ratio nan", 2, "--train-ratio: expected a fraction from 0 to 1, got nan"),
        (
            "tree x --train-ratio 0.8 --test-ratio 0.3",
            2,
            "--train-ratio and --test-ratio: expected a sum of at most 1, got 0.8 and 0.3",
        ),
        (
            "tree x --val-ratio 0.8 --test-ratio 0.3",
            2,
            "--val-ratio and --test-ratio: expected a sum of at most 1, got 0.8 and 0.3",
        ),
        (
            "tree x --val-ratio 0.2 --train-ratio 0.8",
            2,
            "--train-ratio and --val-ratio: expected one of them, got both",
        ),
        ("tree x --shards 10001", 2, "--shards: expected at most 10000, got 10001"),
        ("tree x --shards 0", 2, "--shards: 0 is not in the range x>=1; see 'recordkit list --help'"),
        ("tree x --resize 3", 2, "unexpected option --resize; see 'recordkit list --help'"),
        ("tree x.lst", 2, "x.lst: expected a prefix, got the name of a file; leave out its suffix"),
        ("tree empty", 1, "empty: expected a file prefix, got a folder; add a name, as in empty/train"),
        ("tree a.lst/x", 1, "a.lst: expected a folder, got a file; choose another folder"),
    ],
)
def test_wrong_input_is_one_line_in_the_words_of_the_command(cli, words, code, text):
    got, out, error = cli("list", *words.split())
    assert (got, out) == (code, "") and error.startswith(f"recordkit: {text}") and error.count("\n") == 1, error


@pytest.mark.usefixtures("inputs")
def test_empty_lists_are_one_warning(cli):
    code, _, error = cli("list", "tree", "x", "--shards", 20)
    assert (code, error) == (0, "recordkit: warning: x_12.lst and 7 other lists are empty\n")


@pytest.mark.usefixtures("inputs")
@pytest.mark.parametrize("ratios", [(0.25, 0), (0.25, 0.5)])
def test_val_ratio_divides_as_that_of_pack(cli, tmp_path, ratios):
    options = ("--val-ratio", ratios[0], "--test-ratio", ratios[1], "--quiet")
    sizes = []
    for command in ("list", "pack"):
        assert cli(command, "tree", f"{command}ed/x", *options)[0] == 0
        lists = sorted(tmp_path.glob(f"{command}ed/*.lst"))
        sizes.append([(path.name, path.read_text().count("\n")) for path in lists])
    assert sizes[0] == sizes[1]


@pytest.mark.usefixtures("inputs")
def test_ratios_whose_rest_rounds_below_0_leave_no_image_for_train(cli):
    ratios = ("--val-ratio", 0.8, "--test-ratio", 0.2)  # 1 - 0.8 - 0.2 is -5.6e-17
    code, _, error = cli("list", "tree", "x", *ratios)
    assert (code, error) == (0, "recordkit: warning: x_train.lst is empty\n")
    code, _, error = cli("pack", "tree", "y", *ratios)
    assert code == 2 and "y_train: expected samples, got 0 of 12; change the ratios" in error


SPLITS = ("train/cat/1.jpg", "train/dog/2.jpg", "test/dog/3.jpg")


@pytest.fixture
def splits(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "photos", *SPLITS)


@pytest.mark.usefixtures("splits")
def test_each_split_has_its_list_and_all_have_one_class_map(cli, tmp_path):
    code, out, error = cli("list", "photos", "x", "--no-shuffle")
    assert (code, out) == (0, "x_train: 2 images in 2 classes\nx_test: 1 image in 2 classes\n")
    assert "photos: found the splits train, test" in error
    assert "photos/test: class 'cat' has no images; it keeps the number 0" in error
    assert (tmp_path / "x_train.lst").read_text() == "0\t0.000000\ttrain/cat/1.jpg\n1\t1.000000\ttrain/dog/2.jpg\n"
    assert (tmp_path / "x_test.lst").read_text() == "0\t1.000000\ttest/dog/3.jpg\n"
    assert read_classes("x.classes.json") == {"cat": 0, "dog": 1}
    assert open_source("x_test.lst", root="photos").classes == {"cat": 0, "dog": 1}


@pytest.mark.usefixtures("splits")
@pytest.mark.parametrize("option", ["--train-ratio", "--val-ratio", "--test-ratio", "--shards"])
def test_lists_of_splits_are_not_divided_again(cli, option):
    code, _, error = cli("list", "photos", "x", option, "0.5" if option != "--shards" else "2")
    assert code == 2
    assert error == f"recordkit: photos: {option}: the folder has splits of its own; leave it out\n"


@pytest.mark.usefixtures("splits")
def test_the_options_say_what_the_folders_are(cli):
    assert cli("list", "photos", "x", "--no-splits", "--quiet")[0] == 0
    assert read_classes("x.classes.json") == {"test": 0, "train": 1}
    assert cli("list", "photos", "x", "--no-splits", "--class-from", "path", "--quiet", "--overwrite")[0] == 0
    assert read_classes("x.classes.json") == {"test/dog": 0, "train/cat": 1, "train/dog": 2}


@pytest.mark.usefixtures("inputs")
def test_a_list_of_another_content_is_replaced_only_on_request(cli, tmp_path):
    assert cli("list", "tree", "x", "--quiet")[0] == 0
    before = {name: (tmp_path / name).read_bytes() for name in ("x.lst", "x.classes.json")}
    assert cli("list", "tree", "x", "--quiet")[0] == 0  # the same again
    for name, kind in (("x.lst", "list"), ("x.classes.json", "class map")):
        (tmp_path / name).write_text("mine")
        for options in ([], ["--dry-run"]):
            code, _, error = cli("list", "tree", "x", *options)
            assert code == 1 and (tmp_path / name).read_text() == "mine"
            assert f"{name}: expected no file, or one of the same content, got another {kind}; choose" in error
        assert cli("list", "tree", "x", "--overwrite")[0] == 0
        assert (tmp_path / name).read_bytes() == before[name]


@pytest.mark.usefixtures("inputs")
def test_a_class_map_of_another_list_is_removed_only_on_request(cli, tmp_path):
    (tmp_path / "x.classes.json").write_text("{}")
    code, _, error = cli("list", "flat", "x")
    assert code == 1 and "x.classes.json: expected no file" in error and not (tmp_path / "x.lst").exists()
    assert cli("list", "flat", "x", "--overwrite", "--dry-run")[1].splitlines()[1:] == [
        "x.lst: would be written",
        "x.classes.json: would be removed",
    ]
    assert cli("list", "flat", "x", "--overwrite")[0] == 0
    assert not (tmp_path / "x.classes.json").exists()


@pytest.mark.usefixtures("inputs")
def test_a_dry_run_writes_no_list_and_a_class_map_that_is_read_stays(cli, tmp_path):
    facts = json.loads(cli("list", "tree", "new/x", "--dry-run", "--json")[1])
    assert (facts["dry_run"], facts["files"]) == (True, ["new/x.lst", "new/x.classes.json"])
    assert not (tmp_path / "new").exists()
    (tmp_path / "x.classes.json").write_text('{"owl": 2, "dog": 1, "cat": 0}')
    code, _, error = cli("list", "tree", "x", "--classes", "x.classes.json", "--overwrite")
    assert code == 1 and "x.classes.json: expected no file, got the file that is read; choose another name" in error
