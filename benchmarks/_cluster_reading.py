"""Closed formulas for an epoch of training that many nodes read from an object store.

Each reader is a `recordkit.Loader` with its own rank, for example one per GPU. Rank r of R takes every R-th batch of an
order, so consecutive batches of a rank are far apart in it. With `recordkit.sampling.order.Pages` a batch of B samples
comes from a window of W shuffled samples. So a rank needs a share ``p = min(1, B / W)`` of the samples that lie
together in a page, and the more ranks there are, the less a page that one of them fetched is used.

`coalesced` is exact for samples that are needed independently of each other with probability p; a test compares it with
the requests of real samplers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from _cluster_costs import PAGE_BYTES, Costs
from _cluster_model import Cluster, Store

INDEX_BYTES = 20
"""Bytes of .idx per record: a key of 8 digits, an offset of 10, a tab and an end of line."""
INDEX_MEMORY_BYTES = 16
"""Memory of a reader per record: its offset and its key."""
MOST_GAP_BYTES = 64 * 2**10
"""Ranges that are closer than this are fetched by one request."""
_FILES_PER_SHARD = 3
"""Requests of a reader that opens a shard: its size, its .idx and its .json."""
READERS = 8
"""Loaders per node, one for each of its GPUs."""


class Fetches(NamedTuple):
    """GETs per image, and bytes fetched per byte needed."""

    requests: float
    bytes: float


@dataclass(frozen=True)
class Reading:
    """How the images are read.

    Attributes
    ----------
    n_images : int
    batch : int
        Samples per batch of one rank.
    page, window : int
        Of the order `Pages`; page 1 is a full shuffle.
    whole_pages : bool
        Fetch the 8 MiB around a sample and keep them, instead of the ranges that a batch needs.
    cache_bytes : float
        Local cache of a node.
    shard_bytes : float
    """

    n_images: int = 10**8
    batch: int = 256
    page: int = 1
    window: int = 1
    whole_pages: bool = False
    cache_bytes: float = 20 * 2**30
    shard_bytes: float = 1e9


def coalesced(share: float, page: int, most_gap: int) -> Fetches:
    """Return the fetches for samples of which each is needed with probability `share`, in pages of some samples.

    A sample begins a request if none of the ``most_gap + 1`` samples before it in its page is needed. A gap of
    samples is fetched with its neighbours if it is not longer than `most_gap`.
    """
    unused = 1 - share
    requests = sum(unused ** min(place, most_gap + 1) for place in range(page)) / page
    gaps = sum(gap * share * unused**gap for place in range(page) for gap in range(1, min(most_gap, place - 1) + 1))
    return Fetches(requests, 1 + gaps / page)


def fetches(reading: Reading, n_ranks: int, record_bytes: float) -> Fetches:
    """Return the fetches of one rank in an epoch whose images are not in the cache."""
    if reading.page == 1:
        return Fetches(1, 1)
    window = reading.page * reading.window
    if not reading.whole_pages:
        share = min(1, reading.batch / window)
        return coalesced(share, reading.page, int(MOST_GAP_BYTES // record_bytes))
    # The readers of a node share the pages, and their batches lie side by side. A page of the order begins anywhere in
    # a page of the cache.
    share = min(1, max(READERS * reading.batch / window, READERS / n_ranks))
    n_pages = reading.page * record_bytes / PAGE_BYTES + 1
    used = share * reading.page
    return Fetches(n_pages / used, n_pages * PAGE_BYTES / (used * record_bytes))


def epoch(reading: Reading, cluster: Cluster, store: Store, costs: Costs) -> dict[str, Any]:
    """Return the hours and rates of the first epoch, of a later one, and of opening the dataset."""
    n, n_ranks = reading.n_images, cluster.nodes * READERS
    fetch = fetches(reading, n_ranks, costs.record_bytes)
    n_gets, n_bytes = n * fetch.requests, n * fetch.bytes * costs.record_bytes
    request_bytes = n_bytes / n_gets
    get_cpu_s = max(costs.get_cpu_s, request_bytes * costs.byte_cpu_s) * fetch.requests
    least = {
        "processors": n * (costs.decode_cpu_s + get_cpu_s) / (cluster.nodes * cluster.cores),
        "requests at once": n_gets / (n_ranks * store.task_requests_s(request_bytes)),
        "network of the nodes": n_bytes / (cluster.nodes * cluster.network_bytes_s),
        "GETs of the store": n_gets / (store.get_s * store.target_prefixes),
        "bytes of the store": n_bytes / store.bytes_s,
    }
    limit = max(least, key=lambda name: least[name])
    hit_share = min(1, reading.cache_bytes / (n * costs.record_bytes))
    later = {name: seconds * (1 if name == "processors" else 1 - hit_share) for name, seconds in least.items()}
    n_shards = math.ceil(n * costs.record_bytes / reading.shard_bytes)
    open_s = {
        "processors": n * costs.index_record_cpu_s,
        "network of the nodes": n * INDEX_BYTES / cluster.network_bytes_s,
        "requests at once": n_shards * _FILES_PER_SHARD / store.task_requests_s(n * INDEX_BYTES / n_shards),
        "GETs of the store": cluster.nodes * n_shards * _FILES_PER_SHARD / (store.get_s * store.target_prefixes),
        "bytes of the store": cluster.nodes * n * INDEX_BYTES / store.bytes_s,
    }
    return {
        "nodes": cluster.nodes,
        "hours": least[limit] / 3600,
        "later_hours": max(later.values()) / 3600,
        "limit": limit,
        "images_s": n / least[limit],
        "gets_s": n_gets / least[limit],
        "read_bytes_s": n_bytes / least[limit],
        "requests_per_image": fetch.requests,
        "bytes_per_byte": fetch.bytes,
        "hit_share": hit_share,
        "open_s": max(open_s.values()),
        "open_limit": max(open_s, key=lambda name: open_s[name]),
        "node_memory_bytes": READERS * n * INDEX_MEMORY_BYTES,
    }


def scaling_limit(reading: Reading, cluster: Cluster, store: Store, costs: Costs) -> int:
    """Return the largest number of nodes for which one more node still makes the epoch shorter, up to a million."""
    low, high = 1, 10**6
    while low < high:
        middle = (low + high + 1) // 2
        limit = epoch(reading, replace(cluster, nodes=middle), store, costs)["limit"]
        low, high = (low, middle - 1) if limit.endswith("the store") else (middle, high)
    return low
