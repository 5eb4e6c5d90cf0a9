"""Advice about object stores and web servers, their credentials, the local cache, and publishing."""

import errno
import os
import sys
import types
from pathlib import Path

import pytest
from advice.test_installation import installs
from advice.walk import advice, commands, text_of
from fault_proxy import Fault
from memory_store import MemoryStore

import recordkit as rk
from recordkit.dataset.parts import part_of
from recordkit.errors import CacheWarning, NotFoundError
from recordkit.storage.remote.cache.pages import PageCache
from recordkit.storage.remote.client import library
from recordkit.storage.remote.client.credentials import s3_options
from recordkit.storage.remote.publish import parse_destination, publish_files
from recordkit.storage.remote.remote_file import RemoteFile
from recordkit.storage.remote.scratch import scratch_folder
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import Store
from recordkit.storage.remote.urls import Url

ONCE = RemoteSettings(timeout_s=2, total_s=2)


@pytest.fixture
def web(web, tmp_path):
    """A web server with the files of `tmp_path`."""
    web.folder = tmp_path
    return web


def test_answers_of_a_web_server(web, tmp_path):
    (tmp_path / "x.rec").write_bytes(b"content")
    store = Store(web.url, ONCE)

    def read():
        return store.read_range("x.rec", 1, 4, None)

    web.status = 403
    advice("storage/remote/client/answers.py", "check that the server gives the file to everybody", read)
    web.status = 503
    advice("storage/remote/client/answers.py", "check the network and the URL, and try again", read)
    web.status = 400
    advice("storage/remote/client/answers.py", "check the URL", read)
    web.status, web.has_ranges = 0, False
    advice(
        "storage/remote/client/answers.py", "use a server that answers ranges, or copy the files to this machine", read
    )
    web.has_ranges = True
    assert read() == b"ont"
    advice("storage/remote/store.py", "check the URL", lambda: store.facts("y.rec"))
    assert store.facts("x.rec").size == 7


def test_a_pattern_of_a_web_server(web, photos, tmp_path):
    rk.pack("photos", "out")
    options = {"cache_dir": tmp_path / "cache"}
    error = text_of(lambda: rk.RecordDataset(f"{web.url}/o*.rec", **options))
    advice("storage/remote/mirror.py", "name the .rec files or the manifest", error)
    assert len(rk.RecordDataset(f"{web.url}/out.rec", **options)) == 4


def test_a_rec_file_of_a_web_server_that_was_replaced_without_its_description(web, photos, tmp_path):
    rk.pack("photos", "out")
    Path("out.rec").write_bytes(Path("out.rec").read_bytes()[:-4])

    def classes(prefix):
        return rk.RecordDataset(f"{web.url}/{prefix}.rec", cache_dir=tmp_path / f"cache-{prefix}").classes

    _, path = advice(
        "storage/fileset.py",
        "if {} is whole, remove {}, or pack its images to another prefix",
        lambda: classes("out"),
    )
    assert path == f"{web.url}/out.json"
    rk.pack("photos", "other")
    assert classes("other") == {"cat": 0, "dog": 1}


def test_answers_of_s3(faulty_store, monkeypatch):
    faulty_store.put("x.rec", b"content")

    def read(store=None):
        return (store or Store(faulty_store.url, ONCE)).read("x.rec", max_bytes=10)[0]

    faulty_store.proxy.choose = lambda: Fault("status", status=403)
    advice(
        "storage/remote/client/answers.py",
        "check that the AWS credentials are valid and allow it; for public data set AWS_SKIP_SIGNATURE=true",
        read,
    )
    faulty_store.proxy.choose = lambda: Fault("status", status=301)
    advice("storage/remote/client/answers.py", "set AWS_REGION to the region of the bucket", read)
    faulty_store.proxy.reset()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        advice("storage/remote/client/answers.py", "check the network, AWS_ENDPOINT_URL and AWS_REGION", read)
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", faulty_store.proxy.endpoint.removeprefix("http://"))
        advice(
            "storage/remote/client/credentials.py", "set {} to the whole address, such as http://localhost:9000", read
        )
    with monkeypatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.delenv(name)
        advice(
            "storage/remote/client/answers.py",
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, and for public data "
            "AWS_SKIP_SIGNATURE=true",
            read,
        )
    assert read() == b"content"
    store = Store(faulty_store.url, ONCE)
    (url,) = advice("storage/remote/store.py", "did you mean {}?", lambda: store.facts("y.rec"))
    old = store.facts(Url.parse(url).key)
    faulty_store.put("x.rec", b"another")
    error = text_of(lambda: store.read_range("x.rec", 0, 3, old.etag))
    advice("storage/remote/store.py", "it was replaced while it was read; open it again", error)
    assert store.read_range("x.rec", 0, 3, store.facts("x.rec").etag) == b"ano"


def test_profiles_of_aws(tmp_path, monkeypatch):
    config, keys = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile work]\nrole_arn = x\n")
    keys.write_text("no section")
    files = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(keys)}

    def options(**environment):
        return s3_options(anonymous=False, environment=files | environment)

    advice(
        "storage/remote/client/credentials.py",
        "correct the file, or unset AWS_PROFILE and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        options,
    )
    keys.write_text("[own]\naws_access_key_id = a\naws_secret_access_key = b\n")
    advice("storage/remote/client/credentials.py", "correct AWS_PROFILE", lambda: options(AWS_PROFILE="owm"))
    assert options(AWS_PROFILE="own")["config"]["access_key_id"] == "a"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "boto3", None)
        error = text_of(lambda: options(AWS_PROFILE="work"))
    advice("storage/remote/client/credentials.py", "pip install boto3", error)
    session = types.SimpleNamespace(Session=lambda profile_name: profile_name)
    monkeypatch.setitem(sys.modules, "boto3", types.SimpleNamespace(session=session))
    provider = types.SimpleNamespace(Boto3CredentialProvider=lambda own: own)
    monkeypatch.setitem(sys.modules, "obstore.auth.boto3", provider)
    assert options(AWS_PROFILE="work")["credential_provider"] == "work"


def test_the_client_of_stores(monkeypatch):
    with monkeypatch.context() as patch:
        for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "obstore", None)
        error = text_of(lambda: library.load("s3"))
    advice("storage/remote/client/library.py", "pip install 'recordkit[remote]'", error)
    assert installs(error, "obstore")


def test_an_account_of_azure(web, monkeypatch):
    pytest.importorskip("obstore")
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    error = text_of(lambda: Store("az://container", ONCE).facts("x"))
    advice(
        "storage/remote/client/opening.py",
        "set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/KEY",
        error,
    )
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", web.url)
    monkeypatch.setenv("AZURE_STORAGE_SAS_KEY", "sv=1&sig=x")
    url = Url.parse("abfss://container@account.dfs.core.windows.net/x")
    with pytest.raises(NotFoundError):  # the server was asked, and has no such object
        Store(url.root, ONCE).facts(url.key)


def test_publishing(object_store, photos, tmp_path):
    (tmp_path / "x.json").write_text("1")
    files, to = [tmp_path / "x.json"], Url.parse(f"{object_store.url}/a")
    error = text_of(lambda: publish_files(files, Url.parse("https://example.org/a")))
    advice("storage/remote/publish.py", "publish to s3://, gs:// or az://", error)
    error = text_of(lambda: parse_destination(object_store.url))
    (url,) = advice("storage/remote/publish.py", "add a name, as in {}", error)
    assert parse_destination(url).name
    publish_files(files, to)
    (tmp_path / "x.json").write_text("2")
    error = text_of(lambda: publish_files(files, to))
    advice("storage/remote/publish.py", "choose another prefix, or remove the objects", error)
    publish_files(files, Url.parse(f"{object_store.url}/b"))
    store = Store(object_store.url, ONCE)
    store.delete("a/x.json")
    publish_files(files, to)
    store.delete("a/x.json")
    store.create("a/.x.json.publishing", b"of other files")
    error = text_of(lambda: publish_files(files, to))
    advice(
        "storage/remote/publish.py",
        "wait for its end, or remove this object if it was stopped, or choose another prefix",
        error,
    )
    store.delete(Url.parse(error.partition(": ")[0]).key)
    publish_files(files, to)


def test_outputs_in_a_store(object_store, photos, fails, works):
    works("pack", "photos", "out")
    error = fails("merge", "out", f"{object_store.url}/out")
    advice(
        "storage/staging.py",
        "only 'recordkit pack', 'recordkit export' and 'recordkit cluster pack' write to a store",
        error,
    )
    works("pack", "photos", f"{object_store.url}/out")
    error = fails("reindex", f"{object_store.url}/out.rec")
    advice("storage/fileset.py", "change a copy: 'recordkit merge {} NEW' makes one", error)
    ((*words, _),) = commands(error)
    works(*words, "copy")
    works("reindex", "copy.rec")
    error = fails("pack", "photos", f"{object_store.url}/out", "--resize", "10")
    advice("storage/remote/published.py", "choose another prefix, or remove the objects", error)
    works("pack", "photos", f"{object_store.url}/resized", "--resize", "10")
    object_store.put("lost/out.rec", object_store.get("out.rec"))
    note = works("verify", f"{object_store.url}/lost/out.rec")
    advice("storage/fileset.py", "run 'recordkit merge {} NEW', which writes a copy that has one", note)
    ((*words, _),) = commands(note)
    works(*words, "indexed")
    assert "reindex" not in works("verify", "indexed")
    object_store.put("folder/other", b"1")
    error = fails("export", "out", f"{object_store.url}/folder")
    advice("interop/export/store.py", "choose another name, or remove the objects", error)
    works("export", "out", f"{object_store.url}/folder2")


def test_a_full_disk_under_the_cache(tmp_path):
    settings = RemoteSettings(cache_dir=tmp_path)

    def write():
        with scratch_folder(settings):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (folder,) = advice("storage/remote/scratch.py", "make room there, where files wait for their upload: {}", write)
    with scratch_folder(settings) as scratch:
        assert scratch.is_relative_to(folder)


def test_a_cache_that_cannot_be_written(tmp_path, photos):
    (tmp_path / "file").write_text("")

    def read(folder):
        store = MemoryStore(bytes(100))
        file = RemoteFile(store, "x.rec", store.facts, PageCache(folder, 1 << 30), RemoteSettings())
        file.start_fetching([0], [10]).release()

    path, _ = advice(
        "storage/remote/cache/pages.py",
        "{}: the cache stores no pages: {}; pass another `cache_dir` or make room there",
        lambda: read(tmp_path / "file"),
    )
    assert Path(path) == tmp_path / "file"
    read(tmp_path / "folder")
    rk.pack("photos", "out")
    error = text_of(lambda: rk.Loader(rk.RecordDataset("out"), batch_size=1, cache_dir="folder"))
    advice("loading/options.py", "open the dataset with it", error)
    rk.Loader(rk.RecordDataset("out", cache_dir="folder"), batch_size=1, transforms=[rk.CenterCrop(8)]).close()


def test_a_part_of_a_subset(photos):
    rk.pack("photos", "out")
    dataset = rk.RecordDataset("out")
    advice("dataset/parts.py", "take the part of the whole dataset", lambda: part_of(dataset.subset([0, 2]), 0, 1))
    assert len(part_of(dataset, 0, 1)) == 1


def test_folders_of_images(object_store, photos, web):
    object_store.put("photos/cat/0.jpg", (photos / "cat" / "0.jpg").read_bytes())
    error = text_of(lambda: rk.open_source(f"{object_store.url}/photo"))
    advice("sources/roots/stored.py", "check the URL", error)
    assert len(rk.open_source(f"{object_store.url}/photos")) == 1
    error = text_of(lambda: rk.open_source(f"{web.url}/photos"))
    advice("storage/remote/store.py", "name the images in a .lst file and give this URL as `root`", error)
    Path("a.lst").write_text("0\t1\tcat/0.jpg\n")
    assert rk.pack(rk.open_source("a.lst", root=f"{web.url}/photos"), "out").n_packed == 1


def test_a_version_of_an_object(object_store, photos, works):
    works("pack", "photos", f"{object_store.url}/out")
    url = f"{object_store.url}/out.rec"
    error = text_of(lambda: rk.RecordDataset(f"{url}?versionId=1"))
    advice("storage/remote/urls.py", "leave the query out, or copy that version to a key of its own", error)
    assert len(rk.RecordDataset(url)) == 4


def test_no_room_for_a_companion(object_store, photos, works, monkeypatch, tmp_path):
    works("pack", "photos", f"{object_store.url}/out")

    def fail(*_arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", fail)
        error = text_of(lambda: rk.RecordDataset(f"{object_store.url}/out"))
    (folder,) = advice("storage/remote/mirror.py", "make room in {}", error)
    assert Path(folder) == tmp_path / "cache"
    with pytest.warns(CacheWarning, match="the cache stores no pages"):  # as long as the process runs
        assert len(rk.RecordDataset(f"{object_store.url}/out")) == 4
