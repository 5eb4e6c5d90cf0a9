"""Exports to a URL, published in a real S3 server."""

import json

import pytest

import recordkit


@pytest.fixture
def rec(tiny_folder, tmp_path):
    recordkit.pack(tiny_folder, tmp_path / "photos_rec")
    return tmp_path / "photos_rec.rec"


@pytest.mark.parametrize(
    ("options", "last"),
    [
        (("--to", "webdataset", "--shard-bytes", "8k"), "_info.json"),
        (("--to", "parquet"), ".parquet"),
        ((), ".classes.json"),
    ],
)
def test_an_export_to_a_url_has_the_files_of_an_export_to_a_folder(object_store, rec, cli, tmp_path, options, last):
    if "parquet" in options:
        pytest.importorskip("pyarrow")
    url, folder = f"{object_store.url}/sets/out", tmp_path / "sets"
    code, out, err = cli("export", rec, url, *options)
    assert (code, f"{url}: 12 images" in out) == (0, True), err
    assert "scratch" not in err
    assert cli("export", rec, folder / "out", *options)[0] == 0
    local = {f"sets/{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {key: object_store.get(key) for key in object_store.list_keys()} == local
    assert any(key.endswith(last) for key in local)
    assert cli("export", rec, url, *options)[0] == 0
    assert not list((tmp_path / "cache" / "scratch").glob("*"))


def test_a_folder_with_other_objects_is_refused(object_store, rec, cli):
    object_store.put("out/notes.txt", b"1")
    code, _, err = cli("export", rec, f"{object_store.url}/out", "--to", "webdataset")
    assert code == 1
    assert f"{object_store.url}/out: expected a new folder, got one that has notes.txt; choose another name" in err
    assert object_store.list_keys() == ["out/notes.txt"]


def test_a_dry_run_publishes_nothing(object_store, rec, cli):
    url = f"{object_store.url}/out"
    code, out, _ = cli("export", rec, url, "--dry-run", "--json")
    assert code == 0 and json.loads(out)["sets"][0]["path"] == url
    assert object_store.list_keys() == []


def test_all_paths_of_the_report_are_urls_and_objects_that_are_there_are_told_at_once(object_store, rec, cli):
    url = f"{object_store.url}/folder9"
    code, out, err = cli("export", rec, url)
    assert (code, err) == (0, "") and f"keys and labels: {url}.lst" in out
    code, out, err = cli("export", rec, url)
    assert code == 0 and "scratch" not in out + err
    assert f"{url} is there already; the export succeeds if it has the same content" in err
    assert f"{url}: all files were already there, nothing uploaded" in err
