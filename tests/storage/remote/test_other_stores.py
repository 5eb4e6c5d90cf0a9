"""Web servers, Google's and Azure's stores: a small server on this machine has their answers to reads."""

import json

import pytest

from recordkit.errors import NotFoundError, RemoteError
from recordkit.storage.remote.settings import RemoteSettings
from recordkit.storage.remote.store import Store

CONTENT = bytes(range(256)) * 40
# Azure's documentation shows such a list: its ETags have no quotes.
AZURE_LIST = b"""<?xml version="1.0" encoding="utf-8"?>
<EnumerationResults ServiceEndpoint="https://account.blob.core.windows.net/" ContainerName="container"><Blobs><Blob>
<Name>my photos/train.rec</Name><Properties><Last-Modified>Wed, 21 Oct 2026 07:28:00 GMT</Last-Modified><Etag>v1</Etag>
<Content-Length>%d</Content-Length><Content-Type>application/octet-stream</Content-Type><BlobType>BlockBlob</BlobType>
</Properties></Blob></Blobs><NextMarker /></EnumerationResults>""" % len(CONTENT)
SETTINGS = RemoteSettings(timeout_s=5, total_s=5)


@pytest.fixture
def web(web):
    """A web server with one file."""
    web.files, web.headers = {"my photos/train.rec": CONTENT}, {"ETag": '"v1"'}
    return web


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', None])
def test_a_web_server_is_read_by_range(web, etag):
    modified = "Wed, 21 Oct 2026 07:28:00 GMT"
    web.headers = {"ETag": etag} if etag else {"Last-Modified": modified}
    store = Store(web.url, SETTINGS)
    facts = store.facts("my photos/train.rec")
    assert facts.size == len(CONTENT) and facts.etag == (etag or "modified 2026-10-21T07:28:00+00:00")
    assert store.read_range("my photos/train.rec", 5, 3000, facts.etag) == CONTENT[5:3000]
    assert store.read("my photos/train.rec", max_bytes=10**6) == (CONTENT, facts)
    web.headers = {"ETag": '"v2"'} if etag else {"Last-Modified": modified.replace("Wed, 21 Oct", "Thu, 22 Oct")}
    with pytest.raises(RemoteError, match="it was replaced while it was read; open it again"):
        store.read_range("my photos/train.rec", 5, 30, facts.etag)


def test_a_web_server_without_ranges_is_an_error_that_says_so(web):
    web.has_ranges = False
    with pytest.raises(RemoteError, match="got the whole file in place of a range; use a server that answers ranges"):
        Store(web.url, SETTINGS).read_range("my photos/train.rec", 5, 30, None)


def test_a_web_server_lists_nothing_and_a_missing_file_is_not_found(web):
    store = Store(web.url, SETTINGS)
    assert store.list_folder("") is None
    with pytest.raises(NotFoundError, match=rf"{web.url}/my%20photos/x.rec: expected an object, got HTTP 404"):
        store.facts("my photos/x.rec")


def test_googles_store_is_read_by_range(web, monkeypatch, tmp_path):
    web.headers["Last-Modified"] = "Wed, 21 Oct 2026 07:28:00 GMT"
    account = {
        "gcs_base_url": web.url,
        "disable_oauth": True,
        "client_email": "",
        "private_key": "",
        "private_key_id": "",
    }
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    store = Store("gs://bucket", SETTINGS)
    assert store.read_range("my photos/train.rec", 5, 3000, '"v1"') == CONTENT[5:3000]
    assert web.requests == [("GET", "bucket/my photos/train.rec")]


def test_azures_store_is_read_by_range(web, monkeypatch):
    web.headers["Last-Modified"] = "Wed, 21 Oct 2026 07:28:00 GMT"
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", web.url)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_SAS_KEY", "sv=2024&sig=Xq7-very-secret")
    store = Store("az://container", SETTINGS)
    assert store.read_range("my photos/train.rec", 5, 3000, '"v1"') == CONTENT[5:3000]
    assert "sig=Xq7" in web.requests[0][1]
    web.files["container"] = AZURE_LIST
    assert store.list_folder("my photos") == {"train.rec": store.facts("my photos/train.rec")}
    assert store.facts("my photos/train.rec").etag == '"v1"'
    with pytest.raises(NotFoundError) as caught:
        store.facts("my photos/x.rec")
    assert "Xq7" not in str(caught.value)
    web.has_ranges = False
    with pytest.raises(RemoteError) as failed:
        store.read_range("my photos/train.rec", 5, 30, None)
    assert "Xq7" not in str(failed.value) + repr(failed.value.__context__)
