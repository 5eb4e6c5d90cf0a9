"""An address without a cluster, or one that refuses this machine, is one clear error."""

import socket
import threading

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


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_server_of_another_kind_is_refused_at_once(ray_installed, monkeypatch, answer):
    monkeypatch.setattr(ray_installed, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_installed, "init", lambda *_arguments, **_options: pytest.fail("Ray tries for minutes"))
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve():
            connection, _ = server.accept()
            with connection:
                connection.recv(64)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(ClusterError, match="got a server that is not the head node of a cluster; start one with"):
            with connect(f"127.0.0.1:{server.getsockname()[1]}"):
                pass
        thread.join()


@pytest.mark.parametrize("is_hidden", [False, True])
def test_a_token_that_is_refused_is_named(ray_installed, monkeypatch, is_hidden):
    def init(*_arguments, **_options):
        error = ray_installed.exceptions.RayError("InvalidAuthToken: Authentication token is missing or incorrect")
        if not is_hidden:
            raise error
        raise ConnectionError("Failed to connect to Ray cluster") from error

    monkeypatch.setattr(ray_installed, "is_initialized", lambda: False)
    monkeypatch.setattr(ray_installed, "init", init)
    expected = "expected a Ray cluster at auto, got a token that is missing or not the cluster's; set RAY_AUTH_MODE=tok"
    with pytest.raises(ClusterError, match=expected), connect("auto"):
        pass
