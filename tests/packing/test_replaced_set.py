"""The files that a pack removes: those of the set it replaces, and nothing that a planted description names."""

import json
import os

import pytest
from storage.users import as_nobody, needs_root

from recordkit import PackPlan, pack
from recordkit.errors import PublishError
from recordkit.packing.replaced_set import find_obsolete_files
from recordkit.storage.fileset import fingerprint
from recordkit.upkeep import Ratios, Shards, split


def plant(path, *names, prefix="train"):
    """Write a description that lists files, with the size and SHA-256 of the first one."""
    record = path.with_name(names[0])
    facts = {"bytes": record.stat().st_size, "sha256": fingerprint(record)}
    path.write_text(json.dumps({"format": 1, "set": prefix, "files": [*names, path.name], "rec": facts, "lst": facts}))


@pytest.mark.parametrize(
    ("json_name", "names"),
    [
        ("train_x.json", ["training-notes.docx"]),
        ("train_x.json", ["train_x.rec", "training-notes.docx"]),
        ("train_x.json", ["train_x.rec", "train_notes.docx"]),
        ("train_x.json", ["train_x.rec", "train_y.rec"]),
        ("train_x.json", ["train.rec"]),
        ("trainx.json", ["trainx.rec"]),
        ("train_x.classes.json", ["train_x.rec"]),
    ],
)
def test_a_planted_description_removes_nothing(tiny_folder, tmp_path, json_name, names):
    for name in names:
        (tmp_path / name).write_text("precious")
    plant(tmp_path / json_name, *names)
    assert find_obsolete_files(tmp_path / "train", []) == []
    (tmp_path / "train.rec").unlink(missing_ok=True)
    report = pack(tiny_folder, tmp_path / "train")
    assert not report.warnings and (tmp_path / json_name).exists()
    assert all((tmp_path / name).read_text() == "precious" for name in names if name != "train.rec")


@pytest.mark.parametrize("name", ["../precious.rec", "/precious.rec", ".", ""])
def test_a_planted_path_removes_nothing(tmp_path, name):
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "precious.rec").touch()
    (folder / "train_x.rec").touch()
    plant(folder / "train_x.json", "train_x.rec", name)
    assert find_obsolete_files(folder / "train", []) == []


def test_the_split_of_the_replaced_set_is_removed(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "train", plan=PackPlan(val_ratio=0.25))
    (tmp_path / "train_val.docx").touch()
    pack(tiny_folder, tmp_path / "train")
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        *("train.rec", "train.idx", "train.lst", "train.crc", "train.json", "train_val.docx")
    }


@needs_root
def test_a_description_of_another_user_in_a_sticky_folder_is_not_believed(tiny_folder, shared_folder):
    for name in ("train_x.rec", "train.labels.npy"):
        (shared_folder / name).write_text("precious")
    with as_nobody():
        plant(shared_folder / "train_x.json", "train_x.rec")
    assert find_obsolete_files(shared_folder / "train", []) == []
    with as_nobody():
        (shared_folder / "train.rec").touch()
        plant(shared_folder / "train.json", "train.rec", "train.labels.npy")
    with pytest.raises(PublishError, match=r"train\.labels\.npy: expected no file, or one as an earlier pack wrote it"):
        pack(tiny_folder, shared_folder / "train")
    os.chown(shared_folder / "train_x.json", 0, 0)
    assert [path.name for path in find_obsolete_files(shared_folder / "train", [])] == ["train_x.rec", "train_x.json"]


def test_a_set_of_another_prefix_that_was_killed_while_it_was_moved_is_replaced(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a_b", plan=PackPlan(seed=1))
    old_list = (tmp_path / "a_b.lst").read_bytes()
    pack(tiny_folder, tmp_path / "a_b", plan=PackPlan(seed=2))
    folder = tmp_path / ".a.staging"
    folder.mkdir(0o755)
    names = ["a_b.rec", "a_b.idx", "a_b.lst", "a_b.crc", "a_b.json"]
    for name in names:
        (tmp_path / name).rename(folder / name)
    (folder / "commit").write_text(json.dumps({"publish": names, "remove": []}))
    (tmp_path / "a_b.lst").write_bytes(old_list)
    assert pack(tiny_folder, tmp_path / "a_b").ok


def test_a_set_that_was_edited_is_not_replaced(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "all")
    split(tmp_path / "all", tmp_path / "train", Ratios({"a": 0.5, "b": 0.5}))
    split(tmp_path / "all", tmp_path / "shards", Shards(count=2))
    before = {path: path.read_bytes() for path in tmp_path.glob("*_*.*")}
    for prefix in ("train_a", "shards", "shards_0"):
        with pytest.raises(PublishError, match="got one that split wrote, which no pack can repeat"):
            pack(tiny_folder, tmp_path / prefix)
    with pytest.raises(PublishError, match="which no pack can repeat"):
        pack(tiny_folder, tmp_path / "shards", plan=PackPlan(shards=3))
    pack(tiny_folder, tmp_path / "train")
    assert {path: path.read_bytes() for path in before} == before
