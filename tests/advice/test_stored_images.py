"""Advice about images in object stores and on web servers."""

from pathlib import Path

from advice.walk import advice
from listing_server import listing_server

import recordkit as rk


def upload(store, folder, to):
    for path in folder.rglob("*.jpg"):
        store.put(f"{to}/{path.relative_to(folder)}", path.read_bytes())


def test_a_folder_that_is_not_in_the_store(object_store, photos, fails, works):
    upload(object_store, photos, "photos")
    advice("sources/roots/stored.py", "check the URL", fails("pack", f"{object_store.url}/phots", "out"))
    works("pack", f"{object_store.url}/photos", "out")


def test_a_folder_of_a_web_server(web, photos, fails, works):
    web.folder = photos
    error = fails("pack", web.url, "out")
    advice("storage/remote/store.py", "name the images in a .lst file and give this URL as `root`", error)
    works("list", "photos", "named")
    works("pack", "named.lst", "out", "--root", web.url)
    assert rk.RecordDataset("out").classes == {"cat": 0, "dog": 1}


def test_a_key_that_no_client_reads(object_store, photos, fails, works, monkeypatch):
    upload(object_store, photos, "photos")
    with monkeypatch.context() as patch, listing_server(["photos//1.jpg"]) as environment:
        for name, value in environment.items():
            patch.setenv(name, value)
        error = fails("pack", "s3://listed-by-another-server/photos", "out")
    advice(
        "storage/remote/client/answers.py",
        "rename that object, or name the images in a .lst file and give the URL of their folder as `root`",
        error,
    )
    Path("named.lst").write_text("1\t0\tcat/0.jpg\n")
    works("pack", "named.lst", "out", "--root", f"{object_store.url}/photos")
