"""Lists whose images, or which themselves, are in a real S3 server."""

import pytest
from sources.roots.copies import packs, upload

import recordkit
from recordkit import PackPlan
from recordkit.errors import NotFoundError, SourceError
from recordkit.storage.remote import settings
from recordkit.storage.remote.settings import RemoteSettings

ROWS = "7\t1\tcat/0.jpg\n9\t0\t/dog/1.jpg\n2\t5\towl\\2.jpg\n4\t2\tcat/missing.jpg\n5\t3\t./owl//3.jpg\n"


@pytest.fixture
def listed(tiny_folder, tmp_path):
    path = tmp_path / "lists" / "photos_train.lst"
    path.parent.mkdir()
    path.write_text(ROWS)
    (path.parent / "photos.classes.json").write_text('{"classes": {"a": 0, "b": 1}}')
    return path


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_list_packs_into_the_bytes_of_a_local_copy(object_store, tiny_folder, listed, tmp_path, engine, shuffle):
    root = upload(object_store, tiny_folder)
    sources = [recordkit.open_source(listed, root=folder) for folder in (tiny_folder, root)]
    local, stored = packs(tmp_path, sources, PackPlan(shuffle=shuffle), engine)
    assert local == stored and stored[1:] == (4, False)
    assert stored[0]["a.failed.tsv"] == b"4\tcat/missing.jpg\tNo such file or directory\n"


def test_a_list_in_the_store_starts_from_its_own_folder(object_store, tiny_folder, listed, tmp_path):
    root = upload(object_store, tiny_folder)
    for path in listed.parent.iterdir():
        object_store.put(f"photos/{path.name}", path.read_bytes())
    sources = [
        recordkit.open_source(listed, root=tiny_folder),
        recordkit.open_source(f"{root}/photos_train.lst"),
        recordkit.open_source(f"{root}/photos_train.lst", root=tiny_folder),
    ]
    assert {source.root for source in sources} == {str(tiny_folder), root}
    assert sources[1].classes == {"a": 0, "b": 1}
    first, *others = packs(tmp_path, sources, PackPlan(shuffle=True))
    assert others == [first, first]
    with pytest.raises(NotFoundError, match=rf"did you mean {root}/photos_train.lst\?"):
        recordkit.open_source(f"{root}/photo_train.lst")


def test_paths_stay_below_the_root(object_store, tiny_folder, listed):
    root = upload(object_store, tiny_folder, "a/photos")
    object_store.put("a/other.jpg", b"other")
    listed.write_text("1\t0\tcat/../cat/0.jpg\n2\t0\t../other.jpg\n3\t0\tcat/../../../../x.jpg\n")
    with pytest.raises(SourceError, match=rf"line 2: expected paths inside the folder {root}, got 2 paths out"):
        recordkit.open_source(listed, root=root)
    source = recordkit.open_source(listed, root=root, allow_outside=True)
    contents = source.contents(source.entries(range(3)))
    assert contents[:2] == [(tiny_folder / "cat" / "0.jpg").read_bytes(), b"other"]
    assert contents[2].text() == f"expected a path inside the folder {root}, got one that leads out of it"


def test_a_wrong_root_is_an_error_at_once(object_store, tiny_folder, listed):
    upload(object_store, tiny_folder)
    wrong = rf"none of the first 5 images exists in {object_store.url}/phots, for example 'cat/0\.jpg'; give as root"
    with pytest.raises(SourceError, match=wrong):
        recordkit.open_source(listed, root=f"{object_store.url}/phots")
    with pytest.raises(NotFoundError, match="got no such bucket"):
        recordkit.open_source(listed, root="s3://no-such-bucket/photos")


def test_a_missing_image_is_one_request(faulty_store, tiny_folder, listed):
    root = upload(faulty_store, tiny_folder)
    source = recordkit.open_source(listed, root=root)
    faulty_store.proxy.reset()
    source.contents(source.entries([3]))
    assert [request.method for request in faulty_store.proxy.requests] == ["GET"]


def test_columns_read_a_list_whose_root_is_listed(object_store, tiny_folder, listed, tmp_path):
    root = upload(object_store, tiny_folder)
    table = tmp_path / "table.csv"
    table.write_text("id,breed\ncat/0,cat\ndog/1,dog\nowl/9,owl\n")
    sources = [recordkit.open_source(table, root=folder, columns="path,class") for folder in (tiny_folder, root)]
    assert sources[0].notes == sources[1].notes
    assert [source.entries(range(3)) for source in sources[:1]] == [sources[1].entries(range(3))]
    local, stored = packs(tmp_path, sources, PackPlan(shuffle=True))
    assert local == stored and stored[1:] == (2, False)


def test_a_web_server_has_the_images_of_a_list(web, tiny_folder, listed, monkeypatch):
    web.folder = tiny_folder
    monkeypatch.setattr(settings, "_current", RemoteSettings(timeout_s=5, total_s=5))
    source = recordkit.open_source(listed, root=web.url)
    contents = source.contents(source.entries(range(5)))
    assert contents[0] == (tiny_folder / "cat" / "0.jpg").read_bytes()
    assert str(contents[3]) == "No such file or directory"
