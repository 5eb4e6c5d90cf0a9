"""Following the advices of merge, append and relabel."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from advice.walk import advice, commands, text_of
from upkeep.edit.small_sets import facts, write_set

from recordkit import RecordDataset
from recordkit.codec import decode
from recordkit.recordio import IRHeader, MXIndexedRecordIO, pack
from recordkit.upkeep import append, merge, relabel
from recordkit.upkeep.edit import append as append_module


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with the set a of two classes, and b of two others."""
    monkeypatch.chdir(tmp_path)
    write_set("old", [0, 1], classes={"cat": 0, "dog": 1})
    merge(["old.rec"], "a")
    write_set("b", [0, 1], keys=[8, 9], classes={"dog": 0, "owl": 1})
    return tmp_path


def test_keys_that_collide(folder, fails, works):
    advice(
        "upkeep/edit/union.py", "number the records anew with `keys=renumber`", fails("merge", "a", "old.rec", "all")
    )
    works("merge", "a", "old.rec", "all", "--renumber")


def test_other_numbers_of_labels(folder, fails, works):
    write_set("w", [[0, 1]], keys=[7], classes={"cat": 0})
    advice(
        "upkeep/edit/union.py",
        "fill up the shorter ones, for example with `pad_labels=0`",
        fails("merge", "a", "w", "all"),
    )
    works("merge", "a", "w", "all", "--pad-labels", 0)


def test_a_set_without_class_names(folder, fails, works):
    write_set("n", [0], keys=[7])
    Path("names.txt").write_text("owl\n")
    (unnamed,) = advice(
        "upkeep/edit/union.py",
        "name them with 'recordkit relabel {} NEW --classes FILE', and use NEW",
        fails("merge", "a", "n.rec", "all"),
    )
    works("relabel", unnamed, "NEW", "--classes", "names.txt")
    works("merge", "a", "NEW", "all")
    assert facts("all")[1:] == ([0, 1, 2], {"cat": 0, "dog": 1, "owl": 2})


def test_a_label_without_a_name_that_would_get_one(folder, fails, works):
    write_set("n", [0, 2], keys=[6, 7], classes={"cat": 0})
    Path("names.txt").write_text("cat\nbird\nemu\n")
    (unnamed,) = advice(
        "upkeep/edit/union.py",
        "name it with 'recordkit relabel {} NEW --classes FILE', and use NEW",
        fails("merge", "n.rec", "a", "b", "all"),
    )
    works("relabel", unnamed, "NEW", "--classes", "names.txt")
    works("merge", "NEW", "a", "b", "all")
    assert facts("all")[1] == [0, 2, 0, 3, 3, 4]


def test_a_class_of_records_with_several_labels(folder, fails, works):
    write_set("w", [[0, 1]], keys=[7], classes={"dog": 0})
    write_set("v", [[0, 1]], keys=[5], classes={"cat": 0, "dog": 1})
    advice(
        "upkeep/edit/union.py",
        "change its labels first, with a function in recordkit.upkeep.relabel",
        fails("merge", "v", "w", "all"),
    )
    relabel("w", "new", lambda labels: labels + np.float32([1, 0]), classes={"dog": 1})
    works("merge", "v", "new", "all")


def test_two_names_of_one_label(folder, fails, works):
    write_set("k", [0], keys=[7], classes={"cat": 0, "dog": 0})
    Path("names.txt").write_text("pet\n")
    advice(
        "upkeep/labels/class_maps.py",
        "give it other class names with `classes` of 'recordkit relabel'",
        fails("merge", "a", "k", "all"),
    )
    works("relabel", "k", "new", "--classes", "names.txt")
    works("merge", "a", "new", "all")


def test_one_file_twice(folder, fails, works):
    advice("upkeep/edit/inputs.py", "give it once", fails("merge", "a.rec", "a.rec", "all"))
    works("merge", "a.rec", "all")


def test_a_dataset_of_shards_that_grows(folder, fails, works):
    works("append", "a.rec", "b.rec", "--shard")
    write_set("c", [0], keys=[20], classes={"cat": 0})
    (manifest,) = advice("upkeep/edit/append.py", "append to {}", fails("append", "a.rec", "c.rec", "--shard"))
    advice(
        "upkeep/edit/append.py",
        "give `shard=True`, and the new records become the next shard",
        fails("append", manifest, "c.rec"),
    )
    works("append", manifest, "c.rec", "--shard")
    assert len(RecordDataset("a")) == 5


@pytest.mark.parametrize("options", [[], ["--shard"]])
def test_a_folder_of_images_that_is_appended(photos, fails, works, options):
    works("pack", "photos", "a", "--resize", 16, "--quality", 80)
    shutil.copytree("photos/dog", "later/dog")
    error = fails("append", "a.rec", "later", *options)
    advice(
        "upkeep/edit/append.py",
        "pack its images with 'recordkit pack {} NEW{}', and add them with 'recordkit append {} NEW.rec{}'",
        error,
    )
    for command in commands(error):
        works(*command)
    with RecordDataset("a") as dataset:
        assert sorted(dataset.labels.tolist()) == [0, 0, 1, 1, 1, 1]
        assert {min(decode(sample.payload).shape[:2]) for sample in dataset} == {16}


def test_a_shard_that_would_change_old_records(folder, fails, works):
    write_set("w", [[0, 1]], keys=[7], classes={"cat": 0})
    advice(
        "upkeep/edit/append.py",
        "'recordkit merge' writes all of them into a new set",
        fails("append", "a", "w", "--shard", "--pad-labels", 0),
    )
    works("merge", "a", "w", "all", "--pad-labels", 0)


def test_a_dataset_of_faces_that_grows(folder, fails, works):
    with MXIndexedRecordIO("f.idx", "f.rec", "w") as writer:
        writer.write_idx(0, pack(IRHeader(0, [3, 4], 0, 0), b""))
        for key in (1, 2):
            writer.write_idx(key, pack(IRHeader(0, 0.0, key, 0), b"jpeg"))
        writer.write_idx(3, pack(IRHeader(0, [1, 3], 3, 0), b""))
    write_set("u", [0], keys=[7])
    before = Path("f.rec").read_bytes()
    advice("upkeep/edit/append.py", "write the records into a shard with `shard=True`", fails("append", "f", "u"))
    works("append", "f", "u", "--shard")
    assert Path("f.rec").read_bytes() == before and len(RecordDataset("f")) == 3


@pytest.mark.parametrize("with_shard", [True, False])
def test_a_list_that_would_be_lost(folder, fails, works, with_shard):
    write_set("u", [0], keys=[7], classes={"cat": 0}, has_list=False)
    advice(
        "upkeep/edit/append.py", "write a new shard with `shard=True`, or move the list away", fails("append", "a", "u")
    )
    if not with_shard:
        shutil.move("a.lst", "moved.lst")
    works("append", "a", "u", *["--shard"] * with_shard)


def test_a_set_that_was_replaced_meanwhile(folder, monkeypatch):
    write_sets = append_module.write_sets

    def late(*arguments, **options):
        shutil.copy("a.rec", "copy.rec")
        Path("copy.rec").replace("a.rec")
        return write_sets(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(append_module, "write_sets", late)
        advice("upkeep/edit/old_files.py", "run this again", text_of(lambda: append("a", ["b"])))
    assert append("a", ["b"]).n_records == 4


def test_nothing_to_change(folder, works):
    error = text_of(lambda: relabel("a", "new"))
    advice("upkeep/edit/relabel.py", "give `labels` or `classes`", error)
    relabel("a", "new", {0: 7})
    relabel("a", "newer", classes=None)


def test_a_command_without_a_rule(folder, fails, works):
    advice(
        "cli/commands/relabel.py",
        "expected --list, --map, --rename, --classes, --no-classes or --exact-labels, got none",
        fails("relabel", "a", "new"),
    )
    works("relabel", "a", "new", "--no-classes")


def test_classes_and_no_classes(folder, fails, works):
    arguments = ["relabel", "a", "new", "--no-classes"]
    advice(
        "cli/commands/relabel.py",
        "--classes and --no-classes exclude each other",
        fails(*arguments, "--classes", "a.json"),
    )
    works(*arguments)


def test_a_map_of_words(folder, fails, works):
    old, new = advice("cli/commands/relabel.py", "--map {}={}", fails("relabel", "a", "new", "--map", "cat=7"))
    assert (old, new[0]) == ("cat", "7")
    works("relabel", "a", "new", "--map", "0=7")
    error = fails("relabel", "a", "newer", "--map", "cat=pet")
    advice("cli/commands/relabel.py", "{}: {}; --rename changes class names", error)
    works("relabel", "a", "newer", "--rename", "cat=pet")


def test_a_map_of_several_labels(folder, fails, works):
    write_set("w", [[0, 1]], keys=[7])
    advice(
        "upkeep/edit/relabel.py",
        "give a .lst file with all new labels as `labels`",
        fails("relabel", "w", "new", "--map", "0=7"),
    )
    Path("rows.lst").write_text("7\t7\t1\tx\n")
    works("relabel", "w", "new", "--list", "rows.lst")
    relabel("w", "newer", lambda labels: labels + 7)


def test_names_of_the_labels_of_a_list(folder, fails, works):
    for suffix in ("rec", "idx", "lst", "json", "crc"):
        Path(f"a.{suffix}").rename(f"the a.{suffix}")
    error = fails("relabel", "the a", "new", "--list", "the a.lst")
    (path, *_) = advice(
        "upkeep/edit/relabel.py",
        "keep them with `classes={}`, give a file with others, or drop them with `classes=None`",
        error,
    )
    assert "--classes " in error and "--no-classes" in error
    works("relabel", "the a", "new", "--list", "the a.lst", "--classes", *shlex.split(path))
    Path("others.txt").write_text("x\ny\n")
    works("relabel", "the a", "newer", "--list", "the a.lst", "--classes", "others.txt")
    works("relabel", "the a", "newest", "--list", "the a.lst", "--no-classes")


def test_two_classes_of_one_label(folder, fails, works):
    error = fails("relabel", "a", "new", "--map", "1=0")
    advice("upkeep/labels/rename.py", "name the new labels with `classes`{}", error)
    (rename,) = advice("upkeep/labels/rename.py", ", or give `labels={}` instead", error)
    assert rename == "dog=cat" and "--rename dog=cat" in error
    works("relabel", "a", "newer", "--rename", rename)
    Path("names.txt").write_text("pet\n")
    works("relabel", "a", "new", "--map", "1=0", "--classes", "names.txt")
    error = text_of(lambda: relabel("a", "newest", {1: 0}))
    assert error.endswith("name the new labels with classes, or give labels={'dog': 'cat'} instead")
    relabel("a", "newest", {"dog": "cat"})


def test_a_list_for_repeated_keys(folder, fails, works):
    write_set("t", [1, 2], keys=[5, 5])
    Path("rows.lst").write_text("0\t7\tx\n1\t8\tx\n5\t9\tx\n")
    error = fails("relabel", "t", "new", "--list", "rows.lst")
    advice(
        "upkeep/selection/keys.py",
        "number the records anew with 'recordkit merge {} NEW --renumber', and use NEW",
        error,
    )
    (command,) = commands(error)
    works(*command)
    works("relabel", "NEW", "new", "--list", "rows.lst")


def test_a_label_that_float32_would_change(folder, fails, works):
    advice(
        "upkeep/labels/values.py",
        "'recordkit relabel --exact-labels' keeps such labels",
        fails("relabel", "a", "new", "--map", "0=20000001"),
    )
    works("relabel", "a", "new", "--map", "0=20000001", "--exact-labels")
    assert np.load("new.labels.npy").tolist() == [20000001, 1]


def test_a_name_that_is_taken(folder, fails, works):
    error = fails("merge", "a", "b", "old")
    advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
    works("merge", "a", "b", "other")
    works("merge", "a", "b", "old", re.search(r"--overwrite", error)[0])
    advice("storage/refusals.py", "choose another name", fails("merge", "a", "b", "a", "--overwrite"))


def test_a_prefix_with_the_suffix_of_a_file(folder, fails, works):
    for name in ("all.rec", "all.manifest.json"):
        advice("storage/names.py", "leave out its suffix", fails("merge", "a", "b", name))
    works("merge", "a", "b", "all")


def test_a_pack_in_the_place_of_an_edit(folder, photos, fails, works):
    for command in ("pack", "import"):
        error = fails(command, photos, "a")
        advice("storage/refusals.py", "choose another name, or replace it with `overwrite=True`", error)
        works(command, photos, f"new-{command}")
    works("pack", photos, "a", re.search(r"--overwrite", error)[0])


def test_a_class_name_that_is_misspelled(folder, fails, works):
    error = fails("relabel", "a", "new", "--rename", "kat=pet")
    (name,) = advice("upkeep/labels/rename.py", "did you mean {}?", error)
    assert "--rename: expected a class name" in error
    works("relabel", "a", "new", "--rename", f"{name}=pet")
