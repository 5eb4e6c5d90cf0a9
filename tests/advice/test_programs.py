"""Following the advices of the command lines: recordkit's own words, and im2rec."""

import json
import re
import shutil
from pathlib import Path

import pytest
from advice.walk import advice, commands
from images import picture, save, write

import recordkit as rk

LISTS = "0\t0\t5\tcat/0.jpg\n1\t1\t6\tdog/0.jpg\n"


@pytest.fixture
def run_im2rec(im2rec):
    """Run ``im2rec ...``, and return whether it succeeded, and what it prints."""

    def run(*arguments):
        code, output, error = im2rec(*arguments)
        return code == 0, output + error

    return run


def test_a_misspelled_command_or_option(photos, fails, works):
    (name,) = advice("cli/program.py", "; did you mean '{}'?", fails("pakc", photos, "out"))
    works(name.split("'")[0], photos, "out")
    (option,) = advice("cli/program.py", "; did you mean '{}'?", fails("pack", photos, "out", "--resise", 8))
    works("pack", photos, "out", option.split("'")[0], 8)
    error = fails("pack", photos)
    advice("cli/program.py", "see '{} --help'", error)
    (command,) = commands(error)
    assert "Usage: recordkit pack" in works(*command)


def test_im2rec_as_a_command(photos, fails, run_im2rec):
    error = fails("im2rec", "out", photos)
    advice("cli/main.py", "unexpected command im2rec; im2rec is a program of its own: see 'im2rec --help'", error)
    works, text = run_im2rec(*re.search("'im2rec (.*)'", error)[1].split())
    assert works and "Usage: im2rec" in text


def test_lines_of_info(photos, works, fails):
    write(Path("nan.rec"), [save(picture(), "PNG")] * 2, [float("nan"), 1.0])
    text = works("info", "nan.rec")
    advice("cli/commands/info.py", "           {} not finite; 'recordkit verify {}' lists them", text)
    (command,) = commands(text)
    assert "nan" in fails(*command)
    write(Path("wide.rec"), [save(picture(), "PNG")], [tuple(map(float, range(20)))])
    text = works("info", "wide.rec")
    advice("cli/commands/info.py", " and {} more; --json has up to {}", text)
    option = re.search("--json", text)[0]
    assert len(json.loads(works("info", "wide.rec", option))["label_ranges"]) == 20


def test_verify_without_decoding(photos, works):
    rk.pack(photos, "out")
    text = works("verify", "out.rec")
    advice("cli/commands/verify.py", "; images not decoded (--decode)", text)
    assert "not decoded" not in works("verify", "out.rec", re.search(r"--decode", text)[0])


def test_a_list_of_a_file(photos, tiny_mnist, fails, works):
    advice("storage/names.py", "leave out its suffix", fails("list", photos, "pets.lst"))
    works("list", photos, "pets")
    error = fails("list", tiny_mnist, "digits")
    advice("cli/commands/list.py", "they need no list, 'recordkit pack' reads them", error)
    (command,) = commands(error)
    works(*command, tiny_mnist, "digits")


def test_settings_of_im2rec(photos, run_im2rec):
    words = ("two.lst", photos, "out.rec")
    Path("two.lst").write_text(LISTS)
    _, text = run_im2rec(*words, "resise=8")
    (setting,) = advice("cli/im2rec/native.py", "; did you mean {}?", text)
    works, text = run_im2rec(*words, setting)
    assert works and "not a setting" not in text
    _, text = run_im2rec("two.lst", photos, "resize=8", "out.rec")
    advice("cli/im2rec/native.py", "write LIST ROOT OUT.rec and then the settings", text)
    assert run_im2rec(*words, "resize=8")[0]
    _, text = run_im2rec("--resize=8", *words)
    (setting,) = advice("cli/im2rec/native.py", "write {} after OUT.rec", text)
    assert run_im2rec(*words, setting)[0]
    Path("one.lst").write_text("0\t0\tcat/0.jpg\n")
    _, text = run_im2rec("one.lst", photos, "out.rec", "pack_label=1")
    advice("cli/im2rec/native.py", "leave it out", text)
    assert run_im2rec("one.lst", photos, "out.rec")[0]


def test_labels_of_im2rec(photos, run_im2rec, works):
    Path("high.lst").write_text(f"0\t{2**24 + 1}\tcat/0.jpg\n")
    _, text = run_im2rec("high", photos)
    advice(
        "cli/im2rec/packing.py",
        "keep such labels with 'recordkit pack --exact-labels', or number the classes from 0",
        text,
    )
    ((command, option),) = commands(text)
    works(command, "high.lst", "exact", "--root", photos, option)
    assert rk.RecordDataset("exact").labels.tolist() == [2**24 + 1]
    Path("high.lst").write_text("0\t0\tcat/0.jpg\n")
    assert run_im2rec("high", photos)[0]


def test_lists_of_im2rec(photos, run_im2rec, works):
    _, text = run_im2rec("data", photos)
    advice("cli/im2rec/script.py", "make them with --list", text)
    _, text = run_im2rec("data", photos, "--list")
    advice("cli/im2rec/script.py", "--recursive includes the folders below it", text)
    assert run_im2rec("data", photos, "--list", "--recursive")[0]
    assert run_im2rec("data", photos)[0]
    for number, name in enumerate(("cat", "dog")):
        (photos / f"{name}_{number}.jpg").write_bytes((photos / name / "0.jpg").read_bytes())
    _, text = run_im2rec("flat", photos, "--list")
    advice(
        "cli/im2rec/script.py",
        "warning: all images have the label 0; 'recordkit list --label-from' reads labels from names",
        text,
    )
    ((command, option),) = commands(text)
    for name in ("cat", "dog"):
        (photos / name).rename(name)
    works(command, photos, "flat", option, r"_(\d)\.jpg$", "--overwrite")
    assert sorted(line.split("\t")[1] for line in Path("flat.lst").read_text().splitlines()) == ["0.000000", "1.000000"]


def test_several_labels_of_im2rec(photos, run_im2rec):
    Path("two.lst").write_text(LISTS)
    _, text = run_im2rec("two", photos)
    advice("cli/im2rec/script.py", "warning: {}: {}, and only the first is packed; --pack-label packs all", text)
    works, text = run_im2rec("two", photos, re.search("--pack-label", text)[0])
    assert works and "only the first" not in text
    assert rk.RecordDataset("two").labels.tolist() == [[0, 5], [1, 6]]


def test_splits_in_im2rec(photos, run_im2rec, works):
    for name in ("train", "test"):
        shutil.copytree(photos, Path("splits", name))
    _, text = run_im2rec("all", "splits", "--list", "--recursive")
    advice("cli/im2rec/script.py", "{} {}; 'recordkit list' makes a list for each split", text)
    (command,) = commands(text)
    works(*command, "splits", "sets")
    assert Path("sets_train.lst").exists() and Path("sets_test.lst").exists()


def test_folders_below_the_classes_in_im2rec(photos, run_im2rec, works):
    (photos / "cat/2019").mkdir()
    (photos / "cat/1.jpg").rename(photos / "cat/2019/1.jpg")
    _, text = run_im2rec("all", photos, "--list", "--recursive")
    advice("cli/im2rec/script.py", "{} {}; 'recordkit list' takes the first folder for the class", text)
    (command,) = commands(text)
    works(*command, photos, "sets")
    assert json.loads(Path("sets.classes.json").read_text())["classes"] == {"cat": 0, "dog": 1}
