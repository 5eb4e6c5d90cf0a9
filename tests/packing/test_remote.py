"""Packs to a URL: the files of a pack on this machine, published in a real S3 server."""

import errno
import json
import sys

import pytest
from fault_proxy import Fault

import recordkit
from recordkit.errors import NotFoundError, PlanError, PublishError, RemoteError
from recordkit.storage.remote import settings
from recordkit.storage.remote.settings import RemoteSettings


def scratch(tmp_path):
    return list((tmp_path / "cache").rglob("*.rec")) + list((tmp_path / "cache" / "scratch").glob("*"))


def test_a_pack_to_a_url_has_the_bytes_of_a_pack_to_a_folder(object_store, tiny_folder, tmp_path):
    plan = recordkit.PackPlan(shards=2)
    (tmp_path / "out").mkdir()
    recordkit.pack(tiny_folder, tmp_path / "out" / "photos", plan=plan)
    report = recordkit.pack(tiny_folder, f"{object_store.url}/sets/photos", plan=plan)
    assert [str(done.prefix) for done in report.sets] == [f"{object_store.url}/sets/photos_{n}" for n in (0, 1)]
    assert [str(path) for path in report.manifests] == [f"{object_store.url}/sets/photos.manifest.json"]
    assert json.loads(json.dumps(report.as_json()))["sets"][0]["prefix"] == f"{object_store.url}/sets/photos_0"
    local = {f"sets/{path.name}": path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert {key: object_store.get(key) for key in object_store.list_keys()} == local
    assert scratch(tmp_path) == []


def test_the_command_packs_to_a_url_once(object_store, tiny_folder, cli, tmp_path):
    prefix = f"{object_store.url}/photos"
    code, out, err = cli("pack", tiny_folder, prefix)
    assert (code, err) == (0, "")
    assert f"{prefix}.rec: 12 listed, 12 packed" in out
    keys = object_store.list_keys()
    assert cli("pack", tiny_folder, prefix)[0] == 0
    code, _, err = cli("pack", tiny_folder, prefix, "--resize", "16")
    assert code == 1
    assert "expected no object, or one of the same content, got other content" in err and "choose another prefix" in err
    assert object_store.list_keys() == keys == [f"photos{end}" for end in (".crc", ".idx", ".json", ".lst", ".rec")]
    assert scratch(tmp_path) == []


def test_a_wrong_bucket_is_an_error_before_an_image_is_read(object_store, tiny_folder, cli, monkeypatch):
    code, _, err = cli("pack", tiny_folder, "s3://no-such-bucket/photos")
    assert code == 1
    assert "s3://no-such-bucket: expected the list of a folder, got no such bucket; check the URL" in err
    monkeypatch.setattr(sys.modules["recordkit.packing.pack"], "open_sources", None)
    with pytest.raises(NotFoundError, match="no such bucket"):
        recordkit.pack(tiny_folder, "s3://no-such-bucket/photos")


def test_a_wrong_key_and_a_missing_one_are_told_with_what_to_set(object_store, tiny_folder, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    with pytest.raises(RemoteError, match=r"got HTTP 403 SignatureDoesNotMatch; check that the AWS credentials"):
        recordkit.pack(tiny_folder, f"{object_store.url}/photos")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setattr(settings, "_current", RemoteSettings(timeout_s=5, total_s=5))
    with pytest.raises(RemoteError, match=r"got no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"):
        recordkit.pack(tiny_folder, f"{object_store.url}/photos")


def test_a_full_scratch_disk_is_told_and_nothing_is_published(object_store, tiny_folder, tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sys.modules["recordkit.packing.pack"], "pack_set", fail)
    with pytest.raises(PublishError, match=r"scratch: expected room for the whole output, got No space left on device"):
        recordkit.pack(tiny_folder, f"{object_store.url}/photos")
    assert object_store.list_keys() == []
    assert scratch(tmp_path) == []


def test_ctrl_c_leaves_no_scratch_and_no_manifest(faulty_store, tiny_folder, tmp_path):
    def interrupt():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recordkit.pack(tiny_folder, f"{faulty_store.url}/photos", progress=lambda n: interrupt())
    assert scratch(tmp_path) == [] and faulty_store.list_keys() == []


def test_faults_in_the_middle_of_an_upload_are_not_seen(faulty_store, tiny_folder, tmp_path):
    faulty_store.proxy.applies = lambda method, path: method == "PUT"
    faulty_store.proxy.script.extend([Fault("upload", 10), Fault("lost"), Fault("status"), None, Fault("reset", 0)])
    recordkit.pack(tiny_folder, f"{faulty_store.url}/photos")
    assert faulty_store.list_keys() == [f"photos{end}" for end in (".crc", ".idx", ".json", ".lst", ".rec")]
    assert not faulty_store.proxy.script


def test_a_record_name_and_files_to_keep_are_for_folders(tiny_folder):
    with pytest.raises(PlanError, match="s3://b/photos: expected a folder of this machine, got a URL"):
        recordkit.pack(tiny_folder, "s3://b/photos", record_name="photos")


def test_a_bucket_alone_is_no_destination(tiny_folder, cli, tmp_path):
    for words in (("pack", tiny_folder, "s3://bucket"), ("export", tiny_folder, "s3://bucket")):
        code, _, error = cli(*words)
        assert code == 1
        assert error.endswith(
            "s3://bucket: expected a name in the bucket, got the bucket alone; add a name, as in s3://bucket/train\n"
        )
