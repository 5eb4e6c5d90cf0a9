"""Credentials: found where the stores' own tools find them, and shown nowhere."""

import logging
import pickle
import sys
import traceback

import pytest
from object_server import ACCESS_KEY, SECRET_KEY

from recordkit.errors import FormatError, MissingError, NotFoundError, PlanError, RecordkitError, RemoteError
from recordkit.storage.remote.client import attempts
from recordkit.storage.remote.client.credentials import s3_options
from recordkit.storage.remote.client.opening import open_client
from recordkit.storage.remote.settings import RemoteSettings, current
from recordkit.storage.remote.store import Store, open_store
from recordkit.storage.remote.urls import Url

SECRET = "Xq7-very-secret"


@pytest.fixture
def profiles(tmp_path):
    """Files of profiles, as the AWS command line writes them, and the environment that names them."""
    (tmp_path / "credentials").write_text(
        f"[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key = {SECRET}\n"
        f"[work]\naws_access_key_id = AKWORK\naws_secret_access_key = {SECRET}\naws_session_token = TOKEN\n"
    )
    (tmp_path / "config").write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile work]\nregion = eu-north-1\nendpoint_url = https://s3.example.org\n"
        "[profile other]\nregion = us-west-2\nservices = local\nrole_arn = arn:aws:iam::1:role/x\n"
        "[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9\n  addressing_style = path\n"
    )
    return {
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
    }


def test_the_default_profile_is_read_without_other_credentials(profiles):
    found = s3_options(anonymous=False, environment=profiles)
    keys = {"access_key_id": "AKDEFAULT", "secret_access_key": SECRET}
    assert found == {"config": {"region": "eu-west-1", **keys}, "endpoint": None}


def test_a_named_profile_has_keys_region_and_endpoint(profiles):
    found = s3_options(anonymous=False, environment={**profiles, "AWS_PROFILE": "work"})
    keys = {"access_key_id": "AKWORK", "secret_access_key": SECRET, "session_token": "TOKEN"}
    assert found == {"config": {"region": "eu-north-1", **keys}, "endpoint": "https://s3.example.org"}


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"])
def test_the_environment_comes_before_a_profile(profiles, name):
    environment = {**profiles, name: "x", "AWS_REGION": "sa-east-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:8"}
    found = s3_options(anonymous=False, environment=environment)
    assert found == {"config": {"region": "sa-east-1"}, "endpoint": "http://127.0.0.1:8"}


@pytest.mark.parametrize(
    "address", ["127.0.0.1:19333", "http:/127.0.0.1:9", "http://", "ftp://host", "http://a b", "x"]
)
@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AZURE_STORAGE_ENDPOINT"])
def test_an_endpoint_that_is_no_address_names_its_variable(monkeypatch, name, address):
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv(name, address)
    store = Store("az://b" if name.startswith("AZURE") else "s3://b", RemoteSettings(total_s=1))
    with pytest.raises(PlanError, match=rf"^{name}: expected an address that begins with http:// or https://, got '"):
        store.facts("x")


def test_a_wrong_endpoint_of_a_profile_is_told_without_its_password(profiles, tmp_path):
    (tmp_path / "config").write_text(f"[default]\nendpoint_url = me:{SECRET}@127.0.0.1:9\n")
    with pytest.raises(PlanError, match=r"endpoint_url of the AWS profile: .* got '127.0.0.1:9'") as caught:
        s3_options(anonymous=False, environment=profiles)
    assert SECRET not in str(caught.value)


def test_an_empty_endpoint_is_none(monkeypatch):
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert open_client("s3://b", current(), timeout_s=1).config["endpoint"] == "https://s3.us-east-1.amazonaws.com"
    assert open_client("az://b", current(), timeout_s=1).config["endpoint"] == "https://account.blob.core.windows.net"


@pytest.mark.parametrize("has_answered", [False, True])
def test_refused_connections_are_tried_for_a_short_time_until_the_store_has_answered(
    faulty_store, monkeypatch, has_answered
):
    faulty_store.put("x", b"1")
    store = Store(faulty_store.url, RemoteSettings(timeout_s=5, total_s=5))
    if has_answered:
        assert store.facts("x").size == 1
    store.reset()  # the client, and not what the store has learnt
    monkeypatch.setattr(attempts, "_UNREACHED_S", 0.0)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    requests = []

    def head(client):
        requests.append(client)
        if len(requests) == 3:
            raise TypeError("third")
        return store._obstore().head(client, "x")

    with pytest.raises(
        TypeError if has_answered else attempts.FailedError, match="third" if has_answered else "refused"
    ):
        store._attempts().run(head)
    assert len(requests) == (3 if has_answered else 1)


def test_public_data_needs_no_credentials(profiles):
    found = s3_options(anonymous=True, environment=profiles)
    assert found == {"config": {"region": "eu-west-1", "skip_signature": True}, "endpoint": None}


def test_an_unknown_profile_is_an_error(profiles):
    with pytest.raises(NotFoundError, match="expected the profile 'wrok' of AWS_PROFILE, got none of that name"):
        s3_options(anonymous=False, environment={**profiles, "AWS_PROFILE": "wrok"})


def test_a_profile_of_a_role_needs_boto3(profiles, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingError, match="the AWS profile 'other' .* needs boto3; pip install boto3"):
        s3_options(anonymous=False, environment={**profiles, "AWS_PROFILE": "other"})
    anonymous = s3_options(anonymous=True, environment={**profiles, "AWS_PROFILE": "other"})
    assert anonymous["endpoint"] == "http://127.0.0.1:9"  # that of the service comes before that of the profile


def test_a_damaged_file_of_profiles_is_told_without_its_lines(profiles, tmp_path):
    (tmp_path / "credentials").write_text(f"aws_secret_access_key = {SECRET}\n")
    with pytest.raises(FormatError, match="credentials: expected sections of AWS profiles") as caught:
        s3_options(anonymous=False, environment=profiles)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_no_file_of_profiles_is_no_error(tmp_path):
    missing = {"AWS_CONFIG_FILE": str(tmp_path / "x"), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path)}
    with pytest.raises(FormatError):
        s3_options(anonymous=False, environment=missing)  # a folder in the place of a file
    missing["AWS_SHARED_CREDENTIALS_FILE"] = str(tmp_path / "y")
    assert s3_options(anonymous=False, environment=missing) == {"config": {}, "endpoint": None}


def test_a_profile_reads_from_the_server(object_store, monkeypatch, tmp_path):
    object_store.put("x", b"content")
    (tmp_path / "credentials").write_text(
        f"[lab]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n"
    )
    (tmp_path / "config").write_text(f"[profile lab]\nendpoint_url = {object_store.server.endpoint}\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_PROFILE", "lab")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    assert Store(object_store.url, current()).read("x", max_bytes=10)[0] == b"content"


def test_an_anonymous_request_has_no_signature(object_store):
    object_store.put("x", b"content")
    store = Store(object_store.url, RemoteSettings(anonymous=True, timeout_s=10))
    with pytest.raises(RemoteError, match=r"got HTTP 403.*; check that the AWS credentials"):
        store.read("x", max_bytes=10)


@pytest.mark.parametrize("cause", ["wrong key", "no connection", "missing bucket", "no credentials"])
def test_no_secret_is_shown_by_an_error_a_log_a_repr_or_a_pickle(object_store, monkeypatch, caplog, cause):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    if cause == "no connection":
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:{SECRET}@127.0.0.1:1")
    if cause == "no credentials":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    url = Url.parse("s3://no-such-bucket" if cause == "missing bucket" else object_store.url)
    store = open_store(url, RemoteSettings(timeout_s=1, total_s=1))
    for call in (
        lambda: store.facts("x"),
        lambda: store.read_range("x", 0, 8, None),
        lambda: store.create("x", b"1"),
        lambda: store.list_folder("x"),
    ):
        with pytest.raises(RecordkitError) as caught:
            call()
        shown = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
        assert SECRET not in shown
        assert SECRET.encode() not in pickle.dumps(caught.value)
    assert SECRET not in caplog.text + repr(store) + repr(store.settings)
    assert SECRET.encode() not in pickle.dumps(store)


def test_an_azure_container_needs_an_account(monkeypatch):
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(PlanError, match="expected the name of a storage account, got none; set AZURE_STORAGE_ACCOUNT"):
        Store("az://container", current()).facts("x")


def test_without_obstore_one_line_says_what_to_install(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(MissingError) as caught:
        Store("s3://b", RemoteSettings()).facts("x")
    assert str(caught.value) == "reading s3:// needs obstore; pip install 'recordkit[remote]'"
