"""Mirrors: stores and web servers that list nothing, and several readers of one folder of copies."""

import errno
import os
import subprocess
import sys
import threading
from urllib.parse import quote

import pytest
from fault_proxy import Fault

import recordkit as rk
from recordkit.errors import CacheWarning, FormatError, NotFoundError, RefusedError, RemoteError
from recordkit.storage.remote import settings
from recordkit.storage.remote.copies import CopyFolder
from recordkit.storage.remote.lookup import find_mirror
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.snapshot import read_sets


@pytest.fixture
def web(web, monkeypatch, tmp_path):
    """A web server, and a cache in `tmp_path`."""
    monkeypatch.setattr(settings, "_current", RemoteSettings(cache_dir=tmp_path / "cache", timeout_s=10, total_s=20))
    return web


@pytest.fixture
def near(tiny_folder, tmp_path):
    folder = tmp_path / "near"
    folder.mkdir()
    rk.pack(tiny_folder, folder / "one")
    rk.pack(tiny_folder, folder / "many", plan=rk.PackPlan(shards=3))
    return folder


def content(dataset):
    return [(sample.key, sample.label, bytes(sample.payload)) for sample in dataset]


def test_a_store_that_allows_no_list_is_read_by_names(near, faulty_store):
    for path in near.iterdir():
        faulty_store.put(f"far/{path.name}", path.read_bytes())
    names = {f"/{faulty_store.bucket}/far/{path.name}" for path in near.iterdir()}
    # S3 gives 403 in place of 404 to those who may not list.
    faulty_store.proxy.applies = lambda method, path: path.partition("?")[0] not in names
    faulty_store.proxy.choose = lambda: Fault("status", status=403)
    url = f"{faulty_store.url}/far"
    for name in ("one.rec", "one", "many", "many.manifest.json"):
        with rk.RecordDataset(f"{url}/{name}") as there, rk.RecordDataset(near / name) as here:
            assert content(there) == content(here)
    for name in ("many_*.rec", "", "none.rec", "none", "none.manifest.json"):
        with pytest.raises(RefusedError, match=r"got HTTP 403.*; check that the AWS credentials are valid and allow"):
            rk.RecordDataset(f"{url}/{name}")


@pytest.mark.parametrize("status", [403, 404])
def test_a_web_server_is_asked_about_each_name_once(near, web, status):
    web.missing_status = status
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    with rk.RecordDataset(f"{web.url}/many") as there, rk.RecordDataset(near / "many") as here:
        assert content(there) == content(here)
    asked = [path for method, path in web.requests if method == "HEAD"]
    assert len(asked) == len(set(asked))
    with pytest.raises((NotFoundError, RefusedError), match=rf"^{web.url}/none.rec: .*HTTP {status}"):
        rk.RecordDataset(f"{web.url}/none.rec")


@pytest.mark.parametrize("name", ["my set", "a#b", "which?", "ünïcode 日本", "100%", "%41", "a+b", "x[1]", "q&r=s"])
def test_names_may_have_any_characters(near, web, name):
    web.files = {f"{name}/{path.name.replace('many', name)}": path.read_bytes() for path in near.glob("many_*")}
    manifest = (near / "many.manifest.json").read_text().replace('"many_', f'"{name}_')
    web.files[f"{name}/{name}.manifest.json"] = manifest.encode()
    url = f"{web.url}/{quote(name)}/{quote(name)}"
    with rk.RecordDataset(url) as there, rk.RecordDataset(near / "many") as here:
        assert content(there) == content(here)
        assert content(rk.RecordDataset(f"{url}_0.rec")) == content(rk.RecordDataset(near / "many_0.rec"))


def test_a_missing_manifest_in_a_store_is_not_found(web):
    with pytest.raises(NotFoundError, match=rf"^{web.url}/none.manifest.json: .*HTTP 404; check the URL"):
        rk.RecordDataset(f"{web.url}/none.manifest.json")


def test_many_names_are_asked_about_at_once(web):
    mirror, _ = find_mirror(f"{web.url}/a/x.rec")
    names = [f"{number}.rec" for number in range(8)]
    all_asked = threading.Barrier(len(names))
    web.gate = lambda _method, _path: all_asked.wait(20)
    assert mirror.missing(names) == names


def test_copies_of_a_server_without_etags_serve_one_opening(near, web):
    web.headers = {}
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    assert list(rk.RecordDataset(f"{web.url}/many").classes) == ["cat", "dog", "owl"]
    for name in [name for name in web.files if name.endswith(".json")]:
        web.files[name] = web.files[name].replace(b'"cat"', b'"cow"')
    assert list(rk.RecordDataset(f"{web.url}/many").classes) == ["cow", "dog", "owl"]
    web.files["many.manifest.json"] = web.files["many.manifest.json"][:-9] + b"damaged!!"
    with pytest.raises(FormatError, match=rf"^{web.url}/many.manifest.json: "):
        rk.RecordDataset(f"{web.url}/many")


def test_a_folder_that_cannot_be_made_is_a_warning_and_leaves_nothing(near, web, tmp_path):
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    (tmp_path / "file").touch()
    (tmp_path / "temporary").mkdir()
    code = (
        "import sys, recordkit as rk\n"
        "dataset = rk.RecordDataset(sys.argv[1], cache_dir=sys.argv[2])\n"
        "print(len(list(dataset)), len(list(dataset.files[0].parent.glob('one.idx'))))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, f"{web.url}/one.rec", tmp_path / "file" / "cache"],
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "12 1\n"
    assert "CacheWarning" in run.stderr and "pass another cache_dir or make room there" in run.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


def test_others_may_read_the_copies_as_far_as_the_umask_allows(near, web, tmp_path):
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    before = os.umask(0o027)
    try:
        rk.RecordDataset(f"{web.url}/one.rec")
    finally:
        os.umask(before)
    (path,) = (tmp_path / "cache").glob("sets/*/one.idx")
    assert path.stat().st_mode & 0o777 == 0o640


def test_copies_that_another_process_replaces_while_they_are_read_are_read_again(near, web):
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    contents = []

    def read(sets, _):
        path = sets[0].path(".idx")
        if not contents:
            CopyFolder(path.parent).replace("one.idx", "9 newer", lambda descriptor: os.write(descriptor, b"newer"))
        contents.append(path.read_bytes())
        if contents == [b"newer"]:
            raise FormatError("an index of other records")

    read_sets(lambda: [f"{web.url}/one"], read)
    assert contents == [b"newer", web.files["one.idx"]]


def test_a_stamp_beside_the_file_of_another_process_is_none(tmp_path):
    copies = CopyFolder(tmp_path)
    copies.replace("a", "1 old", lambda descriptor: os.write(descriptor, b"old"))
    stamp = (tmp_path / ".stamps" / "a").read_text()
    copies.replace("a", "1 new", lambda descriptor: os.write(descriptor, b"new"))
    (tmp_path / ".stamps" / "a").write_text(stamp)  # by a slower process
    assert copies.find("a", "1 old") is copies.find("a", "1 new") is None


def test_a_copy_of_the_same_content_leaves_the_file_to_its_readers(tmp_path):
    copies = CopyFolder(tmp_path)
    old, same, other = (
        copies.replace(
            "a", f"1 {n}", lambda descriptor, content=content: os.write(descriptor, content), keeps_same=True
        )
        for n, content in enumerate((b"old", b"old", b"new"))
    )
    assert old == same != other
    assert copies.find("a", "1 2") == other
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a"]


def test_shards_of_other_tools_are_looked_into_at_once(near, web):
    names = [f"many_{number}" for number in range(3)]
    web.files = {name + suffix: (near / (name + suffix)).read_bytes() for name in names for suffix in (".rec", ".idx")}
    all_read, seen = threading.Barrier(len(names)), set()

    def wait_for_the_first_read_of_each(method, path):
        if method == "GET" and path.endswith(".rec") and path not in seen:
            seen.add(path)
            all_read.wait(20)

    web.gate = wait_for_the_first_read_of_each
    paths = [f"{web.url}/{name}.rec" for name in names]
    with rk.RecordDataset(paths) as there, rk.RecordDataset(near / "many") as here:
        assert content(there) == content(here)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_that_is_forked_while_a_thread_asks_the_store_can_ask_too(web):
    web.files["a/x.rec"] = b"12345678"
    mirror, _ = find_mirror(f"{web.url}/a/x.rec")
    is_asking, go_on = threading.Event(), threading.Event()

    def list_folder(key):
        is_asking.set()
        go_on.wait(20)

    mirror._store.list_folder = list_folder
    thread = threading.Thread(target=mirror.facts, args=("x.rec",))
    thread.start()
    assert is_asking.wait(20)
    child = os.fork()
    if not child:
        go_on.set()
        os._exit(0 if mirror.facts("x.rec").size == 8 else 1)
    go_on.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_replaced_files_are_noticed_with_the_cache_of_the_dataset(near, web, tmp_path, monkeypatch):
    web.files = {path.name: path.read_bytes() for path in near.iterdir()}
    other = tmp_path / "other"
    monkeypatch.setattr(settings, "_current", RemoteSettings(cache_dir=other))
    with rk.RecordDataset(f"{web.url}/one.rec", cache_dir=tmp_path / "cache") as dataset:
        dataset.check_files()
        assert not other.exists()
        web.files["one.rec"] += bytes(4)
        with pytest.raises(FormatError, match="open it again"):
            dataset.check_files()


@pytest.mark.parametrize("has_room", [True, False])
def test_a_disk_that_fills_while_a_companion_is_copied_costs_the_cache_and_not_the_run(
    near, web, tmp_path, monkeypatch, has_room
):
    web.folder = near
    write, cache = os.pwrite, str(tmp_path / "cache")

    def pwrite(descriptor, content, offset):
        if not has_room or os.readlink(f"/proc/self/fd/{descriptor}").startswith(cache):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, content[: 1 + len(content) // 2], offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    if not has_room:
        with pytest.raises(RemoteError, match=f"got {os.strerror(errno.ENOSPC)}; make room in {cache}"):
            rk.RecordDataset(f"{web.url}/one.rec")
        return
    with pytest.warns(CacheWarning, match=os.strerror(errno.ENOSPC)):
        with rk.RecordDataset(f"{web.url}/one.rec") as there, rk.RecordDataset(near / "one") as here:
            assert content(there) == content(here) and list(there.keys) == list(here.keys)
