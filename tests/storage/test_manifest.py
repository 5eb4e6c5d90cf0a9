"""Manifests: what is written is read, and a manifest of anybody cannot lead out of its folder or past a limit."""

from __future__ import annotations

import dataclasses
import json

import pytest

from recordkit.errors import FormatError
from recordkit.formats import json_file
from recordkit.storage import manifest as manifests
from recordkit.storage.commit import can_be_staged
from recordkit.storage.fileset import Fileset
from recordkit.storage.manifest import Manifest, Shard
from recordkit.storage.names import stem

SHARDS = (
    Shard("pets_0.rec", 96, "0" * 64, 2, n_failed=1, keys=(0, 7), id="a" * 32),
    Shard("pets_1.rec", 0, "f" * 64, 0),
)
MANIFEST = Manifest("pets", "pets", SHARDS, classes={"cat": 0}, label_width=(1, 2), plan={"shards": 2})


def changed(**changes):
    """Return the content of a manifest with other values; a change of ``shard`` is one of the first shard."""
    value = json.loads(manifests.pack(MANIFEST))
    value["shards"][0].update(changes.pop("shard", {}))
    value.update(changes)
    return json.dumps(value).encode()


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    path = tmp_path / MANIFEST.file_name
    path.write_bytes(manifests.pack(MANIFEST))
    manifest = manifests.read(path)
    assert (manifest.shards, manifest.classes, manifest.plan) == (SHARDS, {"cat": 0}, {"shards": 2})
    assert (manifest.label_width, manifest.n_records, manifest.n_failed, manifest.n_bytes) == ((1, 2), 2, 1, 96)
    assert manifest.id == manifest.expected_id


def test_equal_shards_have_equal_ids_under_other_names():
    renamed = Manifest(
        "dogs",
        "dogs",
        tuple(dataclasses.replace(shard, name=f"{n}.rec") for n, shard in enumerate(SHARDS)),
        classes={"cat": 0},
        label_width=(1, 2),
        plan={"shards": 2},
    )
    assert renamed.expected_id == MANIFEST.expected_id
    assert Manifest("pets", "pets", SHARDS[::-1]).expected_id != Manifest("pets", "pets", SHARDS).expected_id


@pytest.mark.parametrize(
    "name", ["../pets_0.rec", "/etc/passwd.rec", "a/b.rec", "a\\b.rec", "..", "", "a.txt", "a\0.rec"]
)
def test_a_shard_outside_the_folder_is_refused(name):
    with pytest.raises(FormatError, match="shard 0: rec: expected the name of a .rec file in this folder"):
        manifests.unpack(changed(shard={"rec": name}), "pets.manifest.json")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"shard": {"records": 13}}, "shard 0: records: expected 0 to 12, got 13"),
        ({"shard": {"records": 1.0}}, "shard 0: records: expected a JSON int, got 1.0"),
        ({"shard": {"records": True}}, "shard 0: records: expected a JSON int, got True"),
        ({"shard": {"bytes": 2**63}}, "shard 0: bytes: expected 0 to"),
        ({"shard": {"bytes": -1}}, "shard 0: bytes: expected 0 to"),
        ({"shard": {"keys": [7, 0]}}, "shard 0: keys: expected two numbers in order"),
        ({"shard": {"keys": None}}, "shard 0: keys: expected the smallest and the largest key of 2 records"),
        ({"shard": {"sha256": "x"}}, "shard 0: sha256: expected 64 hexadecimal digits"),
        ({"shard": {"rec": "pets_1.rec"}}, "shards: expected each file once"),
        ({"shards": []}, "shards: expected one shard or more, got none"),
        ({"shards": [3]}, "expected shard 0: a JSON object, got a JSON int"),
        ({"shards": {}}, "shards: expected a JSON list"),
        ({"records": 3}, "records: expected 2, the sum of the shards, got 3"),
        ({"classes": {"cat": "0"}}, "classes: expected names and whole numbers"),
        ({"label_width": [1]}, "label_width: expected two numbers"),
        ({"format": 2}, "expected format 1, got 2; a newer recordkit wrote it"),
    ],
)
def test_a_wrong_value_is_named(changes, text):
    with pytest.raises(FormatError) as error:
        manifests.unpack(changed(**changes), "pets.manifest.json")
    assert text in str(error.value)
    assert error.value.path == "pets.manifest.json"


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 1}', b"\xff\xfe", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_manifest_is_an_error(content, tmp_path):
    (tmp_path / "a.manifest.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.manifest\.json"):
        manifests.read(tmp_path / "a.manifest.json")


def test_a_larger_file_is_not_read(tmp_path):
    path = tmp_path / "a.manifest.json"
    with path.open("wb") as file:
        file.truncate(json_file.MAX_BYTES + 1)
    with pytest.raises(FormatError, match=f"of at most {json_file.MAX_BYTES} bytes"):
        manifests.read(path)


def test_a_manifest_that_readers_would_refuse_is_not_written():
    with pytest.raises(FormatError, match="each file once"):
        manifests.pack(Manifest("a", "a", (SHARDS[0], SHARDS[0])))


def test_a_manifest_is_a_file_of_its_prefix():
    assert can_be_staged("pets", "pets.manifest.json")
    assert can_be_staged("pets", "pets_train.manifest.json")
    assert stem("pets_train.manifest.json") == "pets_train"
    assert Fileset("out/pets.manifest.json").prefix.name == "pets"
