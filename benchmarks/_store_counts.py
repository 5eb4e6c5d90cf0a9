"""Requests and bytes that the server of `object_server` has answered, by its own counters."""

from __future__ import annotations

import re
import urllib.request
from typing import NamedTuple

_REQUESTS = re.compile(r'^SeaweedFS_s3_request_total\{.*code="20[06]",type="GET".*\} (\S+)$', re.MULTILINE)
_BYTES = re.compile(r"^SeaweedFS_s3_bucket_traffic_sent_bytes_total\{.*\} (\S+)$", re.MULTILINE)


class Counts(NamedTuple):
    """Requests and bytes that a server has sent so far.

    Attributes
    ----------
    n_requests : int
        Successful GET and HEAD requests; lists are not counted.
    n_bytes : int
        Bytes of objects, without the heads of answers.
    """

    n_requests: int
    n_bytes: int

    def since(self, before: Counts) -> Counts:
        """Return the counts since an earlier time."""
        return Counts(self.n_requests - before.n_requests, self.n_bytes - before.n_bytes)


def read_counts(metrics: str) -> Counts:
    """Return what a server has sent so far.

    Parameters
    ----------
    metrics : str
        `object_server.ObjectServer.metrics`.
    """
    with urllib.request.urlopen(metrics, timeout=30) as answer:
        text = answer.read().decode()
    return Counts(*(int(sum(map(float, pattern.findall(text)))) for pattern in (_REQUESTS, _BYTES)))
