"""Packs to a URL: the files of a pack on this machine, published in a real S3 server."""

import errno
import json
import shutil
import subprocess
import sys

import pytest
from fault_proxy import Fault

import recordkit
from recordkit.errors import NotFoundError, PlanError, PublishError, RemoteError
from recordkit.packing import PackPlan, preview_pack
from recordkit.packing.pack import pack_as_im2rec
from recordkit.packing.planned_sets import Im2recFiles
from recordkit.storage.remote import settings
from recordkit.storage.remote.scratch import scratch_folder
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
    assert "expected no set, or one of the same pack, got one of another resize; choose another prefix" in err
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
        pack_as_im2rec(tiny_folder, "s3://b/photos", Im2recFiles("photos"))


def test_nothing_in_a_store_is_overwritten_on_request(tiny_folder, cli):
    for words in (("--overwrite",), ("--overwrite", "--dry-run")):
        code, _, error = cli("pack", tiny_folder, "s3://b/photos", *words)
        assert (code, error) == (2, "recordkit: --overwrite: nothing is replaced in an object store\n")


def test_a_preview_names_the_objects_and_uploads_nothing(faulty_store, tiny_folder):
    preview = preview_pack(tiny_folder, f"{faulty_store.url}/photos", plan=PackPlan(shards=2))
    names = [f"photos_{number}{end}" for number in (0, 1) for end in (".rec", ".idx", ".lst", ".crc", ".json")]
    files = [str(path) for each in preview.sets for path in each.files]
    assert files == [f"{faulty_store.url}/{name}" for name in names] and faulty_store.list_keys() == []
    recordkit.pack(tiny_folder, f"{faulty_store.url}/photos", plan=PackPlan(shards=2))
    with pytest.raises(PublishError, match="one of the same pack"):
        preview_pack(tiny_folder, f"{faulty_store.url}/photos", plan=PackPlan(shards=2, resize=8))


def test_a_bucket_alone_is_no_destination(tiny_folder, cli, tmp_path):
    for words in (("pack", tiny_folder, "s3://bucket"), ("export", tiny_folder, "s3://bucket")):
        code, _, error = cli(*words)
        assert code == 1
        assert error.endswith(
            "s3://bucket: expected a name in the bucket, got the bucket alone; add a name, as in s3://bucket/train\n"
        )


def test_a_pack_that_finds_all_its_files_says_so(object_store, tiny_folder, cli):
    prefix = f"{object_store.url}/photos"
    assert "nothing uploaded" not in cli("pack", tiny_folder, prefix)[1]
    code, out, _ = cli("pack", tiny_folder, prefix)
    assert (code, "all files were already there, nothing uploaded" in out) == (0, True)
    assert recordkit.pack(tiny_folder, prefix).uploaded_bytes == 0


@pytest.mark.parametrize("name", ["sets/", "sets/photos.rec"])
def test_a_folder_or_a_file_name_in_place_of_a_prefix_is_refused_with_its_url(object_store, tiny_folder, cli, name):
    url = f"{object_store.url}/{name}"
    advice = f"a folder; add a name, as in {object_store.url}/sets/train"
    got = advice if name.endswith("/") else "the name of a file; leave out its suffix"
    with pytest.raises((PublishError, PlanError), match=f"^{url}: expected a (file )?prefix, got {got}"):
        recordkit.pack(tiny_folder, url)
    code, _, error = cli("pack", tiny_folder, url)
    assert code and f"{url}: expected a" in error and got in error
    assert object_store.list_keys() == []


def other_packs(folder):
    return [
        (
            {},
            recordkit.PackPlan(resize=16),
            r"photos.json: expected no set, or one of the same pack, got one of another resize",
        ),
        ({}, recordkit.PackPlan(shards=2), r"photos.json: .* got one in another number of shards"),
        ({"shards": 2}, recordkit.PackPlan(), r"photos.manifest.json: .* got one in another number of shards"),
        ({"shards": 2}, recordkit.PackPlan(shards=3), r"photos_0.json: .* got one of another shards"),
    ]


@pytest.mark.parametrize("number", range(4))
def test_a_pack_of_other_options_is_refused_before_an_image_is_read(object_store, tiny_folder, monkeypatch, number):
    first, plan, match = other_packs(tiny_folder)[number]
    url = f"{object_store.url}/photos"
    recordkit.pack(tiny_folder, url, plan=recordkit.PackPlan(**first))
    monkeypatch.setattr(sys.modules["recordkit.packing.pack"], "pack_set", None)
    with pytest.raises(PublishError, match=match):
        recordkit.pack(tiny_folder, url, plan=plan)


def test_a_pack_of_other_classes_and_a_file_of_no_pack_are_refused_before_an_image_is_read(
    object_store, tiny_folder, monkeypatch, tmp_path
):
    url = f"{object_store.url}/photos"
    recordkit.pack(tiny_folder, url)
    monkeypatch.setattr(sys.modules["recordkit.packing.pack"], "pack_set", None)
    other = tmp_path / "other"
    shutil.copytree(tiny_folder, other)
    first = sorted(path for path in other.iterdir() if path.is_dir())[0]
    first.rename(other / "aaa")
    with pytest.raises(PublishError, match=r"photos.json: .* got one of other classes"):
        recordkit.pack(other, url)
    object_store.put("mine.json", b"[1]")
    with pytest.raises(PublishError, match=r"mine.json: .* got one that no pack wrote"):
        recordkit.pack(tiny_folder, f"{object_store.url}/mine")


def test_the_list_of_a_stopped_publishing_of_other_files_is_refused_before_an_image_is_read(
    object_store, tiny_folder, monkeypatch
):
    url = f"{object_store.url}/photos"
    object_store.put(".photos.manifest.json.publishing", json.dumps({f"{url}_7.rec": [1, "x"]}).encode())
    monkeypatch.setattr(sys.modules["recordkit.packing.pack"], "pack_set", None)
    with pytest.raises(PublishError, match=r"photos.manifest.json.publishing: expected no other publishing"):
        recordkit.pack(tiny_folder, url, plan=recordkit.PackPlan(shards=2))


def test_a_killed_pack_leaves_a_folder_that_the_next_one_removes_unless_somebody_holds_it(tmp_path):
    chosen = RemoteSettings(cache_dir=tmp_path)
    code = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from recordkit.storage.remote.scratch import scratch_folder\n"
        "from recordkit.storage.remote.settings import RemoteSettings\n"
        "with scratch_folder(RemoteSettings(cache_dir=Path(sys.argv[1]))) as folder:\n"
        "    (folder / 'x.rec').write_bytes(b'1')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], check=False)
    (killed,) = (tmp_path / "scratch").iterdir()
    unlocked = tmp_path / "scratch" / "killed before it had a lock"
    unlocked.mkdir()
    with scratch_folder(chosen) as held:
        assert not killed.exists() and not unlocked.exists()
        with scratch_folder(chosen) as other:
            assert held.is_dir() and other.is_dir()
    assert not list((tmp_path / "scratch").iterdir())
