"""The connection to a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from recordkit.cluster.library import import_ray
from recordkit.errors import ClusterError


@contextlib.contextmanager
def connect(address: str | None = None) -> Iterator[Any]:
    """Connect to a cluster while the block runs, and yield Ray.

    A connection that the process has already is used, and stays.

    Parameters
    ----------
    address : str, optional
        As of ``ray.init``: "auto", or HOST:PORT of the head node. By default, Ray takes RAY_ADDRESS, or starts a
        cluster on this machine that ends with the block.

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
    try:
        ray.init(address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, ValueError, RuntimeError) as error:
        expected = "a Ray cluster" if address is None else f"a Ray cluster at {address}"
        reason = str(error).strip().partition("\n")[0]
        advice = "start one with 'ray start --head'"
        raise ClusterError(expected=expected, got=reason, advice=advice) from error
    try:
        yield ray
    finally:
        ray.shutdown()
