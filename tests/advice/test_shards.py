"""Following the advices about manifests, shards and folders of .rec files."""

import json
import shutil
from pathlib import Path

import pytest
from advice.walk import advice, commands, text_of

import recordkit as rk
from recordkit.bench.subset import single_file
from recordkit.bench.workload import resolve_workload
from recordkit.formats import json_file
from recordkit.storage import open_files
from recordkit.storage.manifest import Manifest, Shard
from recordkit.storage.manifest import pack as pack_manifest
from recordkit.upkeep.edit.inputs import Inputs

PLAN = rk.PackPlan(shards=2, threads=1)


@pytest.fixture
def shards(photos):
    Path("out").mkdir()
    rk.pack("photos", "out/a", plan=PLAN)
    return "out/a.manifest.json"


def n_samples(path):
    with rk.RecordDataset(path) as dataset:
        return len(dataset)


def test_a_shard_of_another_pack(shards):
    Path("copy").mkdir()
    for path in Path("out").iterdir():
        shutil.copy(path, "copy")
    Path("photos/cat/0.jpg").unlink()
    rk.pack("photos", "out/a", plan=PLAN)
    for suffix in (".rec", ".idx", ".json"):
        shutil.copy(f"out/a_0{suffix}", "copy")
    (name,) = advice(
        "storage/fileset.py",
        "copy all files that {} names together with it, or pack again",
        text_of(lambda: n_samples("copy/a")),
    )
    for shard in json.loads(Path("out", name).read_text())["shards"]:
        for path in Path("out").glob(f"{Path(shard['rec']).stem}.*"):
            shutil.copy(path, "copy")
    shutil.copy(f"out/{name}", "copy")
    assert n_samples("copy/a") == 3


def test_a_damaged_manifest(shards):
    Path(shards).write_text("{")
    advice(
        "storage/manifest.py",
        "remove it and open the shards as a list, or write them again",
        text_of(lambda: n_samples("out/a")),
    )
    Path(shards).unlink()
    assert n_samples(["out/a_0.rec", "out/a_1.rec"]) == 4
    rk.pack("photos", "out/a", plan=PLAN)
    assert n_samples("out/a") == 4


def test_a_manifest_that_would_be_too_large(monkeypatch):
    shards = [Shard(f"a_{number}.rec", 0, "0" * 64, 0) for number in range(9)]
    monkeypatch.setattr(json_file, "MAX_BYTES", 1500)
    advice(
        "storage/manifest.py", "make fewer shards", text_of(lambda: pack_manifest(Manifest("a", "a", tuple(shards))))
    )
    assert pack_manifest(Manifest("a", "a", tuple(shards[:2])))


def test_a_folder_of_two_datasets(photos, fails, works):
    Path("out").mkdir()
    rk.pack("photos", "out/train")
    rk.pack("photos", "out/val")
    advice("storage/search.py", "name one of them, or list their files", fails("info", "out"))
    works("info", "out/train.rec")
    assert n_samples(["out/train.rec", "out/val.rec"]) == 8


def test_a_folder_of_images_in_the_place_of_a_dataset(photos, fails, works):
    error = fails("stats", "photos")
    advice("storage/search.py", "if it has images, 'recordkit pack {} PREFIX' packs them", error)
    (words,) = commands(error)
    works(*words)
    works("stats", "PREFIX.rec")


def test_a_gap_in_the_numbers_of_shards(shards):
    Path(shards).unlink()
    Path("out/a_0.rec").rename("out/a_7.rec")
    advice("storage/search.py", "list the files to open them as they are", text_of(lambda: n_samples("out")))
    for suffix in (".idx", ".lst", ".crc", ".json"):
        Path(f"out/a_0{suffix}").rename(f"out/a_7{suffix}")
    assert n_samples(["out/a_1.rec", "out/a_7.rec"]) == 4


def test_a_training_on_shards(shards, works):
    from recordkit.training.data.survey import survey

    text = text_of(lambda: survey(shards, iterator="recordkit"))
    advice("training/data/survey.py", "run 'recordkit merge {} PREFIX', then give PREFIX.rec", text)
    (words,) = commands(text)
    works(*[word.replace("PREFIX", "whole") for word in words])
    assert len(survey("whole.rec", iterator="recordkit")) == 4


def test_a_measurement_of_shards(shards, works, tmp_path):
    text = text_of(lambda: resolve_workload(shards))
    advice(
        "bench/workload.py", "'recordkit bench' copies them into one, and recordkit.bench.subset.single_file does", text
    )
    works("bench", shards, "--peers", "python", "--shape", "3,16,16", "--batch-size", 2, "--rounds", 1, "--seconds", 0)
    assert n_samples(resolve_workload(single_file(shards, None, tmp_path)).path(".rec")) == 4


def test_a_damaged_shard(shards, fails, works):
    manifest = advice(
        "upkeep/edit/repair.py",
        "repair each shard that 'recordkit verify {}' names, and merge them and the others",
        fails("repair", shards, "new"),
    )[0]
    with open("out/a_1.rec", "r+b") as file:
        file.write(b"????")
    assert "a_1.rec: byte 0:" in fails("verify", manifest)
    works("repair", "out/a_1.rec", "whole")
    works("merge", "out/a_0.rec", "whole.rec", "b")
    assert n_samples("b") == 3


def test_shards_that_are_missing(shards):
    Path("copy").mkdir()
    shutil.copy(shards, "copy")
    name = advice(
        "storage/snapshot.py",
        "copy all files that {} names together with it, or pack again",
        text_of(lambda: n_samples("copy/a")),
    )[0]
    for shard in json.loads(Path("out", name).read_text())["shards"]:
        for path in Path("out").glob(f"{Path(shard['rec']).stem}.*"):
            shutil.copy(path, "copy")
    assert n_samples("copy/a") == 4


def test_more_shards_than_files_may_be_open(shards, works, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(open_files, "_fits", lambda _n, _limit: False)
        advice(
            "open_files.py",
            "let root raise that of this shell with 'prlimit --pid $$ --nofile={}', or merge some files after the "
            "others with 'recordkit merge'",
            text_of(lambda: n_samples(shards)),
        )
    works("merge", shards, "whole")
    assert n_samples("whole") == 4


def test_an_input_that_was_replaced(shards, works):
    with Inputs([shards]) as inputs:
        Path("photos/cat/0.jpg").unlink()
        rk.pack("photos", "out/a", plan=PLAN)
        advice("upkeep/edit/inputs.py", "run this again, it was replaced meanwhile", text_of(inputs.check_files))
    works("merge", shards, "whole")
    assert n_samples("whole") == 3
