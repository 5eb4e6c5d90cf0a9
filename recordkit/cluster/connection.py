"""The connection to a Ray cluster. Ray is imported here and in functions alone, so that it is needed only when used."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

from recordkit.errors import ClusterError, MissingError

_INSTALL = "pip install 'recordkit[cluster]'"


def load_ray() -> Any:
    """Import Ray and return it.

    Raises
    ------
    MissingError
        It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        reason = "" if error.name == "ray" else f", and it does not load: {error}"
        raise MissingError(f"work on a cluster needs Ray{reason}", advice=_INSTALL) from None
    return ray


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
    ray = load_ray()
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
