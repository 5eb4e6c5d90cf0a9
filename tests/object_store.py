"""Fixtures of tests with a real S3 server, and with a proxy that makes faults in front of it."""

import os
import tempfile
import uuid
from pathlib import Path

import pytest
from fault_proxy import fault_proxy
from object_server import missing, shared_server

from recordkit.storage.remote import settings
from recordkit.storage.remote.settings import RemoteSettings

# Variables of the person who runs the tests.
PERSONAL = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SKIP_SIGNATURE", "AWS_ENDPOINT_URL_S3")


class ObjectStore:
    """A bucket of its own: `url` and `bucket`, `server`, and for `faulty_store` the `proxy`."""

    def __init__(self, server, bucket, proxy=None):
        self.server, self.bucket, self.proxy = server, bucket, proxy
        self.url = f"s3://{bucket}"
        self.client = server.client(bucket)

    def put(self, key, content):
        """Write an object, past recordkit and the proxy."""
        import obstore

        obstore.put(self.client, key, content)

    def get(self, key):
        """Return the bytes of an object, past recordkit and the proxy."""
        import obstore

        return bytes(obstore.get(self.client, key).bytes())

    def list_keys(self):
        """Return the keys of all objects."""
        import obstore

        return sorted(meta["path"] for block in obstore.list(self.client) for meta in block)


@pytest.fixture(scope="session")
def object_server(testrun_uid):
    """A real S3 server, one for all processes of a run. Without it tests are skipped, or fail if CI requires it."""
    reason = missing()
    if reason:
        if os.environ.get("RECORDKIT_REQUIRE_REMOTE"):
            pytest.fail(f"RECORDKIT_REQUIRE_REMOTE is set, but {reason}")
        pytest.skip(reason)
    with shared_server(Path(tempfile.gettempdir(), f"recordkit-server-{testrun_uid}")) as server:
        yield server


def _bucket(server, monkeypatch, tmp_path, endpoint):
    for name in PERSONAL:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / f"no-{name.lower()}"))
    for name, value in server.environment(endpoint).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("RECORDKIT_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(settings, "_current", RemoteSettings(cache_dir=tmp_path / "cache", timeout_s=10, total_s=20))
    return server.create_bucket(f"b{uuid.uuid4().hex[:12]}")


@pytest.fixture
def object_store(object_server, monkeypatch, tmp_path):
    """A bucket in a real server. The environment leads there, and the cache is in `tmp_path`."""
    bucket = _bucket(object_server, monkeypatch, tmp_path, None)
    yield ObjectStore(object_server, bucket)
    object_server.delete_bucket(bucket)


@pytest.fixture
def faulty_store(object_server, monkeypatch, tmp_path):
    """A bucket behind a proxy whose `script` and `choose` make faults. The environment leads to the proxy."""
    with fault_proxy(object_server.endpoint) as proxy:
        bucket = _bucket(object_server, monkeypatch, tmp_path, proxy.endpoint)
        yield ObjectStore(object_server, bucket, proxy)
        object_server.delete_bucket(bucket)
