"""An address without a cluster is one clear error at once."""

import socket

import pytest

from recordkit.cluster.connection import connect
from recordkit.errors import ClusterError


def test_an_address_at_which_nothing_listens_is_refused_at_once(ray_installed, monkeypatch):
    monkeypatch.setattr(ray_installed, "is_initialized", lambda: False)  # other tests have one
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        expected = f"expected a Ray cluster at {address}, got .*refused; start one with 'ray start"
        with pytest.raises(ClusterError, match=expected), connect(address):
            pass
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(ClusterError, match=expected), connect():
            pass
