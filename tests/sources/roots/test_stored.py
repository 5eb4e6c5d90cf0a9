"""Images in a real S3 server: the same sources, and the same bytes of a pack, as of a copy on this machine."""

import json
import pickle
import threading
import time

import pytest
from fault_proxy import Fault
from listing_server import listing_server
from sources.roots.copies import packs, upload

import recordkit
from recordkit import PackPlan
from recordkit.errors import NotFoundError, RemoteError, SourceError
from recordkit.sources.roots.reader import Request, read_first
from recordkit.storage.remote import settings
from recordkit.storage.remote.client.answers import MISSING, Answer
from recordkit.storage.remote.client.attempts import FailedError
from recordkit.storage.remote.client.connection import WHOLE_BYTES
from recordkit.storage.remote.client.facts import ObjectFacts
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import open_store
from recordkit.storage.remote.urls import Url


def _raise(error):
    def function(*_arguments):
        raise error

    return function


def facts_of(source):
    entries = source.entries(range(len(source)))
    return entries, source.classes, [entry.name for entry in source.bad], source.order, source.contents(entries)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_tree_packs_into_the_bytes_of_a_local_copy(object_store, tiny_folder, tmp_path, engine, shuffle):
    (tiny_folder / "dog" / "bad.jpg").write_bytes(b"no image")
    (tiny_folder / "dog" / "empty.jpg").write_bytes(b"")
    url = upload(object_store, tiny_folder)
    local, stored = packs(tmp_path, (tiny_folder, url), PackPlan(shuffle=shuffle, shards=2, resize=8), engine)
    assert local == stored
    assert {"a_0.rec", "a_0.idx", "a_0.lst", "a_0.json", "a.manifest.json"} <= set(stored[0]) and stored[1:] == (
        12,
        False,
    )


def test_a_tree_has_names_classes_and_notes_of_a_local_one(object_store, tmp_path):
    root = tmp_path / "photos"
    names = "cat/2.jpg cat/10.JPG cat/.hidden.jpg dog/a/1.png dog/notes.txt .ipynb_checkpoints/1.jpg owl/thumbs/1.jpg"
    for name in (*names.split(), "owl/1.jpg", "ü b%20c#~[x]+/1.jpg", "dog.x/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    url = upload(object_store, root)
    local, stored = recordkit.open_source(root), recordkit.open_source(url)
    assert facts_of(local) == facts_of(stored)
    assert [note.replace(str(root), url) for note in local.notes] == stored.notes and len(stored.notes) == 3
    last = recordkit.open_source(url, class_from="last"), recordkit.open_source(root, class_from="last")
    assert last[0].classes == last[1].classes
    assert len(recordkit.open_source(f"{url}/cat", class_from="path")) == 2
    moved = pickle.loads(pickle.dumps(stored.reader([0, 2])))
    assert moved.first_contents(stored.entries([0, 2]), None) == stored.contents(stored.entries([0, 2]))
    assert len(pickle.dumps(stored.reader([0]))) < len(pickle.dumps(stored.reader(range(len(stored)))))


def test_splits_of_a_tree_are_sets_and_a_split_alone_keeps_its_numbers(object_store, tiny_folder, tmp_path):
    root = tmp_path / "splits"
    root.mkdir()
    tiny_folder.rename(root / "train")
    for name in ("cat", "owl"):
        (root / "val" / name).mkdir(parents=True)
        (root / "val" / name / "1.jpg").write_bytes((root / "train" / name / "1.jpg").read_bytes())
    url = upload(object_store, root, "a")
    local, stored = recordkit.open_source(root), recordkit.open_source(url)
    assert list(local) == list(stored) == ["train", "val"]
    assert all(facts_of(local[name]) == facts_of(stored[name]) for name in local)
    with pytest.raises(SourceError, match=rf"owl would have other numbers than in {url}/train, beside.*; give {url}, "):
        recordkit.open_source(f"{url}/val")


def test_the_bucket_itself_may_be_the_tree(object_store, tiny_folder):
    upload(object_store, tiny_folder, "cat-and-dog/deep")
    assert recordkit.open_source(object_store.url, class_from="last").classes == {"cat": 0, "dog": 1, "owl": 2}


def test_an_object_in_place_of_a_folder_is_no_file(object_store, tiny_folder):
    url = upload(object_store, tiny_folder)
    object_store.put("photos/cat", b"")
    assert recordkit.open_source(url).notes == []
    object_store.put("photos/_SUCCESS", b"")
    assert "ignored 1 file of other suffixes (1 without a suffix)" in recordkit.open_source(url).notes[0]


@pytest.fixture
def listing(monkeypatch):
    """Keys that an S3 server lists, also those that clients cannot write."""
    keys = []
    with listing_server(keys) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(settings, "_current", RemoteSettings(timeout_s=5, total_s=5.5))
        yield keys


def test_folders_that_a_console_wrote_are_folders(listing):
    listing += ["photos/", "photos/cat/", "photos/cat/1.jpg", "photos/cat.jpg/", "photos/cat.jpg/2.jpg"]
    source = recordkit.open_source("s3://listing/photos")
    assert [entry.name for entry in source.entries([0, 1])] == ["cat/1.jpg", "cat.jpg/2.jpg"] and source.notes == []


@pytest.mark.parametrize("key", ["photos//1.jpg", "photos/../1.jpg", "photos/a&#10;b.jpg"])
def test_a_key_that_no_client_reads_is_named(listing, key):
    listing.append(key)
    with pytest.raises(
        RemoteError, match=r"got the key 'photos/.*1?\.jpg', which has an empty part.*; rename that object"
    ):
        recordkit.open_source("s3://listing/photos")


def test_more_objects_than_a_page_are_listed_many_in_order(faulty_store):
    names = [f"{number % 3}/{number:04d}.jpg" for number in range(1203)]
    for name in names:
        faulty_store.put(f"a/{name}", name.encode())
    faulty_store.proxy.script.extend([None, Fault("status"), None, Fault("reset", 0)])
    pages = list(open_store(Url.parse(faulty_store.url)).list_tree("a"))
    assert [len(page) for page in pages] == [1000, 203]
    assert [name for page in pages for name, _ in page] == sorted(names)
    assert pages[0][0][1] == open_store(Url.parse(faulty_store.url)).facts("a/0/0000.jpg")
    lists = [request for request in faulty_store.proxy.requests if "list-type=2" in request.path]
    assert len(lists) >= 3 and sum(request.fault is not None for request in lists) >= 1
    counts = []
    source = recordkit.open_source(f"{faulty_store.url}/a", progress=counts.append)
    assert (len(source), sum(counts), source.order) == (1203, 1203, "walked")


def test_a_block_is_fetched_at_once(faulty_store, tiny_folder):
    source = recordkit.open_source(upload(faulty_store, tiny_folder))
    faulty_store.proxy.reset()
    faulty_store.proxy.choose = lambda: Fault("delay", seconds=0.2)
    source.contents(source.entries(range(12)))
    assert faulty_store.proxy.most_at_once >= 6
    assert [request.method for request in faulty_store.proxy.requests] == ["GET"] * 12


def test_a_block_has_no_more_bytes_than_its_room(object_store):
    store = open_store(Url.parse(object_store.url))
    sizes = [10, 20, 100, 5]
    for number, size in enumerate(sizes):
        object_store.put(f"{number}.jpg", bytes(size))
    unknown = [Request([f"{number}.jpg"]) for number in range(4)]
    known = [request._replace(facts=store.facts(*request.keys)) for request in unknown]
    for requests in (unknown, known):
        for room, n in ((9, 0), (10, 1), (30, 2), (129, 2), (130, 3), (135, 4), (None, 4)):
            assert list(map(len, read_first(store, requests, room))) == sizes[:n], (room, n)


def test_a_large_image_is_fetched_in_ranges(object_store):
    store, content = open_store(Url.parse(object_store.url)), bytes(range(256)) * (WHOLE_BYTES // 256 + 1)
    object_store.put("large.jpg", content)
    for facts in (None, store.facts("large.jpg")):
        assert read_first(store, [Request(["large.jpg"], facts)], None) == [content]
    huge = ObjectFacts(1 << 30, None)
    (error,) = read_first(store, [Request(["large.jpg"], huge)], 100)
    assert error.text() == "expected a file that fits in a record (2**29 bytes), got 1073741824 bytes"


def test_an_image_that_vanished_or_changed_is_a_failed_one(object_store, tiny_folder, tmp_path):
    import obstore

    source = recordkit.open_source(upload(object_store, tiny_folder))
    obstore.delete(object_store.client, "photos/cat/1.jpg")
    content = object_store.get("photos/dog/2.jpg")
    object_store.put("photos/dog/2.jpg", content[:-1] + b"x")  # of the same size
    report = recordkit.pack(source, tmp_path / "a", plan=PackPlan(shuffle=False))
    assert (report.n_packed, report.ok) == (10, False)
    assert (tmp_path / "a.failed.tsv").read_text() == (
        "1\tcat/1.jpg\tNo such file or directory\n6\tdog/2.jpg\tit was replaced after its folder was listed\n"
    )


def test_a_store_that_does_not_answer_ends_the_pack(faulty_store, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "_current", RemoteSettings(timeout_s=1, total_s=1))
    source = recordkit.open_source(upload(faulty_store, tiny_folder))
    faulty_store.proxy.choose = lambda: Fault("status", status=503)
    with pytest.raises(RemoteError, match=r"photos/.*: expected an image, got HTTP 503 SlowDown \(\d+ attempts"):
        recordkit.pack(source, tmp_path / "a", plan=PackPlan(on_error="skip"))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("a")] == []
    with pytest.raises(RemoteError, match="photos: expected the list of a folder, got HTTP 503"):
        recordkit.open_source(f"{faulty_store.url}/photos")


def test_a_bucket_that_is_gone_ends_the_pack(object_store, tiny_folder, monkeypatch):
    """Amazon's S3 says so for each object; the server of the tests says that the object is missing."""
    source = recordkit.open_source(upload(object_store, tiny_folder))
    store = open_store(Url.parse(object_store.url))
    answer = Answer(MISSING, "HTTP 404 NoSuchBucket", again=False)
    monkeypatch.setattr(store, "_range", _raise(FailedError(answer, 1, 0)))
    with pytest.raises(NotFoundError, match=r"0\.jpg: expected an object, got no such bucket; check"):
        source.contents(source.entries([0]))
    with pytest.raises(NotFoundError, match="expected the list of a folder, got no such bucket"):
        recordkit.open_source("s3://no-such-bucket/photos")


def test_an_error_ends_the_wait_for_a_store_that_hangs(faulty_store, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "_current", RemoteSettings(timeout_s=100, total_s=100))
    source = recordkit.open_source(upload(faulty_store, tiny_folder))
    faulty_store.proxy.choose = lambda: Fault("hang")
    hanging = threading.Event()

    def fail(self):
        if not hanging.is_set():
            hanging.set()
            return range(12)
        while faulty_store.proxy.n_at_once < 12:
            hanging.wait(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr("recordkit.packing.piece.IndexBlocks.__next__", fail)
    begin_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        recordkit.pack(source, tmp_path / "a", plan=PackPlan(threads=2))
    assert time.monotonic() - begin_s < 50  # and not 100, the time of a request


def test_a_url_that_is_no_folder_says_what_it_is(object_store, tiny_folder, tmp_path):
    recordkit.pack(tiny_folder, f"{object_store.url}/sets/a")
    packed = r"sets/a\.rec: expected a folder or a \.lst file, got a \.rec dataset, which is packed already; "
    for end in ("a.rec", "a"):
        with pytest.raises(SourceError, match=packed + "'recordkit merge s3://"):
            recordkit.open_source(f"{object_store.url}/sets/{end}")
    with pytest.raises(SourceError, match=r"expected a folder or a \.lst file, got another object"):
        recordkit.open_source(f"{object_store.url}/sets/a.idx")
    with pytest.raises(NotFoundError, match="nothing: expected objects in this folder, got none; check the URL"):
        recordkit.open_source(f"{object_store.url}/nothing")
    with pytest.raises(SourceError, match=r"expected images, got only 1 \.crc.*: give s3://.*/sets/a\.rec to train"):
        recordkit.open_source(f"{object_store.url}/sets")
    object_store.put("scans/1.scan", b"\xff\xd8\xff" + bytes(20))
    with pytest.raises(SourceError, match=r"got only 1 \.scan; extensions \.scan reads"):
        recordkit.open_source(f"{object_store.url}/scans")
    scans = recordkit.open_source(f"{object_store.url}/scans", extensions=[".scan"], label_from="{label}")
    assert scans.labels([0]) == [(1,)]


def test_a_web_server_has_no_folders_to_list():
    with pytest.raises(RemoteError, match=r"a store that lists its objects, got a web server; name the images"):
        recordkit.open_source("https://localhost/photos")


def test_the_command_lists_a_tree_and_packs_the_list(object_store, tiny_folder, cli, tmp_path):
    url = upload(object_store, tiny_folder)
    assert cli("list", url, tmp_path / "a")[:2] == (0, f"{tmp_path}/a: 12 images in 3 classes\n")
    assert cli("list", tiny_folder, tmp_path / "b")[0] == 0
    assert (tmp_path / "a.lst").read_bytes() == (tmp_path / "b.lst").read_bytes()
    assert cli("pack", tmp_path / "a.lst", tmp_path / "packed", "--root", url)[0] == 0
    assert recordkit.RecordDataset(tmp_path / "packed").classes == {"cat": 0, "dog": 1, "owl": 2}


def test_the_command_packs_a_url_to_a_url_without_credentials_in_it(object_store, tiny_folder, cli, monkeypatch):
    url = upload(object_store, tiny_folder)
    code, out, err = cli("pack", url, f"{object_store.url}/sets/a", "--json")
    assert code == 0 and json.loads(out)["sets"][0]["n_packed"] == 12
    described = b"".join(object_store.get(key) for key in object_store.list_keys() if key.startswith("sets/"))
    secrets = [value for name, value in object_store.server.environment(None).items() if "KEY" in name]
    assert secrets and not any(secret in out + err or secret.encode() in described for secret in secrets)
