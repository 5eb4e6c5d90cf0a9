"""URLs of objects, with no credentials in them."""

import pickle
import re
from pathlib import Path

import pytest

import recordkit
from recordkit.errors import NotFoundError, PlanError
from recordkit.storage.remote.urls import Url, is_url, without_secrets

SECRET = "wJalrXUtnFEMI"


@pytest.mark.parametrize(
    ("text", "root", "key"),
    [
        ("s3://b", "s3://b", ""),
        ("s3://b/", "s3://b", ""),
        ("S3://B/a/train.rec", "s3://B", "a/train.rec"),
        ("gcs://b/x", "gs://b", "x"),
        ("az://container/x/y/", "az://container", "x/y"),
        ("abfss://container@account.dfs.core.windows.net/x", "abfss://container@account.dfs.core.windows.net", "x"),
        ("s3://b/train-???.rec", "s3://b", "train-???.rec"),
        ("s3://b/50% #1.rec", "s3://b", "50% #1.rec"),
        ("http://127.0.0.1:8080/a%20b", "http://127.0.0.1:8080", "a b"),
        (Path("s3://b/a/x.rec"), "s3://b", "a/x.rec"),
        (Path("https://host/x.rec"), "https://host", "x.rec"),
    ],
)
def test_a_url_has_a_root_and_a_key(text, root, key):
    assert is_url(text)
    url = Url.parse(text)
    assert (url.root, url.key) == (root, key)
    assert Url.parse(str(url)) == url == pickle.loads(pickle.dumps(url))


@pytest.mark.parametrize("path", ["train.rec", "/s3/x", "s3", "s3:x", "ftp://b/x", "file:///x", 3, None, b"s3:"])
def test_other_paths_are_no_urls(path):
    assert not is_url(path)


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:{SECRET}@host/x.rec",
        f"https://{SECRET}@host/x.rec",
        f"https://host/x.rec?X-Amz-Signature={SECRET}",
        f"https://host?sig={SECRET}",
        f"https://host/x.rec#{SECRET}",
        f"s3://AKIA:{SECRET}@b/x.rec",
        f"s3://{SECRET}@b/x.rec",
        f"az://container/x.rec?sv=2024&sig={SECRET}",
        f"abfss://container:{SECRET}@account/x.rec",
        f"s3:/AKIA:{SECRET}@b/x.rec",
    ],
)
def test_a_url_with_credentials_is_refused_without_repeating_them(text):
    with pytest.raises(PlanError, match="expected a URL without credentials") as caught:
        Url.parse(text)
    assert SECRET not in str(caught.value) + repr(vars(caught.value)) + without_secrets(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("s3:///x", "expected a URL of s3://"),
        ("https://?x", "a URL without credentials"),
        ("s3://b/a//x", "expected a key without empty parts"),
        ("s3://b/../x", "expected a key without empty parts"),
        ("s3://b/a\nb", "expected a key without control characters"),
    ],
)
def test_a_url_that_stores_cannot_have_is_refused(text, message):
    with pytest.raises(PlanError, match=message):
        Url.parse(text)


@pytest.mark.parametrize("path", ["hdfs://n/x", "s4://b/x", "ftp://h/x", "s3://"])
def test_a_url_that_cannot_be_written_becomes_no_folder(tiny_folder, cli, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    recordkit.pack(tiny_folder, "near")
    before = sorted(tmp_path.iterdir())
    for arguments in (
        ("pack", tiny_folder),
        ("export", "near"),
        ("export", "near", "--to", "parquet"),
        ("merge", "near"),
    ):
        code, _, error = cli(*arguments, path)
        assert code and re.search(f"{path}: expected a (path, or a URL of s3://, gs:// or az://|bucket or host)", error)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("path", ["hdfs://n/x.rec", "s4://b/x.rec", Path("ftp://h/x.rec")])
def test_an_unknown_scheme_is_told_with_the_known_ones(path):
    shown = str(path).replace("ftp:/", "ftp://") if isinstance(path, Path) else path
    with pytest.raises(NotFoundError, match=f"^{shown}: .*URLs begin with s3://, gs://, az://, abfss:// or https://"):
        recordkit.RecordDataset(path)


@pytest.mark.parametrize("query", ["versionId=abc", "partNumber=1&versionId=abc"])
def test_a_version_is_refused_as_such(query):
    with pytest.raises(PlanError, match=r"x.rec: .*got versionId, and versions are not supported; leave the query out"):
        Url.parse(f"s3://b/x.rec?{query}")
    with pytest.raises(PlanError, match="which may have a signature"):
        Url.parse(f"s3://b/x.rec?{query}&X-Amz-Signature=1")
