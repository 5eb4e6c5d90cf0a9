"""The command ``recordkit export``, and the way back by pack and list."""

import json
import shutil

import pytest

from recordkit.dataset.dataset import RecordDataset
from recordkit.formats.lst import ListFile


def same(prefix, other):
    return all(prefix.with_suffix(s).read_bytes() == other.with_suffix(s).read_bytes() for s in (".rec", ".idx"))


def test_a_set_goes_to_a_folder_and_back(cli, tiny_folder, tmp_path):
    assert cli("pack", tiny_folder, tmp_path / "a")[0] == 0
    code, output, _ = cli("export", tmp_path / "a.rec", tmp_path / "files")
    lines = output.splitlines()
    assert code == 0 and lines[1].startswith("12 images in ")
    assert lines[0].startswith(f"{tmp_path / 'files'}: 12 images, ")
    assert lines[0].endswith(f" MB; keys and labels: {tmp_path / 'files.lst'}")
    assert sorted(path.name for path in (tmp_path / "files/owl").iterdir()) == [f"{n:06d}.jpg" for n in range(8, 12)]
    assert cli("pack", tmp_path / "files", tmp_path / "b")[0] == 0
    arguments = ["--root", tmp_path / "files", "--classes", tmp_path / "files.classes.json"]
    assert cli("pack", tmp_path / "files.lst", tmp_path / "c", *arguments)[0] == 0
    assert same(tmp_path / "a", tmp_path / "b") and same(tmp_path / "a", tmp_path / "c")


def test_ubyte_files_become_the_flat_folders_of_the_tutorials(cli, tiny_mnist, tmp_path):
    name = "{key:06d}_{label}.png"
    assert cli("export", tiny_mnist, tmp_path / "digits", "--name", name, "--quiet")[:2] == (0, "")
    train = tmp_path / "digits/train"
    assert sorted(path.name for path in train.iterdir())[-1] == "000019_9.png"
    cli("pack", tiny_mnist, tmp_path / "a")
    assert cli("pack", train, tmp_path / "b", "--label-from", name, "--no-shuffle")[0] == 0
    assert same(tmp_path / "a_train", tmp_path / "b")
    assert cli("list", train, tmp_path / "c", "--label-from", name, "--no-shuffle")[0] == 0
    assert (tmp_path / "c.lst").read_bytes() == (tmp_path / "digits/train.lst").read_bytes()


def test_list_reads_a_tree_by_a_template(cli, tiny_folder, tmp_path):
    assert cli("list", tiny_folder, tmp_path / "a", "--label-from", "{class}/{key}")[0] == 1
    for number, path in enumerate(sorted(tiny_folder.glob("*/*.jpg"))):
        path.rename(path.with_name(f"{100 - number}.jpg"))
    assert cli("list", tiny_folder, tmp_path / "a", "--label-from", "{class}/{key}", "--no-shuffle")[0] == 0
    with ListFile(tmp_path / "a.lst") as rows:
        assert rows[0] == (89, (2.0,), "owl/89.jpg") and len(rows) == 12
    assert json.loads((tmp_path / "a.classes.json").read_text())["classes"] == {"cat": 0, "dog": 1, "owl": 2}


def test_a_list_needs_its_root(cli, tiny_folder, tmp_path):
    cli("list", tiny_folder, tmp_path / "a")
    assert cli("export", tmp_path / "a.lst", tmp_path / "b", "--root", tiny_folder)[0] == 0
    _, _, error = cli("export", tmp_path / "a.lst", tmp_path / "c")
    assert "none of the first 12 images exists" in error and "--root" in error


def test_the_report_is_json_and_notes_are_lines(cli, tiny_folder, tmp_path):
    classes = tmp_path / "classes.txt"
    classes.write_text("owl\ndog\ncat\n")
    cli("pack", tiny_folder, tmp_path / "a", "--classes", classes)
    code, output, error = cli("export", tmp_path / "a", tmp_path / "b", "--json")
    (done,) = json.loads(output)["sets"]
    assert (code, done["n_images"], done["list_path"]) == (0, 12, str(tmp_path / "b.lst"))
    assert f"recordkit: note: {tmp_path / 'b'}: {done['notes'][0]}\n" in error
    assert cli("export", tmp_path / "a", tmp_path / "c", "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["REC", "NEW", "--name", "{key}.png"], 2, "--name: key 1: expected the suffix .jpg of this image, got .png"),
        (["REC", "NEW", "--name", "{lable}"], 2, "--name: expected the fields {key}, {label} and {class}, got {lable}"),
        (["REC", "NEW", "--root", "x"], 2, "--root applies to a list; a .rec file has its images"),
        (["PHOTOS", "NEW", "--root", "x"], 2, "--root: applies to a list, and this is a folder of images"),
        (
            ["REC", "PHOTOS"],
            1,
            "photos: expected no file, or an empty folder, got a folder with files; choose another name",
        ),
        (["MISSING", "NEW"], 1, "missing.rec: expected a .rec file, got nothing of that name"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(cli, tiny_folder, tmp_path, words, code, problem):
    cli("pack", tiny_folder, tmp_path / "a")
    names = {"REC": "a.rec", "NEW": "new", "PHOTOS": "photos", "MISSING": "missing"}
    before = sorted(tmp_path.iterdir())
    got, output, error = cli("export", *(tmp_path / names[word] if word in names else word for word in words))
    assert (got, output) == (code, "") and problem in error and error.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_splits_of_a_folder_become_folders_that_pack_finds_again(cli, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_folder.rename(tmp_path / "train2017")
    (tmp_path / "all").mkdir()
    (tmp_path / "train2017").rename(tmp_path / "all" / "train2017")
    shutil.copytree("all/train2017/dog", "all/val2017/dog")
    assert cli("pack", "all", "a", "--quiet")[0] == 0
    assert cli("export", "all", "b", "--quiet")[0] == 0
    assert cli("pack", "b", "b_rec", "--quiet")[0] == 0
    for split, n in (("train", 12), ("val", 4)):
        with RecordDataset(f"a_{split}.rec") as before, RecordDataset(f"b_rec_{split}.rec") as after:
            assert len(before) == len(after) == n
            assert before.classes == after.classes == {"cat": 0, "dog": 1, "owl": 2}
            content = [sorted((sample.label, bytes(sample.payload)) for sample in each) for each in (before, after)]
            assert content[0] == content[1]


def test_a_doubtful_folder_is_refused_with_the_options_of_pack(cli, tiny_folder, tmp_path):
    (tiny_folder / "images").mkdir()
    shutil.copy(tiny_folder / "cat" / "0.jpg", tiny_folder / "images")
    code, _, error = cli("export", tiny_folder, tmp_path / "new")
    assert code == 1
    assert error.endswith("; the options are those of 'recordkit pack', whose .rec this command takes too\n")
    assert f"move it out of {tiny_folder}, or give --class-from first if it is a class; the" in error


def test_one_class_or_some_keys_are_exported(cli, tiny_folder, tmp_path):
    cli("pack", tiny_folder, tmp_path / "a")
    assert cli("export", tmp_path / "a", tmp_path / "cats", "--class", "cat")[0] == 0
    assert sorted(path.parent.name for path in (tmp_path / "cats").rglob("*.jpg")) == ["cat"] * 4
    assert cli("export", tmp_path / "a", tmp_path / "tars", "--to", "webdataset", "--label", 1, "--keys", "0:6")[0] == 0
    info = json.loads((tmp_path / "tars/_info.json").read_text())
    assert info["splits"]["train"]["num_samples"] == len([key for key in range(4, 8) if key < 6])
    code, _, error = cli("export", tiny_folder, tmp_path / "b", "--label", 1)
    assert code == 2 and "--label: applies to a .rec file, and this is another source; pack it first" in error
