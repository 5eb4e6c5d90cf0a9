"""Fixtures for every test: no network but loopback, real data where it is given, hypothesis profiles."""

import os
import socket
from pathlib import Path

import hypothesis
import pytest

hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None)
hypothesis.settings.register_profile("long", max_examples=5000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("RECORDKIT_HYPOTHESIS", "quick"))


@pytest.fixture(autouse=True)
def loopback_only(monkeypatch):
    """Fail any test that would talk to another machine."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to connect to {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real datasets; tests on it are skipped without it, and must run in CI."""
    folder = os.environ.get("RECORDKIT_TEST_DATA")
    if folder is None:
        if os.environ.get("RECORDKIT_REQUIRE_DATA"):
            pytest.fail("RECORDKIT_REQUIRE_DATA is set but RECORDKIT_TEST_DATA is not")
        pytest.skip("RECORDKIT_TEST_DATA is not set: no real data to test on")
    return Path(folder)
