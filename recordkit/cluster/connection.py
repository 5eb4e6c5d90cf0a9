"""The connection to a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

from recordkit.cluster.library import import_ray
from recordkit.errors import ClusterError

_CONNECT_S = 10
# HTTP/2: a frame begins with its length (3 bytes), type (1), flags (1) and stream (4).
_HTTP2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME_HEADER_SIZE, _FRAME_TYPE, _SETTINGS = 9, 3, b"\x04"
_EMPTY_SETTINGS = bytes(3) + _SETTINGS + bytes(5)


@contextlib.contextmanager
def connect(address: str | None = None) -> Iterator[Any]:
    """Connect to a cluster while the block runs, and yield Ray.

    A connection that the process has already is used, and stays.

    Parameters
    ----------
    address : str, optional
        As of ``ray.init``: "auto", HOST:PORT of the head node, or "local", a cluster on this machine that ends with
        the block. By default the variable RAY_ADDRESS, which Ray's own jobs have, and "local" without it.

    Raises
    ------
    MissingError
        Ray is not installed.
    ClusterError
        There is no cluster at that address, or it refuses the token of this machine.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"  # noqa: TID251 (Ray's own jobs are told it so)
    try:
        _check_answers(address)
        with _own_termination():
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        reason = str(error).strip().partition("\n")[0]
        advice = "start one with 'ray start --head', or correct `address`"
        if _is_refused_token(error):
            reason = "a token that is missing or not the cluster's"
            advice = (
                "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or the file ~/.ray/auth_token to what "
                "'ray get-auth-token' prints on the machine that runs 'ray start --head'"
            )
        raise ClusterError(expected=f"a Ray cluster at {address}", got=reason, advice=advice) from error
    try:
        yield ray
    finally:
        ray.shutdown()


@contextlib.contextmanager
def _own_termination() -> Iterator[None]:
    """Keep the program's own reaction to SIGTERM, which Ray would replace by a stack trace and another exit code."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _is_refused_token(error: BaseException | None) -> bool:
    """Tell whether Ray's text of an error, or of one that caused it, is about its token; checked with Ray 2.60."""
    while error is not None:
        if "authentication token" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _check_answers(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT, or a server of another kind, which Ray would try for minutes.

    Ray's head node is a gRPC server, so it answers the preface of HTTP/2 with a frame of settings (RFC 9113, 3.4). With
    RAY_USE_TLS it awaits TLS instead, and only the connection is checked.
    """
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or "/" in host:
        return
    with socket.create_connection((host, int(port)), timeout=_CONNECT_S) as connection:
        if os.environ.get("RAY_USE_TLS", "0") != "0":  # noqa: TID251 (Ray's own setting)
            return
        connection.sendall(_HTTP2_PREFACE + _EMPTY_SETTINGS)
        answer = b""
        while len(answer) < _FRAME_HEADER_SIZE and (received := connection.recv(_FRAME_HEADER_SIZE - len(answer))):
            answer += received
    if answer[_FRAME_TYPE : _FRAME_TYPE + 1] != _SETTINGS:
        raise ConnectionError("a server that is not the head node of a cluster")
