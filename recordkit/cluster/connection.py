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
        There is no cluster at that address.
    """
    ray = import_ray()
    if ray.is_initialized():
        yield ray
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"  # noqa: TID251 (Ray's own jobs are told it so)
    try:
        _check_reachable(address)
        with _own_termination():
            ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ClusterError(
            expected=f"a Ray cluster at {address}",
            got=reason,
            advice="start one with 'ray start --head', or correct `address`",
        ) from error
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


def _check_reachable(address: str) -> None:
    """Raise OSError if nothing listens at HOST:PORT, which Ray itself would try for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal() and "/" not in host:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
