"""A pack into shards writes a manifest with them, and replaces the set before it whatever its form was."""

import json

import numpy as np
import pytest

from recordkit import PackPlan, RecordDataset, pack
from recordkit.codec import encode
from recordkit.errors import PublishError
from recordkit.sources import ListSource
from recordkit.storage import manifest as manifests
from recordkit.storage.fileset import Fileset, fingerprint

N = 10


@pytest.fixture
def source(tmp_path):
    (tmp_path / "images").mkdir()
    rows = ""
    for key in range(N):
        image = encode(np.full((2, 2, 1), key, np.uint8), "raw")
        (tmp_path / "images" / f"{key}.pgm").write_bytes(image)
        rows += f"{10 + key}\t{key % 3}\t{key}.pgm\n"
    (tmp_path / "images.lst").write_text(rows)
    return ListSource(tmp_path / "images.lst", tmp_path / "images")


def pack_shards(source, prefix, n, **options):
    return pack(source, prefix, plan=PackPlan(shards=n, shuffle=False, threads=1, **options))


def names(folder, pattern="a*"):
    return sorted(path.name for path in folder.glob(pattern))


def test_the_manifest_says_what_the_shards_are(source, tmp_path):
    report = pack_shards(source, tmp_path / "a", 3)
    assert report.manifests == (tmp_path / "a.manifest.json",)
    assert report.as_json()["manifests"] == [str(tmp_path / "a.manifest.json")]
    manifest = manifests.read(report.manifests[0])
    assert [(shard.name, shard.n_records, shard.keys) for shard in manifest.shards] == [
        ("a_0.rec", 4, (10, 13)),
        ("a_1.rec", 4, (14, 17)),
        ("a_2.rec", 2, (18, 19)),
    ]
    assert (manifest.name, manifest.set, manifest.label_width, manifest.plan["shards"]) == ("a", "a", (1, 1), 3)
    for shard in manifest.shards:
        path = tmp_path / shard.name
        assert (shard.n_bytes, shard.sha256, shard.id) == (path.stat().st_size, fingerprint(path), Fileset(path).id())
    assert manifest.id == manifest.expected_id


def test_each_split_has_a_manifest(source, tmp_path):
    report = pack_shards(source, tmp_path / "a", 2, val_ratio=0.4)
    assert [path.name for path in report.manifests] == ["a_val.manifest.json", "a_train.manifest.json"]
    manifest = manifests.read(tmp_path / "a_train.manifest.json")
    assert [shard.name for shard in manifest.shards] == ["a_0_train.rec", "a_1_train.rec"]
    assert (manifest.name, manifest.set) == ("a_train", "a")
    with RecordDataset(tmp_path / "a_train") as train, RecordDataset(tmp_path / "a_val") as val:
        assert sorted([*train.keys.tolist(), *val.keys.tolist()]) == list(range(10, 10 + N))


def test_a_bad_sample_is_counted_and_a_shard_without_records_has_no_keys(source, tmp_path):
    for key in (0, 1, 2, 3, 4, 9):
        (tmp_path / "images" / f"{key}.pgm").unlink()
    pack_shards(source, tmp_path / "a", 2)
    manifest = manifests.read(tmp_path / "a.manifest.json")
    assert [(shard.n_records, shard.n_failed, shard.keys) for shard in manifest.shards] == [
        (0, 5, None),
        (4, 1, (15, 18)),
    ]
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.keys.tolist() == [15, 16, 17, 18]


def test_a_pack_in_another_form_leaves_no_manifest_or_shard_behind(source, tmp_path):
    pack_shards(source, tmp_path / "a", 3)
    report = pack_shards(source, tmp_path / "a", 2)
    assert names(tmp_path, "*.rec") == ["a_0.rec", "a_1.rec"]
    assert "a_2.rec" in report.warnings[0]
    report = pack_shards(source, tmp_path / "a", 1)
    assert report.manifests == ()
    assert names(tmp_path) == ["a.crc", "a.idx", "a.json", "a.lst", "a.rec"]
    pack_shards(source, tmp_path / "a", 2)
    assert names(tmp_path, "a.*") == ["a.manifest.json"]
    report = pack_shards(source, tmp_path / "a", 2, val_ratio=0.4)
    assert names(tmp_path, "*.manifest.json") == ["a_train.manifest.json", "a_val.manifest.json"]
    assert "a.manifest.json" in report.warnings[0]


@pytest.mark.parametrize("n", [1, 2])
def test_a_file_that_is_no_manifest_of_a_pack_is_not_overwritten(n, source, tmp_path):
    (tmp_path / "a.manifest.json").write_text('{"name": "of another program"}')
    with pytest.raises(PublishError, match="expected no file, or one as an earlier pack wrote it, got another file"):
        pack_shards(source, tmp_path / "a", n)
    assert names(tmp_path) == ["a.manifest.json"]


def test_a_copy_of_a_manifest_belongs_to_the_user(source, tmp_path):
    pack_shards(source, tmp_path / "a", 2)
    (tmp_path / "a_old.manifest.json").write_bytes((tmp_path / "a.manifest.json").read_bytes())
    pack_shards(source, tmp_path / "a", 1)
    assert names(tmp_path, "*.manifest.json") == ["a_old.manifest.json"]


def test_the_classes_are_in_the_manifest(tmp_path, source):
    for name in ("cat", "dog"):
        (tmp_path / "tree" / name).mkdir(parents=True)
        for key in range(2):
            (tmp_path / "tree" / name / f"{key}.pgm").write_bytes(encode(np.zeros((2, 2, 1), np.uint8), "raw"))
    pack(tmp_path / "tree", tmp_path / "a", plan=PackPlan(shards=2, pass_through=True))
    assert json.loads((tmp_path / "a.manifest.json").read_text())["classes"] == {"cat": 0, "dog": 1}
    with RecordDataset(tmp_path / "a") as dataset:
        assert dataset.classes == {"cat": 0, "dog": 1}
