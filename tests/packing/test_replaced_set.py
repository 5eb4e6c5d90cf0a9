"""The files that a pack removes: those of the set it replaces, and nothing that a planted description names."""

import json
import os

import pytest
from storage.users import as_nobody, needs_root

import recordkit
from recordkit import PackPlan, pack
from recordkit.errors import PlanError, PublishError
from recordkit.packing import preview_pack
from recordkit.packing.replaced_set import find_obsolete_files
from recordkit.sources import ListSource
from recordkit.sources.records import RecordSource
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
    with pytest.raises(PublishError, match=r"train\.rec: expected no file, .* got records without a description"):
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


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_an_insightface_set_is_replaced_only_on_request(tiny_folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    for name in ("train.rec", "train.idx", "property"):
        (out / name).write_text("2,112,112")
    before = contents(out)
    for refuse in (pack, preview_pack):
        with pytest.raises(PublishError, match=r"train\.rec: .* got the records of an InsightFace set; choose another"):
            refuse(tiny_folder, out / "train")
    assert contents(out) == before
    pack(tiny_folder, out / "train", overwrite=True)
    assert len(recordkit.RecordDataset(out / "train")) == 12 and (out / "property").exists()


@pytest.mark.parametrize("name", ["a_val.rec", "a_1_train.rec", "a_train.manifest.json"])
def test_the_files_of_every_split_and_shard_are_safe(tiny_folder, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("precious")
    plan = PackPlan(val_ratio=0.5, shards=1 if name == "a_val.rec" else 2)
    with pytest.raises(PublishError, match=f"{name}: expected no file"):
        pack(tiny_folder, out / "a", plan=plan)
    assert contents(out) == {name: b"precious"}
    pack(tiny_folder, out / "a", plan=plan, overwrite=True)
    assert contents(out)[name] != b"precious"


def test_records_that_changed_after_their_pack_are_not_replaced(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a")
    with open(tmp_path / "a.rec", "ab") as file:
        file.write(bytes(8))
    with pytest.raises(
        PublishError, match=r"a\.rec: .*, got records that were changed after their pack; choose another"
    ):
        pack(tiny_folder, tmp_path / "a")
    assert pack(tiny_folder, tmp_path / "a", overwrite=True).ok


def test_overwrite_replaces_a_set_of_an_edit_and_an_edited_list(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "all")
    split(tmp_path / "all", tmp_path / "train", Ratios({"a": 0.5, "b": 0.5}))
    (tmp_path / "all.lst").write_text("mine")
    for prefix in ("train_a", "all"):
        with pytest.raises(PublishError, match="replace it with overwrite=True"):
            pack(tiny_folder, tmp_path / prefix)
        assert pack(tiny_folder, tmp_path / prefix, overwrite=True).n_packed == 12
    assert (tmp_path / "all.lst").read_text() != "mine" and (tmp_path / "train_b.rec").exists()


def test_an_input_is_never_replaced(tiny_folder, tmp_path):
    pack(tiny_folder, tmp_path / "a", plan=PackPlan(shards=2))
    rows = tmp_path / "b.lst"
    rows.write_text("0\t1\tcat/0.jpg\n")
    before = contents(tmp_path)
    with recordkit.RecordDataset(tmp_path / "a.manifest.json") as dataset:
        for prefix in ("a_0", "a_1"):
            with pytest.raises(
                PlanError, match=f"{prefix}.rec: expected another output, got a file that is being packed"
            ):
                pack(RecordSource(dataset), tmp_path / prefix, overwrite=True)
        assert contents(tmp_path) == before
        pack(RecordSource(dataset), tmp_path / "a", overwrite=True)  # the shards stay, although they are those of "a"
    assert before.items() <= contents(tmp_path).items() | {("a.manifest.json", before["a.manifest.json"])}
    pack(ListSource(rows, tiny_folder), tmp_path / "b", overwrite=True)
    assert rows.read_bytes() == before["b.lst"]


def test_a_preview_names_what_is_written_replaced_and_removed(tiny_folder, tmp_path):
    out = tmp_path / "new" / "out"
    preview = preview_pack(tiny_folder, out / "a", plan=PackPlan(exact_labels=True, checksums=False))
    assert not out.parent.exists() and not preview.replaced and not preview.removed
    assert [path.name for path in preview.sets[0].files] == ["a.rec", "a.idx", "a.lst", "a.labels.npy", "a.json"]
    pack(tiny_folder, out / "a", plan=PackPlan(val_ratio=0.25))
    (out / "a.idx").write_text("mine")
    with pytest.raises(PublishError, match=r"a\.idx: expected no file"):
        preview_pack(tiny_folder, out / "a")
    before = contents(out)
    plan = PackPlan(shards=2)
    for overwrite, prefix in ((True, "a"), (False, "a")):
        preview = preview_pack(tiny_folder, out / prefix, plan=plan, overwrite=overwrite)
        assert contents(out) == before
    assert [(each.prefix.name, each.n_images) for each in preview.sets] == [("a_0", 6), ("a_1", 6)]
    pack(tiny_folder, out / "a", plan=plan)
    planned = {path.name for each in preview.sets for path in each.files} | {path.name for path in preview.manifests}
    removed = {path.name for path in preview.removed}
    assert contents(out).keys() == (before.keys() | planned) - removed
    assert removed == {f"a_{split}.{end}" for split in ("train", "val") for end in ("rec", "idx", "lst", "crc", "json")}
    assert {path.name for path in preview_pack(tiny_folder, out / "a", plan=plan).replaced} == planned
