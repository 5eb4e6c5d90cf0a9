"""Files that are published in a real S3 server: whole, once, and never mixed with others."""

import itertools
import os
import threading

import pytest
from fault_proxy import Fault

from recordkit.errors import PublishError, RemoteError
from recordkit.storage.remote.publish import in_order, publish_files
from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.store import Store
from recordkit.storage.remote.urls import Url

NAMES = ("x_0.rec", "x_1.rec", "x_0.json", "x_1.json", "x.manifest.json")


@pytest.fixture
def files(tmp_path):
    return write(tmp_path / "files", b"1")


def write(folder, content):
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(name.encode() + content)
    return in_order(folder)


def claim(store):
    return [key for key in store.list_keys() if key.endswith(".publishing")]


def test_files_are_published_json_after_the_others_and_the_manifest_last(faulty_store, files):
    steps = []
    published = publish_files(files, Url.parse(faulty_store.url + "/sets"), progress=steps.append)
    assert [str(each.url) for each in published] == [f"{faulty_store.url}/sets/{name}" for name in NAMES]
    assert faulty_store.list_keys() == sorted(f"sets/{name}" for name in NAMES)
    assert all(faulty_store.get(f"sets/{path.name}") == path.read_bytes() for path in files)
    assert sum(steps) == sum(path.stat().st_size for path in files)
    puts = [request.path.rpartition("/")[2].partition("?")[0] for request in faulty_store.proxy.requests]
    puts = [name for name, request in zip(puts, faulty_store.proxy.requests, strict=True) if request.method == "PUT"]
    assert puts[0] == ".x.manifest.json.publishing" and puts[-1] == "x.manifest.json"
    assert set(puts[1:3]) == {"x_0.rec", "x_1.rec"}


def test_publishing_again_writes_nothing(faulty_store, files):
    to = Url.parse(faulty_store.url)
    publish_files(files, to)
    faulty_store.proxy.requests.clear()
    steps = []
    assert all(each.was_there for each in publish_files(files, to, progress=steps.append))
    assert sum(steps) == sum(path.stat().st_size for path in files)
    assert not [request for request in faulty_store.proxy.requests if request.method == "PUT"]


def test_other_content_is_refused_before_a_file_is_written(object_store, files, tmp_path):
    publish_files(files[:1], Url.parse(object_store.url))
    others = write(tmp_path / "others", b"2")
    with pytest.raises(
        PublishError, match=r"x_0.rec: expected no object, or one of the same content, got other content"
    ):
        publish_files(others, Url.parse(object_store.url))
    assert object_store.list_keys() == ["x_0.rec"]
    assert object_store.get("x_0.rec") == b"x_0.rec1"


def test_a_stopped_publishing_is_completed_by_the_same_files_and_refuses_others(faulty_store, files, tmp_path):
    to, settings = Url.parse(faulty_store.url), RemoteSettings(timeout_s=1, total_s=1)
    faulty_store.proxy.applies = lambda method, path: method == "PUT" and "x_1.json" in path
    faulty_store.proxy.choose = lambda: Fault("status", status=403)
    with pytest.raises(RemoteError, match=r"x_1.json: expected a new object, got HTTP 403"):
        publish_files(files, to, settings=settings)
    assert "x.manifest.json" not in faulty_store.list_keys() and claim(faulty_store)
    faulty_store.proxy.reset()
    others = write(tmp_path / "others", b"2")
    for path in others[:-1]:
        path.write_bytes((files[0].parent / path.name).read_bytes())
    with pytest.raises(PublishError, match=r"publishing: expected no other publishing under these names") as caught:
        publish_files(others, to)
    assert "remove this object" in str(caught.value)
    assert not all(each.was_there for each in publish_files(files, to))
    assert faulty_store.list_keys() == sorted(NAMES)


def test_of_two_publishings_at_the_same_time_one_wins_whole(object_store, tmp_path):
    to, results = Url.parse(object_store.url), []
    both = [write(tmp_path / name, name.encode()) for name in ("a", "b")]
    barrier = threading.Barrier(2)

    def publish(files):
        barrier.wait()
        try:
            results.append(publish_files(files, to))
        except PublishError as error:
            results.append(error)

    threads = [threading.Thread(target=publish, args=(files,)) for files in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(result, PublishError) for result in results) == 1
    assert object_store.list_keys() == sorted(NAMES)
    assert len({object_store.get(name)[len(name) :] for name in NAMES}) == 1


def test_writers_of_the_same_files_all_succeed(object_store, files):
    to, results = Url.parse(object_store.url), []
    threads = [threading.Thread(target=lambda: results.append(publish_files(files, to))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert object_store.list_keys() == sorted(NAMES)


def test_a_large_file_goes_in_parts_through_faults_and_is_known_again(faulty_store, tmp_path):
    path = tmp_path / "x.rec"
    path.write_bytes(os.urandom(2**20) * 40)
    description = tmp_path / "x.json"
    description.write_text("{}")
    to, settings = Url.parse(faulty_store.url), RemoteSettings(timeout_s=5, total_s=60)
    faults = itertools.cycle([None, Fault("upload", 50_000), None, None, Fault("status"), Fault("lost")])
    lock = threading.Lock()

    def choose():
        with lock:
            return next(faults)

    faulty_store.proxy.choose = choose
    publish_files([path, description], to, settings=settings)
    assert faulty_store.get("x.rec") == path.read_bytes()
    faulty_store.proxy.reset()
    assert all(each.was_there for each in publish_files([path, description], to))
    assert not [request for request in faulty_store.proxy.requests if request.method == "GET"]  # the ETag is known


def test_paths_in_a_folder_become_keys(object_store, tmp_path):
    folder = tmp_path / "photos"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.jpg").write_bytes(b"1")
    publish_files(in_order(folder), Url.parse(object_store.url + "/p"), base=folder)
    assert object_store.list_keys() == ["p/cat/1.jpg"]


def test_a_web_server_takes_no_files(files):
    with pytest.raises(PublishError, match="expected a store that takes files, got a web server; publish to s3://"):
        publish_files(files, Url.parse("http://127.0.0.1:1/x"))


class Contradicting(Store):
    """A store that says of an object that it exists, and then that it does not."""

    def create(self, key, data):
        return False


def test_a_store_that_contradicts_itself_ends_the_publishing(object_store, files, monkeypatch):
    store = Contradicting(object_store.url, current())
    monkeypatch.setattr("recordkit.storage.remote.publish.open_store", lambda *_: store)
    with pytest.raises(RemoteError, match=r"publishing: .* got an object that exists and cannot be found, 20 times"):
        publish_files(files, Url.parse(object_store.url))
